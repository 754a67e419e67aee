"""The photos of a shot -> what is sent of them, each prepared once per job."""

import filecmp
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from seedream_daemon.ark.wire import SentPhoto
from seedream_daemon.durable import write_atomically
from seedream_daemon.errors import ConfigError
from seedream_daemon.events import Warned
from seedream_daemon.failpoints import failpoint
from seedream_daemon.job.plan import Photo, Shot
from seedream_daemon.photos.inspect import MB, PhotoFacts, digest, inspect, limits_problem
from seedream_daemon.photos.steps import PhotoUnusableError, Prepared, PrepareRequest, Step
from seedream_daemon.photos.treatment import Treatment, photo_problem, treatment_of
from seedream_daemon.run.context import DISK_FULL, JobContext
from seedream_daemon.run.room import LOOK_AGAIN_S
from seedream_daemon.run.thumbnails import Thumbnails
from seedream_daemon.session.layout import reference_file

PREPARED = "prepared"
EXTENSION_OF_MIME = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}

# A photo during whose preparation the process died so often is taken to be the reason.
MOST_DEATHS = 3


class BadPhotoError(Exception):
    """A photo cannot be used; the text names it and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPhoto:
    """A photo as it is sent, and the SHA-256 of the file in the drop that it was made of."""

    sent: SentPhoto
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPhotos:
    """The photos of one shot, in the order in which they are sent."""

    photos: tuple[SentPhoto, ...]
    digests: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """How long the photos are before base64."""
        return sum(photo.size_bytes for photo in self.photos)


class PhotoDesk:
    """Makes the photos of one job ready.

    What several shots share is prepared once and remembered; in bulk each photo has one shot, and
    nothing is remembered, so that memory does not grow with the job. Prepared photos lie in the
    session until the job is done, so that a resume prepares nothing twice.
    """

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._known: dict[Photo, ReadyPhoto | BadPhotoError] = {}
        self._turns: defaultdict[Photo, anyio.Lock] = defaultdict(anyio.Lock)
        self._thumbnails = Thumbnails(context)
        self._told_of_stray_cropper = False

    async def make_ready(self, shot: Shot) -> ReadyPhotos:
        """Check and prepare the photos of a shot. Raises BadPhotoError before anything is paid."""
        if self._context.plan.kind == "bulk":
            ready = [await self._prepare(shot, photo) for photo in shot.photos]
        else:
            ready = [await self._prepare_once(shot, photo) for photo in shot.photos]
        photos = ReadyPhotos(
            photos=tuple(one.sent for one in ready), digests=tuple(one.digest for one in ready)
        )
        if self._context.plan.kind == "i2i":
            keep = partial(anyio.to_thread.run_sync, self._keep_references, photos)
            await self._context.despite_full_disk(keep, self._context.means.gate.rest)
        return photos

    async def draw_thumbnails(self) -> None:
        """Put small copies of the photos of each group into refs/; one that fails is missed."""
        await self._thumbnails.draw()

    async def clear(self) -> None:
        """Remove the prepared photos of a job that is done."""
        await anyio.to_thread.run_sync(_remove_prepared, self._context.session.path / PREPARED)

    async def _prepare_once(self, shot: Shot, photo: Photo) -> ReadyPhoto:
        async with self._turns[photo]:
            if photo not in self._known:
                try:
                    self._known[photo] = await self._prepare(shot, photo)
                except BadPhotoError as error:
                    # Remembered too: what crashed or stalled a worker would do so for each prompt.
                    self._known[photo] = error
            known = self._known[photo]
        if isinstance(known, BadPhotoError):
            raise BadPhotoError(str(known))
        return known

    async def _prepare(self, shot: Shot, photo: Photo) -> ReadyPhoto:
        context, policy = self._context, self._context.means.policy
        facts, sha256 = await self._look(photo)
        if said := photo_problem(context.plan, photo, facts, max_input_mb=policy.max_input_mb):
            raise BadPhotoError(f"{photo.name} {said}.")
        treatment = treatment_of(context.plan, photo, facts, max_input_mb=policy.max_input_mb)
        if treatment is not Treatment.AS_IS:
            return await self._convert(shot, photo, facts, sha256, treatment)
        if context.session.history.digests.get(photo.name) != sha256:
            await context.journal("photo", photo=photo.name, sha256=sha256, bytes=facts.bytes)
        assert facts.mime is not None  # noqa: S101 - photo_problem refuses what is no photo
        sent = SentPhoto(path=photo.path, mime=facts.mime, size_bytes=facts.bytes)
        return ReadyPhoto(sent=sent, digest=sha256)

    async def _look(self, photo: Photo) -> tuple[PhotoFacts, str]:
        """Read a photo, waiting for a disk that is away: that is not the photo's fault."""
        while True:
            try:
                return await anyio.to_thread.run_sync(_look, photo.path)
            except OSError as error:
                if not await self._context.is_away():
                    await self._context.refuse_if_cancelled()
                    why = error.strerror or str(error)
                    raise BadPhotoError(f"{photo.name} cannot be read: {why}.") from error
            await self._context.wait_for_photos()

    async def _convert(
        self, shot: Shot, photo: Photo, facts: PhotoFacts, sha256: str, treatment: Treatment
    ) -> ReadyPhoto:
        if known := self._prepared_before(photo, sha256):
            return ReadyPhoto(sent=known, digest=sha256)
        context = self._context
        if context.session.history.deaths.get(photo.name, 0) >= MOST_DEATHS:
            raise BadPhotoError(
                f"{photo.name} made the program die {MOST_DEATHS} times while it was prepared; "
                "export it as a new JPEG."
            )
        request = self._request(photo, facts, sha256, treatment)
        prepared = await self._in_worker(shot, photo, request, sha256)
        await self._journal_prepared(shot, photo, prepared, sha256)
        if prepared.warning:
            self._warn(prepared.warning)
        sent = SentPhoto(path=prepared.file, mime=prepared.mime, size_bytes=prepared.bytes)
        return ReadyPhoto(sent=sent, digest=sha256)

    async def _in_worker(
        self, shot: Shot, photo: Photo, request: PrepareRequest, sha256: str
    ) -> Prepared:
        """Prepare a photo; a full disk is waited for, as it is not the photo's fault."""
        means = self._context.means
        while True:
            # A photo that waits for its turn has not begun, and no death can be its fault.
            async with means.workers.turns:
                prepared = await self._try_in_worker(shot, photo, request, sha256)
            if prepared is not None:
                return prepared
            await means.gate.rest(LOOK_AGAIN_S)

    async def _try_in_worker(
        self, shot: Shot, photo: Photo, request: PrepareRequest, sha256: str
    ) -> Prepared | None:
        """Prepare a photo; None where the disk is full or away."""
        context, means = self._context, self._context.means
        await context.journal("prepare_begin", durable=False, shot=shot.id, photo=photo.name)
        failpoint("during_prepare")
        try:
            request.to.parent.mkdir(exist_ok=True)
            if request.thumbnail is not None:
                request.thumbnail.parent.mkdir(parents=True, exist_ok=True)
            return await means.workers.prepare(request)
        except PhotoUnusableError as error:
            await self._journal_prepared(shot, photo, None, sha256)
            raise BadPhotoError(error.message) from error
        except ConfigError as error:
            # The cropper was there at the start, and is not any more.
            await self._journal_prepared(shot, photo, None, sha256)
            raise BadPhotoError(f"{photo.name} cannot be prepared: {error}") from error
        except OSError as error:
            is_full = error.errno in DISK_FULL
            if is_full:
                means.room.tell_full(context.session.path)
            # Over for now: a death while the disk is waited for is not the photo's.
            await self._journal_prepared(shot, photo, None, sha256)
            if not is_full and not await context.is_away():
                await context.refuse_if_cancelled()
                why = error.strerror or str(error)
                raise BadPhotoError(f"{request.name} cannot be prepared: {why}.") from error
        return None

    def _request(
        self, photo: Photo, facts: PhotoFacts, sha256: str, treatment: Treatment
    ) -> PrepareRequest:
        context = self._context
        folder = context.session.path / PREPARED
        too_large = context.plan.oversize == "shrink" and photo_is_over(
            facts, context.means.policy.max_input_mb
        )
        step: Step = "crop" if treatment is Treatment.CROP else "shrink" if too_large else "convert"
        if step == "crop":
            self._mention_stray_cropper()
        name = hashlib.sha256(f"{photo.name}\0{sha256}\0{step}".encode()).hexdigest()[:20]
        return PrepareRequest(
            photo=photo.path,
            to=folder / f"{name}.jpg",
            step=step,
            name=photo.name,
            thumbnail=self._thumbnails.of(photo) if step == "crop" else None,
            max_bytes=self._max_bytes,
        )

    def _prepared_before(self, photo: Photo, sha256: str) -> SentPhoto | None:
        entry = self._context.session.history.prepared.get(photo.name)
        if not entry or entry.get("source_sha256") != sha256 or not entry.get("file"):
            return None
        path = self._context.session.path / entry["file"]
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            return None
        if entry["bytes"] > self._max_bytes:  # MAX_INPUT_MB was lowered since
            return None
        return SentPhoto(path=path, mime=f"image/{entry['format']}", size_bytes=entry["bytes"])

    async def _journal_prepared(
        self, shot: Shot, photo: Photo, prepared: Prepared | None, sha256: str
    ) -> None:
        """Say that the local step is over, whatever came of it: the process lived through it."""
        fields: dict[str, Any] = {
            "shot": shot.id,
            "photo": photo.name,
            "source_sha256": sha256,
            "sha256": sha256,
        }
        if prepared is not None:
            fields |= {
                "sha256": prepared.sha256,
                "bytes": prepared.bytes,
                "format": prepared.format,
                "width": prepared.width,
                "height": prepared.height,
                "file": f"{PREPARED}/{prepared.file.name}",
                "crop": prepared.crop,
            }
        await self._context.journal("prepare_end", **fields)

    def _keep_references(self, photos: ReadyPhotos) -> None:
        for number, photo in enumerate(photos.photos, start=1):
            to = self._context.session.path / reference_file(number, EXTENSION_OF_MIME[photo.mime])
            if not to.exists() or not filecmp.cmp(photo.path, to, shallow=False):
                to.parent.mkdir(exist_ok=True)
                write_atomically(to, photo.path.read_bytes())

    @property
    def _max_bytes(self) -> int:
        return int(self._context.means.policy.max_input_mb * MB)

    def _mention_stray_cropper(self) -> None:
        """Say once in a job what is not done: the current folder never brings code along."""
        stray = self._context.means.workers.stray_cropper()
        if stray is not None and not self._told_of_stray_cropper:
            self._told_of_stray_cropper = True
            self._warn(f"{stray} was found but CROPPER_PATH is not set, so it is not used.")

    def _warn(self, message: str) -> None:
        self._context.means.emit(Warned(message=message, job_id=self._context.job_id))


def photo_is_over(facts: PhotoFacts, max_input_mb: float) -> bool:
    """Whether a photo passes what may be sent, so that `oversize` applies to it."""
    return limits_problem(facts, max_input_mb=max_input_mb) is not None


def _look(path: Path) -> tuple[PhotoFacts, str]:
    return inspect(path), digest(path)


def _remove_prepared(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
