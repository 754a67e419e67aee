"""A session's plan -> the same plan, with its photos where they lie now."""

from dataclasses import replace
from pathlib import Path

from seedream_daemon.errors import UsageError
from seedream_daemon.job.plan import Photo, Plan
from seedream_daemon.session.shot_facts import ShotState
from seedream_daemon.session.store import SessionWriter
from seedream_daemon.settings import Settings


def plan_with_photos(settings: Settings, session: SessionWriter, photos: Path | None) -> Plan:
    """Give the plan with each photo that is still needed where it lies now."""
    plan, shots = session.plan, session.history.shots
    needed = [
        photo
        for shot in plan.shots
        if shots[shot.id].state is not ShotState.SAVED
        for photo in shot.photos
    ]
    if photos is None and all(photo.path.exists() for photo in needed):
        return plan
    for root in _likely_roots(settings, session.history.job.get("folder"), photos):
        moved = _moved(plan, needed, root)
        if moved is not None:
            return moved
    missing = next(photo for photo in needed if photos is not None or not photo.path.exists())
    raise UsageError(
        f"The photos of this session are not where they were: {missing.name} is neither at "
        f"{missing.path} nor elsewhere that was looked. Say where they are with --photos DIR."
    )


def _likely_roots(settings: Settings, folder: str | None, photos: Path | None) -> list[Path]:
    if photos is not None:
        return [photos.absolute()]
    if folder is None:
        return []
    name = Path(folder).name
    return [settings.inbox_dir / place / name for place in ("", "_running", "_failed", "_done")]


def _moved(plan: Plan, photos: list[Photo], root: Path) -> Plan | None:
    """Give the plan with its photos below `root`, by name or by base name; None if one is not."""
    places: dict[Photo, Photo] = {}
    for photo in photos:
        near = (root / photo.name, root / Path(photo.name).name, root / photo.path.name)
        found = next((path for path in near if path.is_file()), None)
        if found is None:
            return None
        places[photo] = replace(photo, path=found)

    def here(listed: tuple[Photo, ...]) -> tuple[Photo, ...]:
        return tuple(places.get(photo, photo) for photo in listed)

    return replace(
        plan,
        common=here(plan.common),
        groups=tuple(replace(group, photos=here(group.photos)) for group in plan.groups),
        shots=tuple(replace(shot, photos=here(shot.photos)) for shot in plan.shots),
    )
