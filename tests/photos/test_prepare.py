import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seedream_daemon.photos.crop import Square
from seedream_daemon.photos.croppers import Cropper, Cut, load_cropper
from seedream_daemon.photos.decode import PhotoDamagedError
from seedream_daemon.photos.prepare import prepare
from seedream_daemon.photos.steps import Prepared, PrepareRequest


@pytest.fixture(scope="module")
def cropper() -> Cropper:
    return load_cropper(None, None)


def no_cropper() -> Cropper:
    raise AssertionError("nothing is cropped here")


class Fixed:
    """Cuts the same square from every photo."""

    def __init__(self, square: Square) -> None:
        self._square = square

    def cut(self, small: Image.Image, width: int, height: int) -> Cut:
        return Cut(square=self._square, how="face")


def crop(path: Path, cropper: Cropper) -> tuple[Prepared, Image.Image]:
    request = PrepareRequest(photo=path, to=path.with_name("prepared"), step="crop")
    prepared = prepare(request, lambda: cropper)
    with Image.open(prepared.file, formats=["JPEG"]) as image:
        image.load()
    return prepared, image


def far_apart(one: Image.Image, other: Image.Image) -> float:
    ours, theirs = (np.asarray(each, np.int16) for each in (one, other))
    return float(np.abs(ours - theirs).mean())


def test_the_facts_are_those_of_the_file_written(person, save, cropper):
    prepared, image = crop(save(person, "01.jpg", quality=95), cropper)
    content = prepared.file.read_bytes()
    assert image.size == (prepared.width, prepared.height) == (1024, 1024)
    assert (prepared.bytes, prepared.format, prepared.mime) == (len(content), "jpeg", "image/jpeg")
    assert prepared.sha256 == hashlib.sha256(content).hexdigest()
    assert (prepared.crop, prepared.warning, prepared.photo_size) == ("face", None, (512, 512))
    assert prepared.square is not None
    assert prepared.square[2] == pytest.approx(282, abs=15)


def test_the_facts_survive_json(person, save, cropper):
    prepared, _ = crop(save(person, "01.jpg"), cropper)
    assert Prepared.from_json(prepared.to_json()) == prepared
    request = PrepareRequest(photo=Path("/a/\udcff.jpg"), to=Path("/b"), step="shrink", max_bytes=9)
    assert PrepareRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turning_the_photo_by_exif_changes_nothing(orientation: int, person, save, lay, cropper):
    scene = person.crop((40, 0, 500, 400))
    straight, expected = crop(save(scene, "s.png"), cropper)
    path = save(lay(scene, orientation), "a.png", turned=orientation)
    turned, image = crop(path, cropper)
    assert (turned.photo_size, turned.square) == (straight.photo_size, straight.square)
    assert far_apart(image, expected) < 1


@pytest.mark.parametrize(
    "orientation",
    [6, *(pytest.param(one, marks=pytest.mark.slow) for one in (2, 3, 4, 5, 7, 8))],
)
@pytest.mark.parametrize("name", ["a.jpg", "a.heic"])
def test_a_turned_photo_is_cut_where_the_upright_one_is(orientation, name, person, save, lay):
    same = Fixed(Square(60, 10, 300))
    _, expected = crop(save(person, "s.png"), same)
    _, image = crop(save(lay(person, orientation), name, turned=orientation), same)
    assert far_apart(image, expected) < 8


def test_no_face_is_the_middle_and_a_warning_with_the_name(nobody, save, cropper):
    prepared, _ = crop(save(nobody, "여권 3.png"), cropper)
    assert (prepared.crop, prepared.square) == ("center", (50, 0, 300))
    assert prepared.warning == "여권 3.png: no face was found, so the middle of the photo is used."


@pytest.mark.parametrize("square", [Square(0, 0, 3600), Square(900, 700, 1400), Square(1, 2, 300)])
def test_a_reduced_copy_cuts_the_same_as_the_whole(square: Square, person, save):
    large = person.resize((3600, 3600), Image.Resampling.BICUBIC)
    _, image = crop(save(large, "a.jpg", quality=95), Fixed(square))
    x, y, side = square
    expected = large.resize((1024, 1024), Image.Resampling.LANCZOS, box=(x, y, x + side, y + side))
    assert far_apart(image, expected) < 3


