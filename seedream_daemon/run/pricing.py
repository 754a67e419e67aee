"""What the pictures of a shot cost, and how large they are."""

from seedream_daemon.job.models import Family, price_micro_usd
from seedream_daemon.job.plan import Plan, Shot

# About what a tier word yields; the real size is told only by the answer.
_PIXELS_OF_TIER = {"1K": 1024**2, "1.5K": 1536**2, "2K": 2048**2, "3K": 3072**2, "4K": 4096**2}


def pixels_of(size: str | None) -> int | None:
    """The area of "1728x2304"; None where the size is a tier word or left to the model."""
    width, _, height = (size or "").partition("x")
    return int(width) * int(height) if width.isdigit() and height.isdigit() else None


def likely_pixels(size: str | None) -> int:
    """The area that a picture of this size will have, as near as can be told before it is made."""
    return pixels_of(size) or _PIXELS_OF_TIER.get(size or "", 2048 * 2048)


def shot_price(
    plan: Plan, family: Family, shot: Shot, *, images: int, per_image_micro_usd: int | None
) -> int | None:
    """What so many pictures of a shot cost at most, in micro-dollars; None if unknown."""
    return price_micro_usd(
        family,
        count=images,
        references=len(shot.photos),
        pixels=pixels_of(plan.size),
        per_image_override=per_image_micro_usd,
    )
