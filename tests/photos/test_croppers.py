from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seedream_daemon.errors import ConfigError
from seedream_daemon.photos.crop import Box, Face, Square
from seedream_daemon.photos.croppers import BuiltIn, Custom, load_cropper

SMALL = Image.new("RGB", (640, 480), "gray")

GOOD = """
class FaceCropper:
    def detect_face_dnn(self, image):
        assert image.dtype == "uint8" and image.shape == (480, 640, 3)
        return {"box": [200, 100, 80, 100], "confidence": 0.9}
    def calculate_balanced_crop_v2(self, face_center_x, face_center_y, face_size, img_w, img_h, bbox):
        assert (face_center_x, face_center_y, face_size) == (1500, 937, 625), face_center_y
        assert (img_w, img_h, tuple(bbox)) == (4000, 3000, (1250, 625, 500, 625))
        return face_center_x - 500, face_center_y - 500, face_center_x + 500, face_center_y + 500
"""


def custom(tmp_path: Path, detect: str = "", crop: str = "") -> Custom:
    path = tmp_path / "cropper.py"
    detect = detect or "return {'box': [200, 100, 80, 100], 'confidence': 0.9}"
    path.write_text(
        "class FaceCropper:\n"
        f"    def detect_face_dnn(self, image):\n        {detect}\n"
        f"    def calculate_balanced_crop_v2(self, *face):\n        {crop or 'return 0, 0, 9, 9'}\n",
        encoding="utf-8",
    )
    cropper = load_cropper(path, None)
    assert isinstance(cropper, Custom)
    return cropper


def test_a_custom_cropper_is_given_the_figures_of_the_whole_photo(tmp_path: Path):
    path = tmp_path / "cropper.py"
    path.write_text(GOOD, encoding="utf-8")
    cut = load_cropper(path, None).cut(SMALL, 4000, 3000)
    assert (cut.why, cut.square, cut.how) == (None, Square(1000, 437, 1000), "face")
    assert cut.face == Box(1250, 625, 500, 625)


def test_a_custom_cropper_sees_blue_green_red(tmp_path: Path):
    detect = "assert image[0, 0].tolist() == [255, 0, 0]; return {'box': [1, 1, 9, 9]}"
    blue = Image.new("RGB", (64, 48), "blue")
    assert custom(tmp_path, detect).cut(blue, 64, 48).how == "face"


def test_what_a_custom_cropper_answers_is_clamped_and_made_square(tmp_path: Path):
    cut = custom(tmp_path, crop="return -500, -100, 1500.7, 900").cut(SMALL, 4000, 3000)
    assert cut.square == Square(0, 0, 2001)
    cut = custom(tmp_path, crop="return 0, 0, 99999, 10").cut(SMALL, 4000, 3000)
    assert cut.square == Square(1000, 0, 3000)


def test_a_box_that_reaches_out_of_the_photo_is_clamped(tmp_path: Path):
    detect = "return {'box': [-50, 400, 100, 500], 'confidence': 1.0}"
    assert custom(tmp_path, detect).cut(SMALL, 640, 480).face == Box(0, 400, 50, 80)


@pytest.mark.parametrize("found", ["None", "{}", "{'box': None}", "{'box': []}"])
def test_no_face_is_the_middle_and_a_reason(tmp_path: Path, found: str):
    cut = custom(tmp_path, f"return {found}").cut(SMALL, 4000, 3000)
    assert (cut.square, cut.how, cut.why) == (
        Square(500, 0, 3000),
        "center",
        "no face was found",
    )


