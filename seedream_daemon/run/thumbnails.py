"""refs/: a small copy of each group photo, for pages and for those who open the session later."""

from pathlib import Path

from seedream_daemon.errors import ConfigError
from seedream_daemon.events import Warned
from seedream_daemon.job.plan import Photo
from seedream_daemon.photos.steps import PhotoUnusableError, PrepareRequest
from seedream_daemon.run.context import JobContext
from seedream_daemon.session.layout import thumbnail_file
from seedream_daemon.session.shot_facts import ShotState


class Thumbnails:
    """The thumbnails of one job."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def of(self, photo: Photo) -> Path | None:
        """Say where the crop of a photo leaves its thumbnail: in the first group that has it."""
        for group in self._context.plan.groups:
            if photo in group.photos:
                return self._place(group.name, group.photos.index(photo) + 1)
        return None

    async def draw(self) -> None:
        """Draw what is missing, but for what crops will bring along; one that fails is missed."""
        coming = self._to_come()
        for group in self._context.plan.groups:
            for number, photo in enumerate(group.photos, start=1):
                to = self._place(group.name, number)
                if to not in coming and not to.exists():
                    await self._draw(photo, to)

    async def _draw(self, photo: Photo, to: Path) -> None:
        means = self._context.means
        request = PrepareRequest(photo=photo.path, to=to, step="thumbnail", name=photo.name)
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            await means.workers.prepare(request)
        except (PhotoUnusableError, ConfigError, OSError) as error:
            message = f"There is no thumbnail of {photo.name}: {error}"
            means.emit(Warned(message=message, job_id=self._context.job_id))

    def _to_come(self) -> set[Path | None]:
        history = self._context.session.history
        return {
            self.of(photo)
            for shot in self._context.plan.shots
            if history.shots[shot.id].state is ShotState.PLANNED
            for photo in shot.photos
            if photo.prepare == "crop" and photo.name not in history.prepared
        }

    def _place(self, group: str, number: int) -> Path:
        return self._context.session.path / thumbnail_file(group, number)
