"""The face crops of a job, for a person to look at; sends nothing."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import anyio.to_thread

from seedream_daemon.actions.plan import plan_folder
from seedream_daemon.errors import ConfigError, UsageError
from seedream_daemon.job.names import NAME_MAX_BYTES, cut
from seedream_daemon.job.plan import Photo, Plan
from seedream_daemon.photos.steps import PhotoUnusableError, Prepared, PrepareRequest, SheetRow
from seedream_daemon.photos.workers import PhotoWorkers
from seedream_daemon.settings import Settings

SHEET = "sheet.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """One photo and its crop: `how` is face, corrected or center, None where it is unusable."""

    photo: str
    file: str | None
    how: str | None
    warning: str | None


async def write_crops(settings: Settings, folder: Path, to: Path) -> tuple[Crop, ...]:
    """Write the crops of a grid's group photos, and one sheet that shows all, into `to`.

    Raises UsageError where the job crops nothing, ConfigError where nothing can be written into
    `to`, JobInvalidError.
    """
    plan = await plan_folder(settings, folder)
    photos = _cropped(plan)
    if not photos:
        raise UsageError(f"The job in {folder} crops nothing: only a grid with crop = true does.")
    try:
        await anyio.Path(to).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{to} cannot be made: {error.strerror}.") from error
    async with PhotoWorkers(
        cropper_path=settings.cropper_path, face_model_path=settings.face_model_path
    ) as workers:
        await workers.check()
        found: list[Prepared | str] = [""] * len(photos)
        async with anyio.create_task_group() as group:
            for place, photo in enumerate(photos):
                group.start_soon(_crop, workers, photo, to, found, place)
        try:
            await _draw_sheet(workers, photos, found, to)
        except OSError as error:
            raise ConfigError(f"{to / SHEET} cannot be written: {error.strerror}.") from error
    return tuple(_told(photo, one) for photo, one in zip(photos, found, strict=True))


def _cropped(plan: Plan) -> tuple[Photo, ...]:
    return tuple(
        photo for group in plan.groups for photo in group.photos if photo.prepare == "crop"
    )


async def _crop(
    workers: PhotoWorkers, photo: Photo, to: Path, found: list[Prepared | str], place: int
) -> None:
    number, ending = f"{place + 1:03d}_", ".jpg"
    stem = cut(photo.path.stem, max_bytes=NAME_MAX_BYTES - len(number) - len(ending))
    file = to / f"{number}{stem}{ending}"
    request = PrepareRequest(photo=photo.path, to=file, step="crop", name=photo.name)
    try:
        found[place] = await workers.prepare(request)
    except PhotoUnusableError as error:
        found[place] = error.message
    except OSError as error:
        found[place] = f"The crop of {photo.name} cannot be written: {error.strerror}."


async def _draw_sheet(
    workers: PhotoWorkers, photos: tuple[Photo, ...], found: list[Prepared | str], to: Path
) -> None:
    with TemporaryDirectory(prefix="seedream-crops-") as folder:
        rows = []
        for place, (photo, one) in enumerate(zip(photos, found, strict=True)):
            if isinstance(one, str):
                continue
            row = Path(folder) / f"{place:04d}.jpg"
            title = f"{photo.name} ({one.crop})"
            await workers.sheet_row(
                SheetRow(
                    title=title,
                    photo=photo.path,
                    crop=one.file,
                    to=row,
                    face=one.face,
                    square=one.square,
                )
            )
            rows.append(row)
        if rows:
            await workers.join_sheet(rows, to / SHEET)


def _told(photo: Photo, one: Prepared | str) -> Crop:
    if isinstance(one, str):
        return Crop(photo=photo.name, file=None, how=None, warning=one)
    return Crop(photo=photo.name, file=str(one.file), how=one.crop, warning=one.warning)
