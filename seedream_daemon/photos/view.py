"""Small copies of pictures to look at, and sheets of many with a label on each.

One picture is held in memory at a time, so that a sheet of a hundred takes no more than one.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from seedream_daemon.durable import write_atomically
from seedream_daemon.photos.decode import Decoded, can_be_resampled, decode, to_srgb
from seedream_daemon.photos.encode import fitted, jpeg, scaled
from seedream_daemon.photos.sheet import font
from seedream_daemon.photos.steps import Tile

_QUALITIES = (85, 75, 65, 50)
_TILE_QUALITY = 90
_SMALLER = 0.85
_BACKGROUND, _EMPTY, _INK = "#f4f4f2", "#dcdcd8", "#222222"
_STRIP = 16
_GAP = 4


def write_view(picture: Path, to: Path, *, max_side: int, max_bytes: int) -> tuple[int, ...]:
    """Write a copy of at most so many pixels and bytes; give its size, then the picture's.

    Raises PhotoDamagedError, OSError.
    """
    small, whole = _small(picture, max_side)
    shown = _write_under(small, to, max_bytes)
    return *shown, whole.width, whole.height


def write_tiles(tiles: Sequence[Tile]) -> tuple[bool, ...]:
    """Write small copies, one after the other; tell of each whether there was one to make."""
    return tuple(_write_tile(tile) for tile in tiles)


def write_mosaic(
    tiles: Sequence[tuple[Path | None, str]],
    to: Path,
    *,
    columns: int,
    cell: tuple[int, int],
    max_bytes: int,
) -> tuple[int, int]:
    """Put tiles into one sheet, row by row, each with its label above; give its size."""
    width, height = cell
    step_x, step_y = width + _GAP, height + _GAP + _STRIP
    rows = max(1, -(-len(tiles) // columns))
    sheet = Image.new("RGB", (columns * step_x + _GAP, rows * step_y + _GAP), _BACKGROUND)
    pen, letters = ImageDraw.Draw(sheet), font(12)
    for number, (path, label) in enumerate(tiles):
        left, top = number % columns * step_x + _GAP, number // columns * step_y + _GAP
        pen.text((left + 2, top), label, fill=_INK, font=letters)
        top += _STRIP
        if path is None:
            pen.rectangle((left, top, left + width - 1, top + height - 1), fill=_EMPTY)
            continue
        with Image.open(path, formats=["JPEG"]) as tile:
            tile.thumbnail(cell)
            at = (left + (width - tile.width) // 2, top + (height - tile.height) // 2)
            sheet.paste(tile, at)
    return _write_under(sheet, to, max_bytes)


def _write_tile(tile: Tile) -> bool:
    try:
        small, _ = _small(tile.picture, tile.side)
    except FileNotFoundError:
        return False
    draft = tile.to.with_suffix(".part")
    draft.write_bytes(jpeg(small, _TILE_QUALITY))
    draft.rename(tile.to)
    return True


def _small(picture: Path, long_side: int) -> tuple[Image.Image, Decoded]:
    whole = decode(picture, enough=lambda w, h: 2 * long_side / max(w, h))
    image = whole.image
    if can_be_resampled(image):
        # Made small before its colours are changed, which takes as much memory again.
        image = fitted(image, long_side)
    return whole.upright(fitted(to_srgb(image), long_side)), whole


def _write_under(image: Image.Image, to: Path, max_bytes: int) -> tuple[int, int]:
    while True:
        for quality in _QUALITIES:
            data = jpeg(image, quality)
            if len(data) <= max_bytes:
                write_atomically(to, data)
                return image.width, image.height
        image = scaled(image, _SMALLER)
