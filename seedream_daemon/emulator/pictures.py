"""What the emulator draws: a poster that shows what was asked and what came with it.

The same request gives the same bytes. Flat shapes, since thousands are drawn in a test.
"""

import colorsys
import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from seedream_daemon.emulator.families import Size
from seedream_daemon.emulator.lettering import font_of, legible, wrap
from seedream_daemon.emulator.references import Reference

DISCLAIMER = "emulator - not a Seedream picture"
_INK = (33, 37, 41)
_PAPER = (250, 250, 247)
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """One picture to draw; `number` of `count` counts from 1."""

    model: str
    prompt: str
    size: Size
    references: tuple[Reference, ...]
    number: int
    count: int
    seed: int | None = None
    watermark: bool = False
    png: bool = False


def draw(poster: Poster) -> bytes:
    """Draw a picture and encode it as JPEG or PNG."""
    chance = _chance(poster)
    image = Image.new("RGB", poster.size, _colour(chance[0], 0.32, 0.93))
    pen = ImageDraw.Draw(image)
    _draw_scene(pen, poster.size, chance)
    unit = max(8, round((poster.size[0] * poster.size[1]) ** 0.5 / 40))
    unit = min(unit, poster.size[1] // 8)
    _draw_bands(pen, poster, unit, _colour(chance[0], 0.75, 0.38))
    bottom = _draw_prompt(pen, poster, unit)
    _draw_references(image, pen, poster, unit=unit, top=bottom + unit)
    stream = io.BytesIO()
    if poster.png:
        image.save(stream, "PNG", compress_level=1)
    else:
        image.save(stream, "JPEG", quality=82)
    return stream.getvalue()


def _chance(poster: Poster) -> bytes:
    asked = [poster.model, poster.prompt, poster.size, poster.seed, poster.number]
    photos = [reference.sha256 for reference in poster.references]
    return hashlib.sha256(repr((asked, photos)).encode()).digest()


def _colour(hue: int, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue / 256, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _draw_scene(pen: ImageDraw.ImageDraw, size: Size, chance: bytes) -> None:
    """Draw a sun and three hills, so that pictures differ at first sight."""
    width, height = size
    radius = min(size) * (10 + chance[1] % 8) // 100
    left, top = width * (12 + chance[2] % 70) // 100, height * (28 + chance[3] % 24) // 100
    sun = _colour(chance[4], 0.45, 1.0)
    pen.ellipse((left - radius, top - radius, left + radius, top + radius), fill=sun)
    for hill in range(3):
        middle = width * (chance[5 + hill] % 100) // 100
        spread = width * (45 + chance[8 + hill] % 40) // 100
        crest = height * (56 + hill * 13 + chance[11 + hill] % 10) // 100
        shade = _colour((chance[0] + 20 + hill * 14) % 256, 0.40, 0.80 - hill * 0.13)
        pen.ellipse((middle - spread, crest, middle + spread, crest + height), fill=shade)


def _draw_bands(pen: ImageDraw.ImageDraw, poster: Poster, unit: int, colour: Colour) -> None:
    """Write above that it is no picture of the model, below what was asked of which."""
    width, height = poster.size
    font = font_of(unit)
    pen.rectangle((0, 0, width, unit * 2), fill=colour)
    pen.text((unit, unit), DISCLAIMER, font=font, fill=_PAPER, anchor="lm")
    pen.rectangle((0, height - unit * 2, width, height), fill=colour)
    facts = f"{poster.model} | {width}x{height} | picture {poster.number} of {poster.count}"
    if poster.seed is not None:
        facts += f" | seed {poster.seed}"
    line = wrap(legible(facts), font, width_px=width - unit * 2, lines=1)[0]
    pen.text((unit, height - unit), line, font=font, fill=_PAPER, anchor="lm")
    if poster.watermark:
        place = (width - unit, height - unit * 3)
        pen.text(place, "AI generated", font=font, fill=_PAPER, anchor="rm")


def _draw_prompt(pen: ImageDraw.ImageDraw, poster: Poster, unit: int) -> int:
    """Write the prompt on a sheet of paper below the upper band; give the sheet's lower edge."""
    width, height = poster.size
    font = font_of(round(unit * 1.25))
    room = height * (0.3 if poster.references else 0.6) - unit * 2
    lines = wrap(
        legible(poster.prompt),
        font,
        width_px=width - unit * 4,
        lines=max(1, int(room / (unit * 1.7))),
    )
    top = unit * 3
    bottom = top + round(unit * (1.7 * len(lines) + 1))
    pen.rounded_rectangle((unit, top, width - unit, bottom), radius=unit // 2, fill=_PAPER)
    for number, line in enumerate(lines):
        middle = top + unit * (1.35 + 1.7 * number)
        pen.text((unit * 2, middle), line, font=font, fill=_INK, anchor="lm")
    return bottom


def _draw_references(
    image: Image.Image, pen: ImageDraw.ImageDraw, poster: Poster, *, unit: int, top: int
) -> None:
    """Paste the photos in the order in which they came, each with its number."""
    if not poster.references:
        return
    width, height = poster.size
    space = (width - unit * 2, height - unit * 3 - top)
    side, columns = _grid(len(poster.references), space, unit)
    if side < unit:
        return
    used = min(columns, len(poster.references)) * (side + unit) - unit
    left = (width - used) // 2
    for number, reference in enumerate(poster.references):
        row, column = divmod(number, columns)
        place = (left + column * (side + unit), top + row * (side + unit))
        _draw_reference(image, pen, reference, number=number + 1, place=place, side=side, unit=unit)


def _draw_reference(
    image: Image.Image,
    pen: ImageDraw.ImageDraw,
    reference: Reference,
    *,
    number: int,
    place: tuple[int, int],
    side: int,
    unit: int,
) -> None:
    frame = max(2, unit // 5)
    room = (side - frame * 2, side - frame * 2)
    thumbnail = ImageOps.contain(reference.thumbnail, room, Image.Resampling.BILINEAR)
    left = place[0] + (side - thumbnail.width) // 2
    top = place[1] + (side - thumbnail.height) // 2
    box = (
        left - frame,
        top - frame,
        left + thumbnail.width + frame - 1,
        top + thumbnail.height + frame - 1,
    )
    pen.rectangle(box, fill=_PAPER)
    image.paste(thumbnail, (left, top))
    badge = (left, top, left + unit * 2, top + round(unit * 1.6))
    pen.rectangle(badge, fill=_INK)
    middle = (left + unit, top + round(unit * 0.8))
    pen.text(middle, str(number), font=font_of(unit), fill=_PAPER, anchor="mm")


def _grid(count: int, space: Size, gap: int) -> tuple[int, int]:
    """Find the largest square cells in which `count` photos fit: (side, columns)."""
    best = (0, 1)
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        side = min(
            (space[0] - gap * (columns - 1)) // columns,
            (space[1] - gap * (rows - 1)) // rows,
        )
        best = max(best, (side, columns))
    return best
