"""The sample photos of the examples: small, clearly drawings, the same on every run.

`python -m seedream_daemon.samples FOLDER` draws them into a folder of examples.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

# Drawn larger and brought down, which smooths the edges.
_SCALE = 3
_INK = (52, 46, 48)
_WHITE = (250, 250, 248)


class _Sheet:
    """A drawing of 720 x 960 or 960 x 720 points."""

    def __init__(self, width: int, height: int, ground: Colour) -> None:
        self._size = (width, height)
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), ground)
        self._pen = ImageDraw.Draw(self._image)

    def oval(self, x: float, y: float, half_width: float, half_height: float, fill: Colour) -> None:
        box = self._box(x, y, half_width, half_height)
        self._pen.ellipse(box, fill=fill)

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: Colour, *, round_: int = 0
    ) -> None:
        corners = tuple(value * _SCALE for value in (left, top, right, bottom))
        self._pen.rounded_rectangle(corners, radius=round_ * _SCALE, fill=fill)

    def shape(self, fill: Colour, *points: tuple[float, float]) -> None:
        self._pen.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=fill)

    def line(self, colour: Colour, width: int, *points: tuple[float, float]) -> None:
        self._pen.line(
            [(x * _SCALE, y * _SCALE) for x, y in points],
            fill=colour,
            width=width * _SCALE,
            joint="curve",
        )

    def arc(
        self,
        x: float,
        y: float,
        half_width: float,
        half_height: float,
        *,
        degrees: tuple[int, int],
        colour: Colour,
        width: int,
    ) -> None:
        box = self._box(x, y, half_width, half_height)
        self._pen.arc(box, degrees[0], degrees[1], fill=colour, width=width * _SCALE)

    def cap(
        self,
        x: float,
        y: float,
        half_width: float,
        half_height: float,
        *,
        degrees: tuple[int, int],
        fill: Colour,
    ) -> None:
        """Draw the part of an oval that a straight cut leaves."""
        self._pen.chord(self._box(x, y, half_width, half_height), *degrees, fill=fill)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        small = self._image.resize(self._size, Image.Resampling.BOX)
        small.save(path, "JPEG", quality=85)

    def _box(
        self, x: float, y: float, half_width: float, half_height: float
    ) -> tuple[float, float, float, float]:
        return (
            (x - half_width) * _SCALE,
            (y - half_height) * _SCALE,
            (x + half_width) * _SCALE,
            (y + half_height) * _SCALE,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """What sets one person apart; `girth` 1 is an ordinary build."""

    girth: float
    skin: Colour
    hair: Colour
    has_long_hair: bool = False
    has_glasses: bool = False
    has_moustache: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pose:
    """What differs between two photos of the same person."""

    wall: Colour
    shirt: Colour
    shift: int = 0
    is_laughing: bool = False


def _darker(colour: Colour, by: int) -> Colour:
    red, green, blue = (max(0, value - by) for value in colour)
    return red, green, blue


def _draw_person(person: _Person, pose: _Pose) -> _Sheet:
    sheet = _Sheet(720, 960, pose.wall)
    middle = 360 + pose.shift
    half = 128 * person.girth
    if person.has_long_hair:
        sheet.oval(middle, 430, half + 58, 240, person.hair)
        sheet.box(middle - half - 58, 430, middle + half + 58, 690, person.hair, round_=60)
    _draw_body(sheet, person, pose, middle)
    for side in (-1, 1):
        sheet.oval(middle + side * half, 430, 24, 38, _darker(person.skin, 18))
    sheet.oval(middle, 420, half, 172, person.skin)
    sheet.oval(middle, 480, half * 0.96, 120, person.skin)
    _draw_hair(sheet, person, middle, half)
    _draw_face(sheet, person, pose, middle)
    return sheet


def _draw_body(sheet: _Sheet, person: _Person, pose: _Pose, middle: float) -> None:
    wide = 235 * person.girth
    sheet.box(middle - wide, 700, middle + wide, 1100, pose.shirt, round_=110)
    neck = 62 * person.girth
    sheet.box(middle - neck, 540, middle + neck, 730, _darker(person.skin, 18), round_=20)
    sheet.cap(middle, 700, neck * 1.25, 70, degrees=(0, 180), fill=_darker(person.skin, 18))
    for side in (-1, 1):
        sheet.shape(
            _darker(pose.shirt, 25),
            (middle + side * neck * 0.9, 690),
            (middle + side * neck * 2.0, 716),
            (middle + side * neck * 0.7, 810),
        )


def _draw_hair(sheet: _Sheet, person: _Person, middle: float, half: float) -> None:
    sheet.cap(middle, 400, half + 16, 178, degrees=(196, 344), fill=person.hair)
    if person.has_long_hair:
        sheet.cap(middle - half * 0.35, 330, half * 0.85, 96, degrees=(120, 330), fill=person.hair)
        for side in (-1, 1):
            edge = middle + side * (half + 14)
            sheet.box(edge - 26, 350, edge + 26, 640, person.hair, round_=26)
    else:
        for side in (-1, 1):
            edge = middle + side * (half - 4)
            sheet.box(edge - 14, 340, edge + 14, 420, person.hair, round_=12)


def _draw_face(sheet: _Sheet, person: _Person, pose: _Pose, middle: float) -> None:
    apart = 56 * (0.6 + 0.4 * person.girth)
    for side in (-1, 1):
        x = middle + side * apart
        sheet.oval(x, 420, 25, 17, _WHITE)
        sheet.oval(x + pose.shift / 12, 420, 13, 15, _INK)
        sheet.oval(x + 4, 415, 4, 4, _WHITE)
        sheet.line(_darker(person.hair, 10), 9, (x - 28, 386), (x, 376), (x + 28, 386))
        sheet.oval(x + side * 20, 490, 28, 18, _darker(person.skin, 14))
        if person.has_glasses:
            sheet.arc(x, 420, 44, 44, degrees=(0, 360), colour=_INK, width=6)
    if person.has_glasses:
        sheet.line(_INK, 6, (middle - apart + 42, 415), (middle + apart - 42, 415))
    sheet.line(_darker(person.skin, 55), 6, (middle, 440), (middle - 12, 480), (middle + 8, 484))
    if person.has_moustache:
        sheet.cap(middle, 522, 52, 24, degrees=(180, 360), fill=person.hair)
    if pose.is_laughing:
        sheet.cap(middle, 524, 46, 38, degrees=(0, 180), fill=(150, 52, 56))
        sheet.box(middle - 36, 524, middle + 36, 535, _WHITE)
    else:
        mouth = (150, 70, 70)
        sheet.arc(middle, 512, 44, 26, degrees=(20, 160), colour=mouth, width=8)


def _draw_mug() -> _Sheet:
    sheet = _draw_table((214, 226, 230), (168, 142, 116))
    sheet.arc(640, 400, 90, 90, degrees=(0, 360), colour=(178, 62, 48), width=34)
    sheet.box(340, 260, 640, 560, (204, 78, 60), round_=40)
    sheet.oval(490, 270, 150, 36, (226, 110, 92))
    sheet.oval(490, 276, 126, 26, (76, 46, 32))
    sheet.box(376, 340, 404, 500, (226, 110, 92), round_=14)
    return sheet


def _draw_lamp() -> _Sheet:
    sheet = _draw_table((60, 68, 92), (94, 78, 72))
    sheet.oval(480, 270, 300, 228, (84, 88, 112))
    sheet.box(466, 320, 494, 560, (196, 168, 96))
    sheet.oval(480, 566, 120, 26, (176, 148, 80))
    sheet.shape((250, 214, 128), (390, 130), (570, 130), (660, 350), (300, 350))
    sheet.oval(480, 350, 180, 22, (255, 236, 176))
    return sheet


def _draw_plant() -> _Sheet:
    sheet = _draw_table((236, 226, 208), (196, 172, 142))
    for turn in (-2, -1, 0, 1, 2):
        tip = (480 + turn * 120, 130 + abs(turn) * 60)
        bend = (480 + turn * 75, 300)
        leaf = (70 - abs(turn) * 6, 138 - abs(turn) * 8, 86)
        sheet.shape(leaf, (470, 430), (bend[0] - 34, bend[1]), tip, (bend[0] + 34, bend[1]))
        sheet.line(_darker(leaf, 30), 5, (480, 430), bend, tip)
    sheet.shape((188, 108, 74), (370, 410), (590, 410), (556, 580), (404, 580))
    sheet.box(356, 390, 604, 436, (206, 124, 88), round_=8)
    return sheet


def _draw_bag() -> _Sheet:
    sheet = _draw_table((222, 214, 226), (150, 134, 158))
    sheet.arc(480, 300, 110, 150, degrees=(180, 360), colour=(92, 60, 40), width=22)
    sheet.shape((148, 98, 62), (310, 290), (650, 290), (700, 580), (260, 580))
    sheet.shape((170, 116, 76), (310, 290), (650, 290), (600, 430), (360, 430))
    sheet.box(452, 406, 508, 462, (222, 188, 104), round_=10)
    for x in (372, 588):
        sheet.oval(x, 300, 12, 12, (222, 188, 104))
    return sheet


def _draw_table(wall: Colour, top: Colour) -> _Sheet:
    sheet = _Sheet(960, 720, wall)
    sheet.box(0, 500, 960, 720, top)
    sheet.box(0, 500, 960, 508, _darker(top, 24))
    sheet.oval(490, 580, 260, 30, _darker(top, 34))
    return sheet


def _draw_room() -> _Sheet:
    sheet = _Sheet(960, 720, (232, 222, 206))
    sheet.box(0, 520, 960, 720, (176, 138, 104))
    sheet.box(560, 90, 840, 330, _WHITE)
    sheet.box(576, 106, 824, 314, (156, 202, 230))
    sheet.oval(760, 160, 30, 30, (255, 224, 120))
    sheet.cap(700, 346, 124, 90, degrees=(201, 339), fill=(120, 168, 112))
    sheet.box(694, 106, 706, 314, _WHITE)
    sheet.box(90, 340, 430, 560, (96, 124, 138), round_=40)
    sheet.box(60, 430, 460, 590, (112, 142, 156), round_=36)
    for x in (100, 400):
        sheet.box(x, 586, x + 22, 630, _INK)
    sheet.oval(680, 560, 180, 34, (214, 176, 132))
    sheet.box(668, 570, 692, 680, (150, 112, 78))
    sheet.oval(680, 684, 90, 16, (150, 112, 78))
    return sheet


def _draw_background() -> _Sheet:
    sheet = _Sheet(720, 960, (150, 166, 184))
    for ring in range(0, 72, 2):
        tone = (150 + ring, 166 + ring, 184 + ring)
        sheet.oval(360, 420, 620 - ring * 7, 700 - ring * 7.5, tone)
    return sheet


_CHUBBY = _Person(girth=1.28, skin=(240, 200, 170), hair=(44, 38, 40))
_SLIM = _Person(girth=0.88, skin=(248, 216, 192), hair=(78, 50, 40), has_long_hair=True)
_OLDER = _Person(
    girth=1.0, skin=(228, 188, 156), hair=(178, 178, 182), has_glasses=True, has_moustache=True
)
_FRONT = _Pose(wall=(206, 222, 214), shirt=(70, 110, 160))
_LAUGHING = _Pose(wall=(236, 220, 200), shirt=(168, 84, 84), shift=26, is_laughing=True)

_DRAWINGS: Mapping[str, Callable[[], _Sheet]] = {
    "image-edit/photos/1-room.jpg": _draw_room,
    "image-edit/photos/2-mug.jpg": _draw_mug,
    "bulk-retouch/photos/bag.jpg": _draw_bag,
    "bulk-retouch/photos/lamp.jpg": _draw_lamp,
    "bulk-retouch/photos/mug.jpg": _draw_mug,
    "bulk-retouch/photos/plant.jpg": _draw_plant,
    "id-photo-grid/common/background.jpg": _draw_background,
    "id-photo-grid/groups/man_chubby/1.jpg": lambda: _draw_person(_CHUBBY, _FRONT),
    "id-photo-grid/groups/man_chubby/2.jpg": lambda: _draw_person(_CHUBBY, _LAUGHING),
    "id-photo-grid/groups/man_older/1.jpg": lambda: _draw_person(_OLDER, _FRONT),
    "id-photo-grid/groups/man_older/2.jpg": lambda: _draw_person(_OLDER, _LAUGHING),
    "id-photo-grid/groups/woman_slim/1.jpg": lambda: _draw_person(_SLIM, _FRONT),
    "id-photo-grid/groups/woman_slim/2.jpg": lambda: _draw_person(_SLIM, _LAUGHING),
}


def draw_all(inbox_template: Path) -> tuple[Path, ...]:
    """Draw every sample photo into a folder of examples, and say where each is."""
    for name, drawing in _DRAWINGS.items():
        drawing().save(inbox_template / name)
    return tuple(inbox_template / name for name in _DRAWINGS)


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]))
