import io
import random
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from seedream_daemon.imagefile import EXTENSION, MIME, is_whole, sniff, sniff_bytes


def noise(width: int = 120, height: int = 80) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    image = noise()
    if kind == "heic":
        pillow_heif.from_pillow(image).save(buffer)
    elif kind == "progressive":
        image.save(buffer, "JPEG", progressive=True)
    elif kind == "lossless":
        image.save(buffer, "WEBP", lossless=True)
    else:
        image.save(buffer, kind.upper())
    return buffer.getvalue()


KINDS = {
    "jpeg": "jpeg",
    "progressive": "jpeg",
    "png": "png",
    "webp": "webp",
    "lossless": "webp",
    "heic": "heic",
}


@pytest.fixture(params=KINDS)
def sample(request: pytest.FixtureRequest) -> tuple[str, bytes]:
    return KINDS[request.param], encoded(request.param)


def test_the_kind_is_told_by_content(sample, tmp_path: Path):
    kind, content = sample
    path = tmp_path / "named.txt"
    path.write_bytes(content)
    assert sniff(path) == kind
    assert is_whole(path, kind)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"GIF89a",
        b"hello, I am a text",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00avifmif1miaf",
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2",
    ],
)
def test_what_is_none_of_the_four_is_none(head: bytes):
    assert sniff_bytes(head) is None


def test_a_heic_may_be_told_by_its_compatible_brands_only():
    assert sniff_bytes(b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heicmiaf") == "heic"


def test_no_cut_file_is_whole(sample, tmp_path: Path):
    kind, content = sample
    path = tmp_path / "cut"
    chance = random.Random(3)
    cuts = {*range(1, 40), *(chance.randrange(1, len(content) - 12) for _ in range(60))}
    for cut in cuts:
        path.write_bytes(content[:-cut])
        assert not is_whole(path, kind), cut


def test_trailing_bytes_do_no_harm(sample, tmp_path: Path):
    kind, content = sample
    path = tmp_path / "with a trailer"
    path.write_bytes(content + b"\x00\x01 trailer of a phone" * 1000)
    assert is_whole(path, kind)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photo(tmp_path: Path):
    thumbnail = encoded("jpeg")
    exif = b"Exif\0\0" + thumbnail
    app1 = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    photo = encoded("jpeg")
    path = tmp_path / "a.jpg"
    path.write_bytes(photo[:2] + app1)  # ends in the thumbnail's EOI
    assert not is_whole(path, "jpeg")
    path.write_bytes(photo[:2] + app1 + photo[2:-2])
    assert not is_whole(path, "jpeg")
    path.write_bytes(photo[:2] + app1 + photo[2:])
    assert is_whole(path, "jpeg")


def test_the_end_of_an_embedded_table_is_not_the_end_of_the_photo(tmp_path: Path):
    photo = encoded("jpeg")
    comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    path = tmp_path / "a.jpg"
    path.write_bytes(photo[:-2] + comment)
    assert is_whole(path, "jpeg")  # its last two bytes say so, and are looked at first
    path.write_bytes(photo[:-2] + comment + b"\x12\x34")
    assert not is_whole(path, "jpeg")


@pytest.mark.parametrize("shift", range(-5, 6))
def test_markers_are_found_where_two_pieces_meet(shift: int, tmp_path: Path):
    photo = encoded("jpeg")
    piece = 1 << 18
    coded = (
        photo.index(b"\xff\xda")
        + 2
        + int.from_bytes(photo[photo.index(b"\xff\xda") + 2 : photo.index(b"\xff\xda") + 4], "big")
    )
    padding = piece + shift
    path = tmp_path / "a.jpg"
    tail = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9\x11\x22\xff\xd9 trailer"
    path.write_bytes(photo[:coded] + b"\x55" * padding + tail)
    assert is_whole(path, "jpeg")
    path.write_bytes(photo[:coded] + b"\x55" * padding + tail[:10] + b" trailer")
    assert not is_whole(path, "jpeg")


def test_many_segments_are_read_once(tmp_path: Path):
    photo = encoded("jpeg")
    path = tmp_path / "a.jpg"
    path.write_bytes(photo[:-2] + b"\xff\xc4\x00\x02" * 500_000 + b"xx")
    assert not is_whole(path, "jpeg")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "heic"])
def test_garbage_is_not_whole_and_raises_nothing(kind: str, tmp_path: Path):
    path = tmp_path / "a"
    chance = random.Random(5)
    for length in (0, 1, 7, 8, 12, 13, 16, 40, 5000):
        path.write_bytes(chance.randbytes(length))
        is_whole(path, kind)
    path.write_bytes(b"")
    assert not is_whole(path, kind)


def test_a_heic_without_its_pictures_is_not_whole(tmp_path: Path):
    content = encoded("heic")
    path = tmp_path / "a.heic"
    path.write_bytes(content[: content.index(b"mdat") - 4])
    assert not is_whole(path, "heic")


def test_every_kind_has_an_extension_and_a_media_type():
    assert EXTENSION["jpeg"] == "jpg"
    assert set(EXTENSION) == set(MIME) == {"jpeg", "png", "webp", "heic"}


@pytest.mark.parametrize(
    ("kind", "start", "part"),
    [
        ("jpeg", b"\xff\xd8", b"\xff\xe0\x00\x02"),
        ("png", b"\x89PNG\r\n\x1a\n", b"\0\0\0\0tEXt\0\0\0\0"),
        ("heic", b"\0\0\0\x10ftypheic\0\0\0\0", b"\0\0\0\x08free"),
    ],
)
def test_a_file_of_tiny_parts_is_given_up(kind: str, start: bytes, part: bytes, tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(start + part * 300_000)
    assert not is_whole(path, kind)
