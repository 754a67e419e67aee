"""A tier and a ratio -> a width and height that the model accepts.

The table is that of ModelArk/1541523; other ratios are searched within the model's limits.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from seedream_daemon.job.models import FAMILIES, Family
from seedream_daemon.job.plan import Kind

PRESET_SIDE = {"1K": 1024, "1.5K": 1536, "2K": 2048, "3K": 3072, "4K": 4096}
ASPECTS = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "21:9")
LABELS = {"7:9": "주민등록증/여권사진", "5:6": "증명사진", "5:7": "명함판", "3:4": "반명함"}
MAX_RATIO = 16
MAX_PART = 10_000
_STEP = 8
_TOLERANCE_PERCENT = 1

# Widths and heights of ASPECTS, in that order, by the families that share a column.
_SEEDREAM = {
    "1K": "1024x1024 1152x864 864x1152 1280x720 720x1280 1248x832 832x1248 1512x648",
    "2K": "2048x2048 2304x1728 1728x2304 2848x1600 1600x2848 2496x1664 1664x2496 3136x1344",
    "3K": "3072x3072 3456x2592 2592x3456 4096x2304 2304x4096 3744x2496 2496x3744 4704x2016",
    "4K": "4096x4096 4704x3520 3520x4704 5504x3040 3040x5504 4992x3328 3328x4992 6240x2656",
}
_SEEDREAM_5 = {
    "1K": "1024x1024 1152x864 864x1152 1424x800 800x1424 1248x832 832x1248 1568x672",
    "1.5K": "1536x1536 1792x1344 1344x1792 2048x1152 1152x2048 1872x1248 1248x1872 2352x1008",
    "2K": "2048x2048 2368x1776 1776x2368 2816x1584 1584x2816 2496x1664 1664x2496 3136x1344",
}
_SEEDREAM_3 = {"1K": _SEEDREAM["1K"]}
_COLUMNS = {
    "4.0": _SEEDREAM,
    "4.5": _SEEDREAM,
    "5.0-lite": _SEEDREAM,
    "5.0-pro": _SEEDREAM_5,
    "5.0-flash": _SEEDREAM_5,
    "3.0-t2i": _SEEDREAM_3,
    "seededit-3.0": {},
}


class SizeError(ValueError):
    """A size that cannot be had; `key` is the entry of job.toml, `allowed` what would do."""

    def __init__(self, message: str, *, key: str, allowed: str) -> None:
        super().__init__(message)
        self.key = key
        self.allowed = allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What is sent as `size`, and the width and height where they are known before the answer.

    `pixels` is the area to reckon prices with.
    """

    sent: str
    width: int | None = None
    height: int | None = None
    pixels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRow:
    """A line of the table that people choose from."""

    model: str
    aspect: str
    preset: str
    width: int
    height: int
    label: str | None


def resolve_size(
    family: Family,
    kind: Kind,
    *,
    size: str | None = None,
    aspect: str | None = None,
    preset: str | None = None,
) -> Size:
    """Give the size that a job asks for. Raises SizeError."""
    if family.adaptive:
        return _adaptive(family, size=size, aspect=aspect, preset=preset)
    if size is not None:
        if aspect is not None or preset is not None:
            raise SizeError(
                "size stands alone: take away aspect and preset, or size",
                key="size",
                allowed="size, or aspect and preset",
            )
        return _exact(*_checked(family, *parse_size(size)))
    ratio = parse_aspect(aspect or "1:1")
    tier = _preset(family, preset or "2K")
    if aspect is None and kind in {"i2i", "bulk"} and tier in family.tiers:
        return Size(sent=tier, pixels=PRESET_SIDE[tier] ** 2)
    return _exact(*_of_aspect(family, ratio, tier))


def parse_size(text: str) -> tuple[int, int]:
    """Read "1296x1728"; other crosses will do as well. Raises SizeError."""
    match = re.fullmatch(r"\s*([1-9][0-9]{0,5})\s*[xX\u00d7]\s*([1-9][0-9]{0,5})\s*", text)
    if match is None:
        hint = f'; write preset = "{text.strip().upper()}"' if _is_preset(text) else ""
        raise SizeError(
            f'size must be width x height in pixels, such as "1296x1728", not "{text}"{hint}',
            key="size",
            allowed='width x height, such as "1296x1728"',
        )
    return int(match.group(1)), int(match.group(2))


def parse_aspect(text: str) -> tuple[int, int]:
    """Read "3:4". Raises SizeError unless it is two integers 1..10000 within 1/16..16."""
    allowed = 'width:height, such as "3:4", from 1:16 to 16:1'
    match = re.fullmatch(r"\s*([0-9]{1,5})\s*:\s*([0-9]{1,5})\s*", text)
    if match is None:
        hint = '; A4 is "210:297"' if text.strip().upper() == "A4" else ""
        raise SizeError(
            f'aspect must be width:height, such as "3:4", not "{text}"{hint}',
            key="aspect",
            allowed=allowed,
        )
    width, height = int(match.group(1)), int(match.group(2))
    if not (1 <= width <= MAX_PART and 1 <= height <= MAX_PART):
        raise SizeError(
            f'aspect takes integers from 1 to {MAX_PART}, not "{text}"',
            key="aspect",
            allowed=allowed,
        )
    if not _ratio_fits(width, height):
        raise SizeError(
            f'aspect must lie between 1:{MAX_RATIO} and {MAX_RATIO}:1, not "{text}"',
            key="aspect",
            allowed=allowed,
        )
    return width, height


