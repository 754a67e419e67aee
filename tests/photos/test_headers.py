import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seedream_daemon.imagefile import is_whole
from seedream_daemon.photos.headers import Header, read_header

NAMES = {"a.jpg": "jpeg", "a.png": "png", "a.webp": "webp"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_size_and_turn_are_those_of_the_header(name: str, mode: str, save):
    image = Image.new(mode, (123, 45))
    assert read_header(save(image, name), NAMES[name]) == Header(123, 45, 1)
    for turned in range(1, 9):
        path = save(image, name, turned=turned)
        assert read_header(path, NAMES[name]) == Header(123, 45, turned)


def test_lossless_and_animated_webp_have_sizes_too(save):
    image = Image.new("RGBA", (300, 17), (1, 2, 3, 4))
    assert read_header(save(image, "a.webp", lossless=True), "webp") == Header(300, 17)
    path = save(image, "b.webp", save_all=True, append_images=[image.rotate(90)])
    assert read_header(path, "webp") == Header(300, 17)


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_heic_has_its_upright_size(turned: int, save):
    path = save(Image.new("RGB", (200, 120), "red"), "a.heic", turned=turned)
    upright = (120, 200) if turned >= 5 else (200, 120)
    assert read_header(path, "heic") == Header(*upright)


def test_a_heic_in_tiles_has_the_size_of_the_whole(save):
    path = save(Image.new("RGB", (700, 500), "red"), "a.heic", tile_size=256)
    assert read_header(path, "heic") == Header(700, 500)


@pytest.mark.parametrize("turned", [0, 9, 77, 65535])
def test_a_broken_orientation_is_none(turned: int, save):
    path = save(Image.new("RGB", (50, 40)), "a.jpg", turned=turned)
    assert read_header(path, "jpeg") == Header(50, 40, 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["H", "L"])
def test_an_orientation_may_be_short_or_long(order: str, kind: str, save):
    mark = b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"
    value = struct.pack(order + kind, 8).ljust(4, b"\0")
    entry = struct.pack(order + "HHHL", 1, 0x0112, 3 if kind == "H" else 4, 1) + value
    exif = b"Exif\0\0" + mark + entry + b"\0\0\0\0"
    path = save(Image.new("RGB", (50, 40)), "a.jpg", exif=exif)
    assert read_header(path, "jpeg") == Header(50, 40, 8)


def test_broken_exif_is_no_exif(save):
    for exif in (b"Exif\0\0", b"Exif\0\0MM\0*", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0xx"):
        path = save(Image.new("RGB", (50, 40)), "a.jpg", exif=exif)
        assert read_header(path, "jpeg") == Header(50, 40, 1)


@given(content=st.binary(max_size=200), kind=st.sampled_from(["jpeg", "png", "webp", "heic"]))
def test_no_header_raises(content: bytes, kind: str, tmp_path_factory: pytest.TempPathFactory):
    starts = {
        "jpeg": b"\xff\xd8\xff\xe1\x00\x20Exif\0\0II*\0",
        "png": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
        "webp": b"RIFF\0\0\0\0WEBPVP8X",
        "heic": b"\0\0\0\x10ftypheic\0\0\0\0\0\0\0\x80meta\0\0\0\0\0\0\0\x60iprp",
    }
    path: Path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(starts[kind] + content)
    read_header(path, kind)
    is_whole(path, kind)


def test_a_heic_with_changed_bytes_raises_nothing(save, tmp_path: Path):
    content = bytearray(save(Image.new("RGB", (64, 64), "red"), "a.heic").read_bytes())
    path = tmp_path / "changed"
    for at in range(min(len(content), 700)):
        for value in (0, 1, 0xFF):
            changed = content.copy()
            changed[at] = value
            path.write_bytes(changed)
            read_header(path, "heic")
            is_whole(path, "heic")
