"""What each family of models takes, limits and costs.

Sources: BytePlus ModelArk/1541523 (image generation API), ModelArk/2582774 (Seedream 5.0 pro),
ModelArk/1544106 (prices), Volcengine 82379/1541523.
"""

from dataclasses import dataclass
from typing import Literal

FamilyName = Literal["4.0", "4.5", "5.0-lite", "5.0-pro", "5.0-flash", "3.0-t2i", "seededit-3.0"]

MAX_SET = 15  # references and pictures of one request together
SEED_MAX = 2_147_483_647


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family of models.

    `ids` begins with BytePlus's own id. `tiers` are the words that may be sent as a size,
    `presets` those that a job may say. Pixels are areas. Prices are in micro-dollars a picture:
    `large_price_micro_usd` holds above `large_above_pixels`; `photo_price_micro_usd` is added
    for each photo from the second.
    """

    name: FamilyName
    ids: tuple[str, ...]
    max_references: int = 10
    min_references: int = 0
    min_pixels: int = 921_600
    max_pixels: int = 16_777_216
    tiers: tuple[str, ...] = ()
    presets: tuple[str, ...] = ()
    adaptive: bool = False
    sets: bool = False
    stream: bool = False
    seed: bool = False
    guidance: bool = False
    output_formats: tuple[str, ...] = ("jpeg",)
    optimize_modes: tuple[str, ...] = ("standard",)
    price_micro_usd: int
    large_above_pixels: int | None = None
    large_price_micro_usd: int = 0
    photo_price_micro_usd: int = 0

    @property
    def title(self) -> str:
        """Give the name that people know: Seedream 4.0, SeedEdit 3.0."""
        edits = self.name.removeprefix("seededit-")
        return f"Seedream {self.name}" if edits == self.name else f"SeedEdit {edits}"

    def price_at(self, pixels: int | None) -> int:
        """Give the micro-dollars for one picture of so many pixels; None asks for the most."""
        if self.large_above_pixels is None:
            return self.price_micro_usd
        if pixels is None or pixels > self.large_above_pixels:
            return self.large_price_micro_usd
        return self.price_micro_usd


FAMILIES: tuple[Family, ...] = (
    Family(
        name="4.0",
        ids=("seedream-4-0-250828", "doubao-seedream-4-0-250828"),
        tiers=("1K", "2K", "4K"),
        presets=("1K", "2K", "4K"),
        sets=True,
        stream=True,
        optimize_modes=("standard", "fast"),
        price_micro_usd=30_000,
    ),
    Family(
        name="4.5",
        ids=("seedream-4-5-251128", "doubao-seedream-4-5-251128"),
        min_pixels=3_686_400,
        tiers=("2K", "4K"),
        presets=("2K", "4K"),
        sets=True,
        stream=True,
        price_micro_usd=40_000,
    ),
    Family(
        name="5.0-lite",
        ids=(
            "seedream-5-0-260128",
            "seedream-5-0-lite-260128",
            "doubao-seedream-5-0-260128",
            "doubao-seedream-5-0-lite-260128",
        ),
        min_pixels=3_686_400,
        tiers=("2K", "3K", "4K"),
        presets=("2K", "3K", "4K"),
        sets=True,
        stream=True,
        output_formats=("jpeg", "png"),
        price_micro_usd=35_000,
    ),
    Family(
        name="5.0-pro",
        ids=("dola-seedream-5-0-pro-260628", "doubao-seedream-5-0-pro-260628"),
        max_pixels=4_624_220,
        tiers=("1K", "1.5K", "2K"),
        presets=("1K", "1.5K", "2K"),
        output_formats=("jpeg", "png"),
        optimize_modes=("standard", "fast"),
        price_micro_usd=45_000,
        large_above_pixels=2_610_000,
        large_price_micro_usd=90_000,
        photo_price_micro_usd=3_000,
    ),
    Family(
        name="5.0-flash",
        ids=("dola-seedream-5-0-flash-260915", "doubao-seedream-5-0-flash-260915"),
        max_pixels=4_624_220,
        tiers=("1K", "1.5K", "2K"),
        presets=("1K", "1.5K", "2K"),
        output_formats=("jpeg", "png"),
        price_micro_usd=18_000,
    ),
    Family(
        name="3.0-t2i",
        ids=("seedream-3-0-t2i-250415", "doubao-seedream-3-0-t2i-250415"),
        max_references=0,
        min_pixels=262_144,
        max_pixels=4_194_304,
        presets=("1K", "2K"),
        seed=True,
        guidance=True,
        optimize_modes=(),
        price_micro_usd=30_000,
    ),
    Family(
        name="seededit-3.0",
        ids=("seededit-3-0-i2i-250628", "doubao-seededit-3-0-i2i-250628"),
        max_references=1,
        min_references=1,
        adaptive=True,
        seed=True,
        guidance=True,
        optimize_modes=(),
        price_micro_usd=30_000,
    ),
)

_BY_ID = {model: family for family in FAMILIES for model in family.ids}
_BY_NAME: dict[str, Family] = {family.name: family for family in FAMILIES}
FAMILY_NAMES: tuple[str, ...] = tuple(_BY_NAME)


def family_named(name: str) -> Family:
    """Give the family of this name. Raises KeyError if there is none."""
    return _BY_NAME[name]


def is_known(model: str) -> bool:
    """Say whether the model id itself tells the family."""
    return model in _BY_ID


def family_of(model: str, model_family: str | None) -> tuple[Family, str | None]:
    """Give a model's family and, where it had to be guessed, a warning.

    A known id decides; an endpoint (`ep-...`) or an unknown id takes `model_family`, else 4.0.
    Raises KeyError if `model_family` is needed and no family.
    """
    if model in _BY_ID:
        return _BY_ID[model], None
    if model_family is not None:
        return _BY_NAME[model_family], None
    warning = (
        f"The family of model {model} is not known; it is taken for a Seedream 4.0. "
        f"Say model_family (one of {', '.join(FAMILY_NAMES)}) if it is another."
    )
    return _BY_NAME["4.0"], warning


def price_micro_usd(
    family: Family,
    *,
    count: int,
    references: int,
    pixels: int | None,
    per_image_override: int | None = None,
) -> int:
    """Give the most that one request can cost, in micro-dollars.

    `pixels` is the area of a picture, None where it is not known before the answer.
    `per_image_override` stands for the list price and everything added to it.
    """
    if per_image_override is not None:
        return count * per_image_override
    further_photos = max(0, references - 1)
    return count * family.price_at(pixels) + further_photos * family.photo_price_micro_usd