@pytest.mark.parametrize(
    ("detect", "crop"),
    [
        ("raise ValueError('no weights')", ""),
        ("return {'box': [1, 2]}", ""),
        ("return {'box': ['a', 'b', 'c', 'd']}", ""),
        ("return {'box': [5000, 0, 10, 10]}", ""),
        ("return 7", ""),
        ("raise SystemExit(3)", ""),
        ("", "raise KeyError('x')"),
        ("", "return None"),
        ("", "return 9, 9, 3, 3"),
        ("", "return 0, 0, float('nan'), 5"),
    ],
)
def test_a_custom_cropper_that_fails_means_the_middle(tmp_path: Path, detect: str, crop: str):
    cut = custom(tmp_path, detect, crop).cut(SMALL, 4000, 3000)
    assert (cut.square, cut.how) == (Square(500, 0, 3000), "center")
    assert cut.why is not None
    assert cut.why.startswith("the cropper of CROPPER_PATH failed (")


BAD_FILES = {
    "class Other: pass": "has no class FaceCropper.",
    "FaceCropper = 3": "has no class FaceCropper.",
    "class FaceCropper:\n    def detect_face_dnn(self, image): pass": (
        "lacks calculate_balanced_crop_v2."
    ),
    "class FaceCropper: pass": "lacks detect_face_dnn and calculate_balanced_crop_v2.",
    "import no_such_library": "cannot be loaded: ModuleNotFoundError: No module named",
    "def (": "cannot be loaded: SyntaxError",
    "raise SystemExit('no licence')": "cannot be loaded: SystemExit: no licence.",
    "class FaceCropper:\n    def __init__(self): raise OSError('no weights')": (
        "cannot be loaded: OSError: no weights."
    ),
}


@pytest.mark.parametrize("content", BAD_FILES)
def test_a_file_that_is_no_cropper_is_a_clear_error(tmp_path: Path, content: str):
    path = tmp_path / "cropper.py"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_cropper(path, None)
    assert BAD_FILES[content] in error.value.message
    assert "CROPPER_PATH" in error.value.message
    assert str(path) in error.value.message


def test_a_missing_file_is_a_clear_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"^CROPPER_PATH names .*none\.py, and no file is there"):
        load_cropper(tmp_path / "none.py", None)
    with pytest.raises(ConfigError, match=r"^FACE_MODEL_PATH names .*none, and no file is there"):
        load_cropper(None, tmp_path / "none")


def test_a_cropper_that_everybody_can_write_is_refused(tmp_path: Path):
    path = tmp_path / "cropper.py"
    path.write_text(GOOD, encoding="utf-8")
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="Everybody can write"):
        load_cropper(path, None)


def test_a_model_that_is_none_is_a_clear_error(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x" * 100)
    with pytest.raises(ConfigError, match="which is not a YuNet model"):
        load_cropper(None, path)


class Detector:
    """Finds what it is told to."""

    def __init__(self, *faces: Face) -> None:
        self._faces = faces

    def detect(self, pixels: np.ndarray) -> tuple[Face, ...]:
        if not self._faces:
            raise RuntimeError("(-215:Assertion failed)\nin function forward")
        return tuple(face for face in self._faces if face.confidence)


def test_the_built_in_crop_scales_the_box_to_the_photo():
    cut = BuiltIn(Detector(Face(Box(300, 200, 40, 50), 0.9))).cut(SMALL, 6400, 4800)
    assert cut.face == Box(3000, 2000, 400, 500)
    assert (cut.square, cut.how, cut.why) == (Square(2575, 1625, 1250), "face", None)


def test_a_face_at_the_border_is_corrected():
    cut = BuiltIn(Detector(Face(Box(-3, 200, 40, 50), 0.9))).cut(SMALL, 640, 480)
    assert (cut.square, cut.how) == (Square(0, 0, 480), "corrected")


def test_a_detector_that_fails_means_the_middle():
    cut = BuiltIn(Detector()).cut(SMALL, 640, 480)
    assert (cut.square, cut.how) == (Square(80, 0, 480), "center")
    assert cut.why == "the face detector failed ((-215:Assertion failed))"
    nobody = BuiltIn(Detector(Face(Box(0, 0, 1, 1), 0)))
    assert nobody.cut(SMALL, 640, 480).why == "no face was found"
