"""Pure geometry: face boxes and the size of a photo -> the square that is cut from it.

Everything is in pixels of the upright photo, x to the right and y down, from its upper left corner.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

# How many times the face box the square is: hair and head room above, neck and shoulders below.
_SQUARE_TO_FACE = 2.5
# A face smaller than this part of the photo's short side would fill the square with few pixels.
_TINY_FACE = 1 / 16
# A box that comes so near to the border, measured in face sizes, belongs to a face that is cut.
_CUT_MARGIN = 0.01

# EXIF 2.32, tag 0x0112: what was done to an upright picture before it was stored. Mirrored left to
# right, then top to bottom, then width and height swapped.
_STORED = {
    1: (False, False, False),
    2: (True, False, False),
    3: (True, True, False),
    4: (False, True, False),
    5: (False, False, True),
    6: (True, False, True),
    7: (True, True, True),
    8: (False, True, True),
}

Found = Literal["face", "corrected", "center"]


class Box(NamedTuple):
    """A face as a detector frames it; it may reach out of the photo."""

    x: float
    y: float
    width: float
    height: float


class Face(NamedTuple):
    """A face box and how sure the detector is of it, from 0 to 1."""

    box: Box
    confidence: float


class Square(NamedTuple):
    """A square that lies inside its photo: upper left corner and side."""

    x: int
    y: int
    side: int


def main_face(faces: Iterable[Face], width: float, height: float) -> Face | None:
    """Choose whom the photo is of: the largest and most central face, None if there is none."""

    def weight(face: Face) -> float:
        x, y, w, h = face.box
        away = math.hypot((x + w / 2) / width - 0.5, (y + h / 2) / height - 0.5)
        return w * h * (1 - away) * face.confidence  # away is 0.71 in a corner

    return max(faces, key=weight, default=None)


def square_around(box: Box, width: int, height: int) -> tuple[Square, Found]:
    """Give the square for a face, and whether it is framed as a face should be or corrected.

    Corrected is a face that is tiny or cut by the border: there the margins cannot be balanced.
    """
    x, y, w, h = box
    x1, y1, x2, _ = calculate_balanced_crop_v2(x + w / 2, y + h / 2, max(w, h), width, height, box)
    found: Found = "corrected" if _needs_correction(box, width, height) else "face"
    return Square(x1, y1, x2 - x1), found


def calculate_balanced_crop_v2(  # noqa: PLR0917 - custom croppers have the same interface
    face_center_x: float,
    face_center_y: float,
    face_size: float,
    img_w: int,
    img_h: int,
    bbox: Sequence[float],
) -> tuple[int, int, int, int]:
    """Give the square (x1, y1, x2, y2) in which a face has balanced margins.

    `face_size` is the longer side of `bbox`, which is (x, y, width, height). The face stands in
    the middle; at an edge of the photo the square is shifted rather than made smaller, and it is
    smaller than wanted only if the photo is. A face that is tiny or cut by the border gets the
    largest square from the middle, shifted no more than it takes to hold the whole head.
    """
    short = min(img_w, img_h)
    box = Box(*bbox)
    if _needs_correction(box, img_w, img_h):
        margin = max(box.width, box.height) * (_SQUARE_TO_FACE - 1) / 2
        x = _hold(short, box.x, box.width, margin, img_w)
        y = _hold(short, box.y, box.height, margin, img_h)
        return x, y, x + short, y + short
    side = max(1, min(short, round(face_size * _SQUARE_TO_FACE)))
    x = _shift_inside(face_center_x - side / 2, side, img_w)
    y = _shift_inside(face_center_y - side / 2, side, img_h)
    return x, y, x + side, y + side


def centered_square(width: int, height: int) -> Square:
    """Give the largest square from the middle of a photo."""
    short = min(width, height)
    return Square((width - short) // 2, (height - short) // 2, short)


def square_inside(corners: Sequence[float], width: int, height: int) -> Square:
    """Make a square that lies in the photo of any corners (x1, y1, x2, y2).

    The longer side counts and the middle stays, as far as the photo allows. Raises ValueError if
    these are not four finite numbers that span something.
    """
    x1, y1, x2, y2 = (float(corner) for corner in corners)
    side = max(x2 - x1, y2 - y1)
    if not all(map(math.isfinite, (x1, y1, x2, y2))) or x2 <= x1 or y2 <= y1:
        raise ValueError(f"{tuple(corners)} spans no area")
    side = max(1, min(round(side), width, height))
    x = _shift_inside((x1 + x2 - side) / 2, side, width)
    y = _shift_inside((y1 + y2 - side) / 2, side, height)
    return Square(x, y, side)


def box_inside(box: Sequence[float], width: int, height: int) -> Box:
    """Give the part of a box that lies in the photo.

    Raises ValueError if these are not four finite numbers or nothing of the box is inside.
    """
    x, y, w, h = (float(number) for number in box)
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(x + w, float(width)), min(y + h, float(height))
    if not all(map(math.isfinite, (x, y, w, h))) or right <= left or bottom <= top:
        raise ValueError(f"{tuple(box)} lies outside a photo of {width} x {height}")
    return Box(left, top, right - left, bottom - top)


def as_stored(square: Square, orientation: int, width: int, height: int) -> Square:
    """Give a square of an upright photo of this size where it lies in the file's own pixels."""
    x, y, side = square
    mirrored, upside_down, swapped = _STORED[orientation]
    if mirrored:
        x = width - x - side
    if upside_down:
        y = height - y - side
    return Square(y, x, side) if swapped else Square(x, y, side)


def _needs_correction(box: Box, width: int, height: int) -> bool:
    size = max(box.width, box.height)
    near = size * _CUT_MARGIN
    is_cut = (
        box.x < near
        or box.y < near
        or box.x + box.width > width - near
        or box.y + box.height > height - near
    )
    return is_cut or size < min(width, height) * _TINY_FACE


def _hold(side: int, face_start: float, face_length: float, margin: float, limit: int) -> int:
    """Move a stretch of `side` from the middle just so far that it holds the face and margins."""
    margin = max(0.0, min(margin, (side - face_length) / 2))
    first = math.floor(face_start - margin)
    last = math.ceil(face_start + face_length + margin) - side
    return _shift_inside(min(max((limit - side) / 2, last), first), side, limit)


def _shift_inside(start: float, side: int, limit: int) -> int:
    return max(0, min(math.floor(start + 0.5), limit - side))
