import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from seedream_daemon.photos.decode import PhotoDamagedError, decode, to_srgb


@pytest.fixture
def corners() -> Image.Image:
    """Four colours, one in each corner, so that each turn looks different."""
    image = Image.new("RGB", (160, 96), "red")
    image.paste("green", (80, 0, 160, 48))
    image.paste("blue", (0, 48, 80, 96))
    image.paste("white", (80, 48, 160, 96))
    return image


def upright(path: Path) -> Image.Image:
    photo = decode(path)
    return to_srgb(photo.upright(photo.image))


def assert_looks_like(image: Image.Image, expected: Image.Image, tolerance: int = 12) -> None:
    assert image.size == expected.size
    assert image.mode == "RGB"
    ours, theirs = (np.asarray(each, np.int16) for each in (image, expected))
    assert np.median(np.abs(ours - theirs)) <= tolerance
    for x, y in ((20, 12), (140, 12), (20, 84), (140, 84)):
        if x < image.width and y < image.height:
            assert np.abs(ours[y, x] - theirs[y, x]).max() <= tolerance, (x, y)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.heic", "a.HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_comes_upright(name: str, orientation: int, corners, save, lay):
    stored = lay(corners, orientation)
    options = {"quality": 95} if name.endswith(("jpg", "webp")) else {}
    path = save(stored, name, turned=orientation, **options)
    assert_looks_like(upright(path), corners)


@pytest.mark.parametrize("broken", [0, 9, 65535])
def test_a_broken_orientation_turns_nothing(broken: int, corners, save):
    assert_looks_like(upright(save(corners, "a.jpg", turned=broken, quality=95)), corners)


def test_a_reduced_copy_is_as_large_as_asked(save):
    path = save(Image.new("RGB", (1600, 1200), "red"), "a.jpg")
    photo = decode(path, enough=lambda w, h: 300 / min(w, h))
    assert (photo.image.size, photo.width, photo.height) == ((400, 300), 1600, 1200)
    assert photo.scale == 0.25
    photo = decode(path, enough=lambda w, h: 301 / min(w, h))
    assert photo.image.size == (800, 600)


def test_a_turned_photo_has_its_upright_size(save):
    photo = decode(
        save(Image.new("RGB", (1600, 1200)), "a.jpg", turned=6), enough=lambda _w, _h: 0.5
    )
    assert (photo.image.size, photo.width, photo.height) == ((800, 600), 1200, 1600)


def test_what_is_transparent_is_on_white(save):
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    image.paste((0, 0, 255, 0), (0, 0, 20, 40))
    for name in ("a.png", "a.webp"):
        options = {"lossless": True} if name == "a.webp" else {}
        flat = upright(save(image, name, **options))
        assert (flat.getpixel((5, 5)), flat.getpixel((35, 5))) == ((255, 255, 255), (255, 0, 0))


