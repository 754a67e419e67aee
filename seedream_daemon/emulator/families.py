"""What each model takes: sizes, photos, fields, price (BytePlus ModelArk/1541523, /1544106)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from seedream_daemon.emulator import refusal

Size = tuple[int, int]

RATIOS: Mapping[str, float] = {
    "1:1": 1.0,
    "4:3": 4 / 3,
    "3:4": 3 / 4,
    "16:9": 16 / 9,
    "9:16": 9 / 16,
    "3:2": 3 / 2,
    "2:3": 2 / 3,
    "21:9": 21 / 9,
}


def _row(landscape: str) -> Mapping[str, Size]:
    """Read `1:1 4:3 16:9 3:2 21:9`; the upright ratios are these turned."""
    square, four, sixteen, three, wide = (
        (int(width), int(height))
        for width, height in (pair.split("x") for pair in landscape.split())
    )
    return {
        "1:1": square,
        "4:3": four,
        "3:4": four[::-1],
        "16:9": sixteen,
        "9:16": sixteen[::-1],
        "3:2": three,
        "2:3": three[::-1],
        "21:9": wide,
    }


_TIERS = {
    "1k": _row("1024x1024 1152x864 1280x720 1248x832 1512x648"),
    "2k": _row("2048x2048 2304x1728 2848x1600 2496x1664 3136x1344"),
    "3k": _row("3072x3072 3456x2592 4096x2304 3744x2496 4704x2016"),
    "4k": _row("4096x4096 4704x3520 5504x3040 4992x3328 6240x2656"),
}
_PRO_TIERS = {
    "1k": _row("1024x1024 1152x864 1424x800 1248x832 1568x672"),
    "1.5k": _row("1536x1536 1792x1344 2048x1152 1872x1248 2352x1008"),
    "2k": _row("2048x2048 2368x1776 2816x1584 2496x1664 3136x1344"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The rules of one model; prices in micro-dollars per picture."""

    min_px: int
    max_px: int
    tiers: Mapping[str, Mapping[str, Size]] = field(default_factory=dict)
    default_size: str = "2048x2048"
    max_references: int = 14
    min_references: int = 0
    max_reference_ratio: float = 16.0
    sets: bool = False
    stream: bool = False
    guidance: bool = False
    png: bool = False
    modes: tuple[str, ...] = ()
    price: int = 30_000
    large_price: int | None = None
    per_further_reference: int = 0

    def price_of(self, size: Size, references: int) -> int:
        """Give the micro-dollars of one picture; large ones of pro cost more."""
        base = self.price
        if self.large_price is not None and size[0] * size[1] > 2_610_000:
            base = self.large_price
        return base + self.per_further_reference * max(0, references - 1)


def _only(tiers: Mapping[str, Mapping[str, Size]], *names: str) -> Mapping[str, Mapping[str, Size]]:
    return {name: tiers[name] for name in names}


_MAX = 4096 * 4096
_V40 = Family(
    min_px=1280 * 720,
    max_px=_MAX,
    tiers=_only(_TIERS, "1k", "2k", "4k"),
    sets=True,
    stream=True,
    modes=("standard", "fast"),
)
_V45 = Family(
    min_px=2560 * 1440,
    max_px=_MAX,
    tiers=_only(_TIERS, "2k", "4k"),
    sets=True,
    stream=True,
    modes=("standard",),
    price=40_000,
)
_LITE = Family(
    min_px=2560 * 1440,
    max_px=_MAX,
    tiers=_only(_TIERS, "2k", "3k", "4k"),
    sets=True,
    stream=True,
    png=True,
    modes=("standard",),
    price=35_000,
)
_PRO = Family(
    min_px=1280 * 720,
    max_px=4_624_220,
    tiers=_PRO_TIERS,
    default_size="2k",
    max_references=10,
    png=True,
    modes=("standard", "fast"),
    price=45_000,
    large_price=90_000,
    per_further_reference=3_000,
)
_FLASH = Family(
    min_px=1280 * 720,
    max_px=4_624_220,
    tiers=_PRO_TIERS,
    default_size="2k",
    max_references=10,
    png=True,
    modes=("standard",),
    price=18_000,
)
_T2I = Family(
    min_px=512 * 512,
    max_px=2048 * 2048,
    default_size="1024x1024",
    max_references=0,
    guidance=True,
)
# One word is legal, "adaptive"; the size then follows the photo.
_EDIT = Family(
    min_px=512 * 512,
    max_px=1536 * 1536,
    tiers={"adaptive": _TIERS["1k"]},
    default_size="adaptive",
    max_references=1,
    min_references=1,
    max_reference_ratio=3.0,
    guidance=True,
)

_BY_ID: Mapping[str, Family] = {
    "seedream-4-0-250828": _V40,
    "seedream-4-5-251128": _V45,
    "seedream-5-0-260128": _LITE,
    "seedream-5-0-lite-260128": _LITE,
    "seedream-5-0-pro-260628": _PRO,
    "seedream-5-0-flash-260915": _FLASH,
    "seedream-3-0-t2i-250415": _T2I,
    "seededit-3-0-i2i-250628": _EDIT,
}


def family_of(model: str) -> Family:
    """Find the rules of a model; an endpoint id (`ep-...`) stands for Seedream 4.0.

    Raises RefusalError for a model that does not exist.
    """
    if model.startswith("ep-"):
        return _V40
    name = model.removeprefix("doubao-").removeprefix("dola-")
    if name not in _BY_ID:
        raise refusal.unknown_model(model)
    return _BY_ID[name]


def nearest_ratio(width: int, height: int) -> str:
    """Name the documented ratio that is closest to that of a photo."""
    wanted = width / height
    return min(RATIOS, key=lambda name: max(RATIOS[name] / wanted, wanted / RATIOS[name]))