@pytest.mark.parametrize("mode", ["P", "1", "L", "LA", "RGBA", "I;16"])
def test_every_kind_of_pixels_can_be_cropped(mode: str, person, save, cropper):
    image = (
        Image.fromarray(np.asarray(person.convert("L")).astype(np.uint16) * 257)
        if mode == "I;16"
        else person.convert(mode)
    )
    prepared, cropped = crop(save(image, "a.png"), cropper)
    assert (cropped.mode, cropped.size) == ("RGB", (1024, 1024))
    if mode != "1":  # a face in black and white dots is none
        assert prepared.crop == "face"


def test_a_cmyk_photo_can_be_cropped(person, save, cropper):
    prepared, cropped = crop(save(person.convert("CMYK"), "a.jpg"), cropper)
    assert (prepared.crop, cropped.mode) == ("face", "RGB")


def test_a_face_at_the_border_is_corrected(person, save, cropper):
    prepared, _ = crop(save(person.crop((215, 0, 512, 280)), "a.jpg", quality=95), cropper)
    assert (prepared.crop, prepared.square) == ("corrected", (0, 0, 280))


def test_a_strip_can_be_cropped(save, cropper):
    prepared, _ = crop(save(Image.new("RGB", (20, 5000), "red"), "a.png"), cropper)
    assert (prepared.crop, prepared.square) == ("center", (0, 2490, 20))


def test_a_turned_heic_becomes_an_upright_jpeg(person, save, lay, shown, tmp_path: Path):
    scene = person.crop((0, 0, 512, 300))
    path = save(lay(scene, 6), "a.heic", turned=6)
    request = PrepareRequest(photo=path, to=tmp_path / "p.jpg", step="convert")
    prepared = prepare(request, no_cropper)
    assert (prepared.width, prepared.height, prepared.crop) == (512, 300, None)
    image = shown(prepared.file)
    assert "exif" not in image.info
    assert far_apart(image, scene) < 6


@pytest.mark.slow
def test_converting_brings_a_photo_under_the_limits(person, save, tmp_path: Path):
    path = save(person.resize((2000, 1000)), "a.heic")
    prepared = prepare(
        PrepareRequest(
            photo=path, to=tmp_path / "p", step="convert", max_bytes=60_000, max_pixels=500_000
        ),
        no_cropper,
    )
    assert prepared.bytes <= 60_000
    assert prepared.width * prepared.height <= 500_000
    assert prepared.photo_size == (2000, 1000)


@pytest.mark.parametrize("name", ["a.jpg", pytest.param("a.png", marks=pytest.mark.slow)])
def test_shrinking_gives_a_long_side_of_2048(name: str, person, save, tmp_path: Path):
    path = save(person.resize((3000, 4500)), name, turned=6)
    request = PrepareRequest(photo=path, to=tmp_path / "p.jpg", step="shrink")
    prepared = prepare(request, no_cropper)
    assert (prepared.width, prepared.height) == (2048, 1365)
    assert prepared.photo_size == (4500, 3000)


def test_a_palette_can_be_shrunk_and_converted(person, save, shown, tmp_path: Path):
    path = save(person.convert("P"), "a.png")
    for step in ("shrink", "convert", "thumbnail"):
        prepared = prepare(
            PrepareRequest(photo=path, to=tmp_path / step, step=step, max_pixels=100_000),
            no_cropper,
        )
        assert shown(prepared.file).mode == "RGB"


def test_a_thumbnail_has_a_long_side_of_512(person, save, tmp_path: Path):
    path = save(person.resize((1600, 1200)), "a.jpg", turned=6)
    prepared = prepare(
        PrepareRequest(photo=path, to=tmp_path / "t.jpg", step="thumbnail"), no_cropper
    )
    assert (prepared.width, prepared.height) == (384, 512)


def test_a_crop_leaves_a_thumbnail_of_the_whole_photo(person, save, shown, cropper, tmp_path: Path):
    upright = person.resize((1600, 1200))
    path = save(upright.transpose(Image.Transpose.ROTATE_90), "a.jpg", turned=6)
    thumbnail = tmp_path / "t.jpg"
    prepare(
        PrepareRequest(photo=path, to=tmp_path / "p", step="crop", thumbnail=thumbnail),
        lambda: cropper,
    )
    image = shown(thumbnail)
    assert image.size == (512, 384)
    assert far_apart(image, upright.resize((512, 384))) < 6


def test_a_photo_that_is_none_leaves_nothing_behind(tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.write_text("I am a text file, you see", encoding="utf-8")
    with pytest.raises(PhotoDamagedError, match="is a text file, not a photo"):
        prepare(PrepareRequest(photo=path, to=tmp_path / "p", step="convert"), no_cropper)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.jpg"]