def test_a_palette_with_transparency_is_on_white(save):
    image = Image.new("P", (40, 40), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.paste(0, (0, 0, 20, 40))
    flat = upright(save(image, "a.png", transparency=0))
    assert (flat.getpixel((5, 5)), flat.getpixel((35, 5))) == ((255, 255, 255), (255, 0, 0))


def test_grey_with_alpha_is_on_white(save):
    flat = upright(save(Image.new("LA", (20, 20), (0, 128)), "a.png"))
    assert flat.getpixel((5, 5)) == (127, 127, 127)


def test_16_bits_of_grey_become_8(save):
    grey = np.full((20, 30), 0x8000, np.uint16)
    assert upright(save(Image.fromarray(grey), "a.png")).getpixel((5, 5)) == (128, 128, 128)


def test_16_bits_of_colour_become_8(tmp_path: Path):
    row = b"\0" + struct.pack(">3H", 0xFFFF, 0x8000, 0x0000) * 20

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    path = tmp_path / "a.png"
    header = struct.pack(">2I5B", 20, 20, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 20)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert upright(path).getpixel((5, 5)) == (255, 128, 0)


def test_cmyk_becomes_rgb(save):
    red, green, blue = upright(
        save(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "a.jpg")
    ).getpixel((5, 5))
    assert red > 230
    assert max(green, blue) < 25


def test_the_first_frame_of_an_animation_is_taken(save):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    path = save(frames[0], "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert upright(path).getpixel((5, 5)) == (255, 0, 0)


def test_the_first_picture_of_a_burst_is_taken(tmp_path: Path):
    burst = pillow_heif.from_pillow(Image.new("RGB", (80, 80), "red"))
    burst.add_from_pillow(Image.new("RGB", (80, 80), "blue"))
    burst.save(tmp_path / "a.heic")
    red, _, blue = upright(tmp_path / "a.heic").getpixel((5, 5))
    assert (red > 230, blue < 25) == (True, True)


def test_the_first_picture_of_a_phone_jpeg_of_several_is_taken(save):
    first = Image.new("RGB", (1600, 1200), "red")
    second = Image.new("RGB", (1600, 1200), "blue")
    path = save(first, "a.jpg", format="MPO", save_all=True, append_images=[second])
    photo = decode(path, enough=lambda _w, _h: 0.25)
    assert photo.image.size == (400, 300)
    red, _, blue = to_srgb(photo.image).getpixel((5, 5))
    assert (red > 230, blue < 25) == (True, True)


def profile_of(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.heic"])
def test_colours_go_through_the_profile(name: str, save):
    # A profile in which red and blue have changed places: visible, and made without any file.
    srgb = bytearray(profile_of("sRGB"))
    at_red, at_blue = (srgb.index(tag, 128) for tag in (b"rXYZ", b"bXYZ"))
    srgb[at_red : at_red + 4], srgb[at_blue : at_blue + 4] = b"bXYZ", b"rXYZ"
    swapped = bytes(srgb)
    image = Image.new("RGB", (64, 64), (250, 20, 20))
    if name == "a.heic":
        image.info["icc_profile"] = swapped
        path = save(image, name)
    else:
        path = save(image, name, icc_profile=swapped)
    red, _, blue = upright(path).getpixel((30, 30))
    assert (red < 60, blue > 200) == (True, True)


def test_a_profile_is_known_by_what_it_does_and_not_by_its_name(save):
    # As some name the profile of sRGB's colours in linear light, which is much brighter.
    linear = bytearray(profile_of("sRGB"))
    at = linear.index(b"para")
    linear[at + 8 : at + 16] = b"\0\0\0\0" + (1 << 16).to_bytes(4, "big")  # curve 0, gamma 1.0
    path = save(Image.new("RGB", (64, 64), (55, 55, 55)), "a.png", icc_profile=bytes(linear))
    assert all(abs(value - 128) <= 2 for value in upright(path).getpixel((30, 30)))


@pytest.mark.parametrize("profile", [b"garbage" * 40, profile_of("LAB"), profile_of("sRGB")])
def test_a_profile_that_does_not_fit_is_left_out(profile: bytes, save):
    path = save(Image.new("RGB", (20, 20), (200, 100, 50)), "a.png", icc_profile=profile)
    assert upright(path).getpixel((5, 5)) == (200, 100, 50)


def test_an_rgb_profile_on_grey_is_left_out(save):
    path = save(Image.new("L", (20, 20), 90), "a.jpg", icc_profile=profile_of("sRGB"))
    assert upright(path).getpixel((5, 5)) == (90, 90, 90)


def test_a_truncated_heic_is_damaged(save):
    path = save(Image.effect_noise((300, 300), 60).convert("RGB"), "a.heic")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PhotoDamagedError, match=r"^is cut short \(it ends after [\d,]+ bytes\)"):
        decode(path)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.heic"])
def test_damaged_content_is_damaged(name: str, save):
    path = save(Image.effect_noise((300, 300), 60).convert("RGB"), name)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    try:
        decode(path)
    except PhotoDamagedError as error:
        assert str(error).startswith("cannot be decoded (")  # noqa: PT017 - some codecs conceal it


def test_a_bomb_is_refused_by_its_header(tmp_path: Path):
    header = struct.pack(">2I5B", 30000, 30000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    chunk = b"IHDR" + header
    ihdr = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + ihdr + end)
    with pytest.raises(PhotoDamagedError, match="is 30000 x 30000 pixels, over the 256 megapixels"):
        decode(path)


def test_what_is_plain_rgb_already_is_not_copied():
    image = Image.new("RGB", (20, 20), "red")
    assert to_srgb(image) is image


def test_a_long_strip_can_be_decoded(save):
    assert upright(save(Image.new("RGB", (1, 5000), "red"), "a.png")).size == (1, 5000)
