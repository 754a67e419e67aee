"""The contact sheet of `crops FOLDER`: photo, face box and crop side by side."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from seedream_daemon.durable import write_atomically
from seedream_daemon.photos.decode import can_be_resampled, decode, to_srgb
from seedream_daemon.photos.encode import fitted, jpeg
from seedream_daemon.photos.steps import SheetRow

_PHOTO_AREA = (400, 300)
_CROP_SIDE = 300
_TITLE_HEIGHT = 26
_GAP = 10
ROW_SIZE = (
    3 * _GAP + _PHOTO_AREA[0] + _CROP_SIDE,
    _TITLE_HEIGHT + _PHOTO_AREA[1] + _GAP,
)
_BACKGROUND, _INK, _FACE, _SQUARE = "#f4f4f2", "#222222", "#00c853", "#ff6d00"
_ROWS_PER_COLUMN = 8
# Pillow's own font knows Latin letters only; file names may be in any script.
_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NanumGothic.ttf",
    "NotoSansKR-Regular.otf",
    "DejaVuSans.ttf",
)


def write_row(row: SheetRow) -> None:
    """Draw one photo's row and write it to `row.to`.

    Raises PhotoDamagedError if the photo cannot be decoded, OSError if a file cannot be read or
    the row not be written.
    """
    photo = decode(row.photo, enough=lambda w, h: 2 * max(_PHOTO_AREA) / max(w, h))
    # Made small before its colours are changed, which takes as much memory again.
    image = photo.image if can_be_resampled(photo.image) else to_srgb(photo.image)
    small = photo.upright(to_srgb(fitted(image, max(_PHOTO_AREA))))
    small.thumbnail(_PHOTO_AREA)
    _draw_boxes(small, small.width / photo.width, row)
    sheet = Image.new("RGB", ROW_SIZE, _BACKGROUND)
    _draw_title(sheet, row.title)
    sheet.paste(small, (_GAP, _TITLE_HEIGHT))
    with Image.open(row.crop, formats=["JPEG"]) as crop:
        side = (_CROP_SIDE, _CROP_SIDE)
        sheet.paste(
            crop.resize(side, Image.Resampling.LANCZOS), (2 * _GAP + _PHOTO_AREA[0], _TITLE_HEIGHT)
        )
    write_atomically(row.to, jpeg(sheet, 90))


def _draw_boxes(small: Image.Image, scale: float, row: SheetRow) -> None:
    pen = ImageDraw.Draw(small)
    if row.square is not None:
        x, y, side = row.square
        _frame(pen, (x * scale, y * scale, side * scale, side * scale), _SQUARE, small)
    if row.face is not None:
        x1, y1, width, height = (number * scale for number in row.face)
        _frame(pen, (x1, y1, width, height), _FACE, small)


def _frame(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    colour: str,
    image: Image.Image,
) -> None:
    x, y, width, height = box
    left, top = max(0, round(x)), max(0, round(y))
    right = max(left + 1, min(round(x + width), image.width) - 1)
    bottom = max(top + 1, min(round(y + height), image.height) - 1)
    pen.rectangle((left, top, right, bottom), outline=colour, width=3)


def _draw_title(sheet: Image.Image, title: str) -> None:
    pen, letters = ImageDraw.Draw(sheet), font(15)
    while title and pen.textlength(title, font=letters) > sheet.width - 2 * _GAP:
        title = title[:-2].rstrip("…") + "…" if len(title) > 2 else ""
    pen.text((_GAP, 4), title, fill=_INK, font=letters)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give a font that knows as many scripts as this machine has one for."""
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def join(rows: Sequence[Path], to: Path) -> None:
    """Put rows that `write_row` made into one JPEG, column by column."""
    columns = max(1, -(-len(rows) // _ROWS_PER_COLUMN))
    # A picture may be no higher than it is wide by much: a hundred rows are ten columns of ten.
    columns = min(columns, max(2, round((len(rows) * ROW_SIZE[1] / ROW_SIZE[0]) ** 0.5)))
    each = max(1, -(-len(rows) // columns))
    width, height = columns * ROW_SIZE[0], min(each, max(1, len(rows))) * ROW_SIZE[1]
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    for number, path in enumerate(rows):
        with Image.open(io.BytesIO(path.read_bytes()), formats=["JPEG"]) as row:
            at = (number // each * ROW_SIZE[0], number % each * ROW_SIZE[1])
            sheet.paste(row, at)
    write_atomically(to, jpeg(sheet, 90))
