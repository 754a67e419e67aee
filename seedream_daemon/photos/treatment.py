"""What must be done to a photo before it is sent, and why it cannot be sent at all."""

from enum import StrEnum

from seedream_daemon.job.plan import Photo, Plan
from seedream_daemon.photos.inspect import (
    PhotoFacts,
    conversion_problem,
    crop_problem,
    limits_problem,
    unreadable_problem,
)


class Treatment(StrEnum):
    """How a photo becomes what is sent."""

    AS_IS = "asis"  # byte for byte
    CROP = "crop"  # the face crop
    CONVERT = "convert"  # an upright JPEG under the limits


def treatment_of(plan: Plan, photo: Photo, facts: PhotoFacts, *, max_input_mb: float) -> Treatment:
    """Choose the treatment; `facts` must be those of a photo that can be read."""
    if photo.prepare == "crop":
        return Treatment.CROP
    if facts.format == "heic" or (plan.upright and facts.orientation != 1):
        return Treatment.CONVERT
    if plan.oversize == "shrink" and limits_problem(facts, max_input_mb=max_input_mb):
        return Treatment.CONVERT
    return Treatment.AS_IS


def photo_problem(
    plan: Plan, photo: Photo, facts: PhotoFacts, *, max_input_mb: float
) -> str | None:
    """Say why a photo cannot be used, as the end of a sentence that its name begins."""
    if said := unreadable_problem(facts):
        return said
    match treatment_of(plan, photo, facts, max_input_mb=max_input_mb):
        case Treatment.CROP:
            return crop_problem(facts)
        case Treatment.CONVERT:
            return conversion_problem(facts)
        case Treatment.AS_IS:
            return limits_problem(facts, max_input_mb=max_input_mb)


def turn_warning(plan: Plan, photo: Photo, facts: PhotoFacts, *, max_input_mb: float) -> str | None:
    """Warn of a photo that is sent as it lies while viewers show it turned."""
    treatment = treatment_of(plan, photo, facts, max_input_mb=max_input_mb)
    if treatment is not Treatment.AS_IS or facts.orientation == 1:
        return None
    return (
        f"{photo.name} is turned by its EXIF orientation ({facts.orientation}); the service may "
        "see it lying. upright = true sends it upright."
    )
