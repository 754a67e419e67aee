import io

import numpy as np
import pytest
from PIL import Image

from seedream_daemon.photos.encode import fitted, jpeg, jpeg_under, scaled, under_pixels


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    pixels = np.random.default_rng(2).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_picture_under_the_limit_has_the_best_quality(noise: Image.Image):
    data, width, height = jpeg_under(noise, max_bytes=10_000_000)
    assert (data, width, height) == (jpeg(noise, 95), 800, 600)


def test_quality_goes_down_before_size(noise: Image.Image):
    limit = len(jpeg(noise, 75)) + 100
    data, width, height = jpeg_under(noise, max_bytes=limit)
    assert (data, width, height) == (jpeg(noise, 75), 800, 600)


def test_a_picture_that_no_quality_brings_under_the_limit_is_made_smaller(noise: Image.Image):
    data, width, height = jpeg_under(noise, max_bytes=20_000)
    assert len(data) <= 20_000
    assert width < 800
    assert abs(width / height - 4 / 3) < 0.02
    assert Image.open(io.BytesIO(data)).size == (width, height)


def test_a_limit_that_nothing_keeps_is_an_error(noise: Image.Image):
    with pytest.raises(ValueError, match="no JPEG is as small as 10 bytes"):
        jpeg_under(noise, max_bytes=10)


def test_no_metadata_is_kept(noise: Image.Image):
    noise = noise.copy()
    noise.info |= {"comment": b"home", "xmp": b"<x/>", "exif": b"Exif\0\0MM\0*", "dpi": (300, 300)}
    noise.info["icc_profile"] = b"profile"
    reread = Image.open(io.BytesIO(jpeg(noise)))
    assert set(reread.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_fitting_never_makes_larger(noise: Image.Image):
    assert fitted(noise, 2048) is noise
    assert fitted(noise, 400).size == (400, 300)
    assert scaled(Image.new("RGB", (1000, 1)), 0.1).size == (100, 1)


def test_pixels_are_brought_under_their_limit(noise: Image.Image):
    assert under_pixels(noise, 480_000) is noise
    smaller = under_pixels(noise, 100_000)
    assert 95_000 < smaller.width * smaller.height <= 100_000