def size_rows() -> tuple[SizeRow, ...]:
    """Give the table of the `sizes` command: every family, ratio and preset that works."""
    return tuple(row for family in FAMILIES for row in _rows_of(family))


def _rows_of(family: Family) -> Iterator[SizeRow]:
    for aspect in dict.fromkeys((*ASPECTS, *LABELS)):
        for preset in family.presets:
            found = _find(family, parse_aspect(aspect), preset)
            if found is not None:
                yield SizeRow(
                    model=family.ids[0],
                    aspect=aspect,
                    preset=preset,
                    width=found[0],
                    height=found[1],
                    label=LABELS.get(aspect),
                )


def _adaptive(family: Family, **asked: str | None) -> Size:
    for key, value in asked.items():
        if value is not None:
            raise SizeError(
                f"{key} cannot be chosen: {family.title} gives each picture its photo's shape",
                key=key,
                allowed="nothing: take the entry away",
            )
    return Size(sent="adaptive")


def _exact(width: int, height: int) -> Size:
    return Size(sent=f"{width}x{height}", width=width, height=height, pixels=width * height)


def _is_preset(text: str) -> bool:
    return text.strip().upper() in PRESET_SIDE


def _preset(family: Family, text: str) -> str:
    preset = text.strip().upper()
    if preset not in family.presets:
        choices = ", ".join(family.presets)
        raise SizeError(
            f'preset "{text}" is not one of {family.title}: it takes {choices}',
            key="preset",
            allowed=choices,
        )
    return preset


def _checked(family: Family, width: int, height: int) -> tuple[int, int]:
    if not _ratio_fits(width, height):
        trouble = f"is longer than {MAX_RATIO}:1"
    elif not family.min_pixels <= width * height <= family.max_pixels:
        trouble = (
            f"has {width * height:,} pixels, and {family.title} takes "
            f"{family.min_pixels:,} to {family.max_pixels:,}"
        )
    else:
        return width, height
    near = min(_rows_of(family), key=lambda row: _distance(row, width, height))
    allowed = f'aspect = "{near.aspect}" with preset = "{near.preset}"'
    raise SizeError(
        f"size {width}x{height} {trouble}; the nearest that works is {allowed} "
        f"({near.width}x{near.height})",
        key="size",
        allowed=allowed,
    )


def _distance(row: SizeRow, width: int, height: int) -> float:
    # The shape matters more than the area: nobody who asks for a portrait wants a square.
    shape = math.log(row.width / row.height) - math.log(width / height)
    area = math.log(row.width * row.height) - math.log(width * height)
    return 4 * abs(shape) + abs(area)


def _of_aspect(family: Family, aspect: tuple[int, int], preset: str) -> tuple[int, int]:
    found = _find(family, aspect, preset)
    if found is not None:
        return found
    ratio = f"{aspect[0]}:{aspect[1]}"
    by_nearness = sorted(
        family.presets, key=lambda other: abs(PRESET_SIDE[other] - PRESET_SIDE[preset])
    )
    near = next((other for other in by_nearness if _find(family, aspect, other)), None)
    hint = f'; preset = "{near}" works' if near else "; no other preset does either"
    raise SizeError(
        f"aspect {ratio} at {preset} has no size that {family.title} takes{hint}",
        key="preset",
        allowed=near or "another aspect",
    )


def _find(family: Family, aspect: tuple[int, int], preset: str) -> tuple[int, int] | None:
    column = _COLUMNS[family.name].get(preset)
    name = f"{aspect[0]}:{aspect[1]}"
    if column is not None and name in ASPECTS:
        return parse_size(column.split()[ASPECTS.index(name)])
    most = min(PRESET_SIDE[preset] ** 2, family.max_pixels)
    return _search(aspect, family.min_pixels, most)


def _search(aspect: tuple[int, int], least: int, most: int) -> tuple[int, int] | None:
    """Find the largest area, ties to the closer ratio, among multiples of 8 within 1 %.

    For each width only its tallest height can win.
    """
    across, down = aspect
    best = (0, Fraction(0), 0, 0)
    for width in range(_STEP, math.isqrt(2 * most * across // down) + 1, _STEP):
        tallest = min(
            most // width,
            MAX_RATIO * width,
            100 * width * down // ((100 - _TOLERANCE_PERCENT) * across),
        )
        height = tallest // _STEP * _STEP
        area = width * height
        off = abs(width * down - height * across)
        fits = off * 100 <= _TOLERANCE_PERCENT * height * across and _ratio_fits(width, height)
        if fits and area >= max(least, best[0], 1):
            best = max(best, (area, -Fraction(off, height * across), width, height))
    return (best[2], best[3]) if best[0] else None


def _ratio_fits(width: int, height: int) -> bool:
    return width <= MAX_RATIO * height and height <= MAX_RATIO * width
