"""The face crop: the one that is built in, or the file that CROPPER_PATH names.

Such a file is the operator's code and runs with the daemon's rights, in the photo workers only.
"""

import importlib.util
import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

from seedream_daemon.errors import ConfigError
from seedream_daemon.photos import crop, faces
from seedream_daemon.photos.crop import Box, Square

DETECT_LONG_SIDE = 640
_METHODS = ("detect_face_dnn", "calculate_balanced_crop_v2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The square to cut from a photo, in pixels of the upright photo.

    `how` tells what it is based on: a face, a face that is tiny or at the border, or only the
    middle of the photo; then `why` says what went wrong, for people.
    """

    square: Square
    how: Literal["face", "corrected", "center"]
    face: Box | None = None
    why: str | None = None


class Cropper(Protocol):
    """Looks at a small RGB copy of an upright photo of `width` x `height` pixels."""

    def cut(self, small: Image.Image, width: int, height: int) -> Cut:
        """Choose the square; it lies inside the photo, whatever happens."""
        ...


class BuiltIn:
    """Our own crop around the main face."""

    def __init__(self, detector: faces.Detector) -> None:
        self._detector = detector

    def cut(self, small: Image.Image, width: int, height: int) -> Cut:
        """Frame the largest and most central face, or take the middle."""
        try:
            found = self._detector.detect(np.asarray(small))
        except Exception as error:  # noqa: BLE001 - OpenCV raises what it likes; the photo is fine
            return _middle(width, height, f"the face detector failed ({_first_line(error)})")
        face = crop.main_face(found, small.width, small.height)
        if face is None:
            return _middle(width, height, "no face was found")
        box = _scaled(face.box, small, width)
        square, how = crop.square_around(box, width, height)
        return Cut(square=square, how=how, face=box)


class Custom:
    """A class `FaceCropper` from the operator's file; what it answers is checked and clamped."""

    def __init__(self, face_cropper: Any) -> None:
        self._detect: Callable[..., Any] = face_cropper.detect_face_dnn
        self._crop: Callable[..., Any] = face_cropper.calculate_balanced_crop_v2

    def cut(self, small: Image.Image, width: int, height: int) -> Cut:
        """Ask the file for the face and the square; if it raises, take the middle."""
        try:
            return self._ask(small, width, height)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code ends as it likes
            why = f"the cropper of CROPPER_PATH failed ({_first_line(error)})"
            return _middle(width, height, why)

    def _ask(self, small: Image.Image, width: int, height: int) -> Cut:
        found = self._detect(faces.as_bgr(np.asarray(small)))
        box = found.get("box") if found else None
        if box is None or len(box) == 0:
            return _middle(width, height, "no face was found")
        inside = crop.box_inside(box, small.width, small.height)
        face = _scaled(inside, small, width)
        x, y, w, h = (round(number) for number in face)
        corners = self._crop(x + w // 2, y + h // 2, max(w, h), width, height, (x, y, w, h))
        return Cut(square=crop.square_inside(corners, width, height), how="face", face=face)


def load_cropper(cropper_path: Path | None, face_model_path: Path | None) -> Cropper:
    """Make the cropper that the settings ask for; the custom file wins over the model.

    Raises ConfigError if a named file is missing, unsafe or not what it should be.
    """
    if cropper_path is not None:
        return Custom(_load_custom(cropper_path))
    if face_model_path is None:
        return BuiltIn(faces.Mtcnn())
    if not face_model_path.is_file():
        raise ConfigError(f"FACE_MODEL_PATH names {face_model_path}, and no file is there.")
    try:
        return BuiltIn(faces.YuNet(face_model_path))
    except ValueError as error:
        raise ConfigError(
            f"FACE_MODEL_PATH names {face_model_path}, which is not a YuNet model: {error}."
        ) from error


def _load_custom(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError(f"CROPPER_PATH names {path}, and no file is there.")
    if path.stat().st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"Everybody can write to {path}, so CROPPER_PATH may not name it: chmod o-w."
        )
    face_cropper = _made(path)
    missing = [name for name in _METHODS if not callable(getattr(face_cropper, name, None))]
    if missing:
        raise ConfigError(
            f"The class FaceCropper in {path} (CROPPER_PATH) lacks {' and '.join(missing)}."
        )
    return face_cropper


def _made(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("seedream_custom_cropper", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"CROPPER_PATH names {path}, which is no Python file (*.py).")
    module = importlib.util.module_from_spec(spec)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            spec.loader.exec_module(module)
        maker = getattr(module, "FaceCropper", None)
        face_cropper = maker() if callable(maker) else None
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{path} (CROPPER_PATH) cannot be loaded: {type(error).__name__}: {_first_line(error)}."
        ) from error
    if face_cropper is None:
        raise ConfigError(f"{path} (CROPPER_PATH) has no class FaceCropper.")
    return face_cropper


def _middle(width: int, height: int, why: str) -> Cut:
    return Cut(square=crop.centered_square(width, height), how="center", why=why)


def _scaled(box: Box, small: Image.Image, width: int) -> Box:
    factor = width / small.width
    return Box(*(number * factor for number in box))


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].rstrip(".")
