import hashlib
from pathlib import Path

import pytest
from PIL import Image

from seedream_daemon.photos.inspect import (
    PhotoFacts,
    conversion_problem,
    crop_problem,
    digest,
    inspect,
    limits_problem,
)


def facts(**changed: object) -> PhotoFacts:
    good: dict[str, object] = {
        "format": "jpeg",
        "mime": "image/jpeg",
        "bytes": 1000,
        "width": 400,
        "height": 300,
        "whole": True,
    }
    return PhotoFacts(**(good | changed))


LIMITS = {
    "is empty; copy it again": facts(bytes=0, format=None),
    "is a text file, not a photo; save it as JPEG, PNG, WebP or HEIC": facts(
        format=None, instead="a text file"
    ),
    "is not a photo in a format that is known here; save it as JPEG, PNG, WebP or HEIC": facts(
        format=None
    ),
    "is cut short (it ends after 1,234,567 bytes); copy it again": facts(
        whole=False, bytes=1_234_567
    ),
    "is damaged: its JPEG header gives no size; export it again": facts(width=0, height=0),
    "is 12.35 MB, over the 10 MB of MAX_INPUT_MB; save it smaller or set "
    'oversize = "shrink"': facts(bytes=12_345_678),
    "is 10.000001 MB, over the 10 MB of MAX_INPUT_MB; save it smaller or set "
    'oversize = "shrink"': facts(bytes=10_000_001),
    "is 8000 x 6000 pixels (48.0 megapixels), over the 36 megapixels that are taken; save it "
    'smaller or set oversize = "shrink"': facts(width=8000, height=6000),
    "is 20000 x 20000 pixels (400.0 megapixels), over the 36 megapixels that are taken; save it "
    "smaller": facts(width=20000, height=20000),
    "is 1 x 5000 pixels, but each side must be longer than 14 pixels; use a larger photo": facts(
        width=1, height=5000
    ),
    "is 14 x 14 pixels, but each side must be longer than 14 pixels; use a larger photo": facts(
        width=14, height=14
    ),
    "is 100 x 1601 pixels, but its long side may be at most 16 times its short side; cut it to a "
    "less narrow shape": facts(width=100, height=1601),
    None: facts(bytes=10_000_000, width=6000, height=6000),
}


@pytest.mark.parametrize("message", LIMITS)
def test_what_breaks_a_limit_says_so(message: str | None):
    assert limits_problem(LIMITS[message], max_input_mb=10) == message


def test_the_smallest_and_the_narrowest_photos_are_taken():
    assert limits_problem(facts(width=15, height=15), max_input_mb=10) is None
    assert limits_problem(facts(width=100, height=1600), max_input_mb=10) is None
    assert limits_problem(facts(width=1600, height=100), max_input_mb=10) is None


def test_a_phone_photo_of_200_megapixels_can_be_cropped_and_converted():
    large = facts(width=16320, height=12240, bytes=60_000_000)
    assert crop_problem(large) is None
    assert conversion_problem(large) is None


def test_a_bomb_can_neither_be_cropped_nor_converted():
    bomb = facts(width=16001, height=16001)
    expected = (
        "is 16001 x 16001 pixels (256.0 megapixels), over the 256 megapixels that are taken; "
        "save it smaller"
    )
    assert crop_problem(bomb) == conversion_problem(bomb) == expected


def test_a_narrow_photo_can_be_cropped_but_not_converted():
    narrow = facts(width=100, height=1700)
    assert crop_problem(narrow) is None
    assert conversion_problem(narrow) is not None
    assert crop_problem(facts(width=1, height=5000)) is not None


@pytest.mark.parametrize(
    ("content", "instead"),
    [
        ("prompt = 'hello' # 안녕".encode() * 500, "a text file"),
        (b"GIF89a....", "a GIF"),
        (b"%PDF-1.7 \x00", "a PDF"),
        (b"II*\0\x08\0\0\0", "a TIFF or a raw photo"),
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", "an AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", "a video"),
        (b"\x01\x02\x00\xff" * 30, None),
    ],
)
def test_what_is_no_photo_is_named_where_it_can_be(content: bytes, instead: str, tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    found = inspect(path)
    assert (found.format, found.mime, found.instead) == (None, None, instead)


def test_the_facts_are_those_of_the_file(save):
    path = save(Image.new("RGB", (640, 480), "red"), "a.jpg", turned=6)
    assert inspect(path) == PhotoFacts(
        format="jpeg",
        mime="image/jpeg",
        bytes=path.stat().st_size,
        width=640,
        height=480,
        orientation=6,
        whole=True,
    )


def test_a_photo_cut_short_is_told(save):
    path = save(Image.effect_noise((640, 480), 50).convert("RGB"), "a.heic")
    path.write_bytes(path.read_bytes()[:-100])
    problem = limits_problem(inspect(path), max_input_mb=10)
    assert problem is not None
    assert problem.startswith("is cut short")


def test_an_empty_file_is_told(tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.touch()
    assert limits_problem(inspect(path), max_input_mb=10) == "is empty; copy it again"


def test_the_digest_is_that_of_the_content(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert digest(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
