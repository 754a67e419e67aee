"""One shot, whole: photos -> request -> answer -> pictures on disk. Read this first."""

import anyio
import anyio.abc

from seedream_daemon.events import PhotosPrepared
from seedream_daemon.job.plan import Shot
from seedream_daemon.run.ask import Asker
from seedream_daemon.run.context import JobContext
from seedream_daemon.run.fetch import Fetch, Fetched, fetch_picture
from seedream_daemon.run.gate import GateClosedError
from seedream_daemon.run.outcome import Again, Answered, CapReachedError, OnAnswered
from seedream_daemon.run.ready import BadPhotoError, PhotoDesk, ReadyPhotos
from seedream_daemon.session.shot_facts import AnsweredPicture

MAX_TRIES = 8


class Shooter:
    """Brings the shots of one job to their ends, one call of `shoot` each.

    Ordinary failures end in the journal, not in an exception. What leaves `shoot` is
    GateClosedError (nothing more is sent; the shot stays as it is, to be resumed) and
    CapReachedError.
    """

    def __init__(self, context: JobContext, desk: PhotoDesk) -> None:
        self._context = context
        self._desk = desk
        self._asker = Asker(context)

    async def shoot(self, shot: Shot) -> None:
        """Bring one shot to its end."""
        context = self._context
        try:
            ready = await self._make_ready(shot)
        except BadPhotoError as error:
            await context.fail(shot, "bad_photo", str(error), retryable=False)
            return
        while await self._attempt(shot, ready) is Fetched.LOST and context.asks_again(shot):
            pass

    async def _attempt(self, shot: Shot, ready: ReadyPhotos) -> Fetched | None:
        """Ask until the shot ends, fetch what came, and say how that went."""
        fetches: list[Fetch] = []
        stopped: GateClosedError | CapReachedError | None = None
        answered = False
        async with anyio.create_task_group() as fetching:

            def on_answered(picture: AnsweredPicture) -> None:
                fetching.start_soon(self._fetch, shot, picture, fetches)

            try:
                answered = await self._ask_until_it_ends(shot, ready, on_answered)
            except (GateClosedError, CapReachedError) as error:
                # Kept until the task group is left, which would cancel what is being fetched.
                stopped = error
        if stopped is not None:
            raise stopped
        return await self._settle(shot, fetches) if answered else None

    async def fetch_answered(self, shot: Shot) -> None:
        """Fetch the pictures of an answer that an earlier start did not get to; costs nothing."""
        fetches: list[Fetch] = []
        async with anyio.create_task_group() as fetching:
            for picture in self._context.of(shot).pending:
                fetching.start_soon(self._fetch, shot, picture, fetches)
        await self._settle(shot, fetches)

    async def _make_ready(self, shot: Shot) -> ReadyPhotos:
        began = anyio.current_time()
        ready = await self._desk.make_ready(shot)
        self._context.means.emit(
            PhotosPrepared(
                job_id=self._context.job_id,
                shot=shot.id,
                photos=len(ready.photos),
                bytes=ready.bytes,
                seconds=anyio.current_time() - began,
            )
        )
        return ready

    async def _ask_until_it_ends(
        self, shot: Shot, ready: ReadyPhotos, on_answered: OnAnswered
    ) -> bool:
        """Whether an answer with pictures came."""
        tries = 1
        while True:
            if spoiled := self._context.spoiled:
                await self._context.fail(shot, *spoiled, retryable=False)
                return False
            outcome = await self._asker.ask(shot, ready, tries, on_answered)
            if not isinstance(outcome, Again):
                return isinstance(outcome, Answered)
            if tries == MAX_TRIES and outcome.counts:
                await self._context.fail(shot, outcome.code, outcome.message, retryable=True)
                return False
            tries += outcome.counts
            await self._context.rest(outcome.wait_s)

    async def _fetch(self, shot: Shot, picture: AnsweredPicture, fetches: list[Fetch]) -> None:
        context = self._context
        fetches.append(await fetch_picture(context, shot, picture))

    async def _settle(self, shot: Shot, fetches: list[Fetch]) -> Fetched:
        """Say how a shot ended whose answer has come and whose pictures were fetched, or not."""
        context = self._context
        if kept := context.of(shot).kept:
            await context.journal("saved", shot=shot.id, files=[picture.file for picture in kept])
            context.ended(shot, "saved")
            return Fetched.SAVED
        worst = next((fetch for fetch in fetches if fetch.end is not Fetched.SAVED), None)
        if worst is None or worst.end is Fetched.LEFT:
            # Its address stays in the journal: the next start fetches it before anything else.
            why = worst.message if worst else ""
            await self._fail_paid(
                shot, Fetched.LEFT, f"{why} It is fetched at the next start.".strip()
            )
            return Fetched.LEFT
        if worst.end in {Fetched.FOREIGN, Fetched.TOO_LARGE}:
            await self._fail_paid(shot, worst.end, worst.message)
        elif not context.asks_again(shot):
            context.ended(shot, "lost", "lost", worst.message)
        return worst.end

    async def _fail_paid(self, shot: Shot, end: Fetched, message: str) -> None:
        """End a shot whose picture is paid for and not here; asking again would pay again."""
        sending = self._context.of(shot).sending
        await self._context.fail(
            shot,
            end.value,
            message,
            retryable=end is Fetched.LEFT,
            request_id=sending.request_id if sending else None,
        )
