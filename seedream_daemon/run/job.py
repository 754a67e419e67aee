"""One job: which of its shots are asked for, side by side, until all have ended or it rests."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from seedream_daemon.events import JobEnded, JobStarted, QueuePaused, QueueReopened, Warned
from seedream_daemon.job.plan import Shot
from seedream_daemon.run.context import JobContext
from seedream_daemon.run.gate import GateClosedError
from seedream_daemon.run.outcome import CapReachedError
from seedream_daemon.run.ready import PhotoDesk
from seedream_daemon.run.shoot import Shooter
from seedream_daemon.session.history import Counts
from seedream_daemon.session.shot_facts import ShotState
from seedream_daemon.spend.book import CapReached

REFRESH_S = 1.0
MONEY_LOOK_S = 5.0
STOPPED = "The service was stopped."

Work = Callable[[Shot], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """How a run of a job ended: done, failed, paused or cancelled.

    `rest` says why a paused one rests: account, budget, stop. `reason` is a sentence.
    """

    state: str
    counts: Counts
    rest: str | None = None
    reason: str | None = None


class JobRun:
    """Runs one job against its session, from wherever the journal says that it stands.

    `again` are the ids of shots that are asked for though they ended badly; None means every
    shot that is not saved. With `only_fetch` nothing is asked for, with `only_again` nothing but
    those. `resting` says why the job
    sends nothing at the moment, though it goes on by itself.
    """

    def __init__(
        self,
        context: JobContext,
        *,
        again: frozenset[str] | None = frozenset(),
        only_fetch: bool = False,
        only_again: bool = False,
    ) -> None:
        self.context = context
        self._only_again = only_again
        self._again = again
        self._only_fetch = only_fetch
        self._desk = PhotoDesk(context)
        self._shooter = Shooter(context, self._desk)
        self._under_way = anyio.CapacityLimiter(self._side_by_side())
        self._rest: tuple[str, str] | None = None
        self._cap: CapReached | None = None
        self.resting: str | None = None

    def cancel(self) -> None:
        """Send nothing more for this job; what is paid for is waited for and saved."""
        self.context.cancelled = True

    def resize(self) -> None:
        """Follow a limit of parallel requests that has changed."""
        self._under_way.total_tokens = self._side_by_side()

    def _side_by_side(self) -> int:
        # Enough shots to keep every slot busy while others prepare and save, and no more: memory
        # must not grow with the job.
        return 2 * self.context.means.throttle.limit + 4

    async def run(self) -> JobOutcome:
        """Bring every shot to an end, or stop where nothing more may be sent."""
        context = self.context
        await self._settle_old()
        shots = {shot.id: shot for shot in context.plan.shots}
        history = context.session.history
        waiting = dict.fromkeys(picture.shot for picture in history.to_fetch())
        unfetched = [shots[shot_id] for shot_id in waiting if shot_id in shots]
        todo = self._wanted()
        context.means.emit(
            JobStarted(
                job_id=context.job_id,
                name=context.plan.name,
                kind=context.plan.kind,
                session=str(context.session.path),
                shots=len(shots),
                todo=len(todo) + len(unfetched),
            )
        )
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._keep_views_fresh)
            await self._each(self._shooter.fetch_answered, unfetched, paid=True)
            todo = self._wanted()
            async with anyio.create_task_group() as drawing:
                if todo:
                    drawing.start_soon(self._desk.draw_thumbnails)
                await self._each(self._shooter.shoot, todo)
                while await self._money_comes_back():
                    await self._each(self._shooter.shoot, self._wanted())
            beside.cancel_scope.cancel()
        outcome = self._outcome()
        if outcome.state == "done":
            await self._desk.clear()
        await self._close(outcome)
        return outcome

    async def _settle_old(self) -> None:
        """Tell the ledger what came of requests whose process died before it could."""
        gate = self.context.means.gate
        try:
            await self.context.despite_full_disk(self._settle_open_requests, gate.rest)
        except GateClosedError:
            self._rest = ("stop", STOPPED)

    async def _settle_open_requests(self) -> None:
        ledger, shots = self.context.means.ledger, self.context.session.history.shots
        open_requests = await ledger.open_requests(self.context.job_id)
        if not open_requests:
            return
        last = {shot.sending.request_id: shot for shot in shots.values() if shot.sending}
        for request_id in open_requests:
            shot = last.get(request_id)
            if shot is None:
                # Reserved, and never said to be sent: the request did not leave.
                await ledger.release(request_id)
            elif shot.state is ShotState.IN_DOUBT or shot.last_bill is None:
                await ledger.doubt(request_id)
            else:
                images, micro_usd = shot.last_bill
                await ledger.settle(request_id, images=images, micro_usd=micro_usd)

    def _wanted(self) -> list[Shot]:
        """Give the shots that are to be asked for, as the journal stands now."""
        return [shot for shot in self.context.plan.shots if self._wants(shot)]

    def _wants(self, shot: Shot) -> bool:
        if self._only_fetch or self.context.cancelled:
            return False
        if self._only_again and shot.id not in (self._again or ()):
            return False
        known = self.context.of(shot)
        match known.state:
            case ShotState.PLANNED:
                return True
            case ShotState.SAVED | ShotState.ANSWERED:
                return False
        if self._again is None or shot.id in self._again:
            return True
        if known.state is ShotState.FAILED:
            # What is paid for and not fetched yet is fetched, not asked for again.
            return bool(known.failure and known.failure.retryable and not known.pending)
        return self.context.asks_again(shot)

    async def _each(self, work: Work, shots: list[Shot], *, paid: bool = False) -> None:
        """Do the work for shots side by side; what is `paid` for is done despite a cancel."""
        async with anyio.create_task_group() as group:
            for shot in shots:
                await self._under_way.acquire_on_behalf_of(shot.id)
                if self._rest is not None or (self.context.cancelled and not paid):
                    self._under_way.release_on_behalf_of(shot.id)
                    break
                group.start_soon(self._one, work, shot)

    async def _one(self, work: Work, shot: Shot) -> None:
        try:
            await work(shot)
        except GateClosedError:
            pause = self.context.means.gate.pause
            self._rest = self._rest or ((pause.why, pause.message) if pause else ("stop", STOPPED))
        except CapReachedError as error:
            self._cap = error.cap
            which = "job_budget" if error.cap.which == "job" else "budget"
            self._rest = self._rest or (which, error.cap.message)
        finally:
            self._under_way.release_on_behalf_of(shot.id)

    async def _money_comes_back(self) -> bool:
        """Wait until a cap of the day lets shots start again; False where nobody waits for it."""
        cap, means = self._cap, self.context.means
        if cap is None or not cap.tomorrow_helps or not means.gate.waits_out_pauses:
            return False
        before = await means.ledger.today()
        self.resting = cap.message
        means.emit(QueuePaused(why="budget", message=cap.message))
        try:
            while not await self.context.is_cancelled():
                await means.gate.rest(MONEY_LOOK_S)
                now = await means.ledger.today()
                if now.date != before.date or (now.left or 0) > (before.left or 0):
                    self._cap = self._rest = None
                    means.emit(QueueReopened())
                    return True
        except GateClosedError:
            self._rest = ("stop", STOPPED)
        finally:
            self.resting = None
        return False

    async def _keep_views_fresh(self) -> None:
        while True:
            await anyio.sleep(REFRESH_S)
            # A view can be rebuilt from the journal at any time; it must never end the job.
            with contextlib.suppress(OSError):
                await self.context.session.refresh()

    def _outcome(self) -> JobOutcome:
        counts = self.context.session.history.counts()
        if counts.saved == counts.shots:
            return JobOutcome(state="done", counts=counts)
        if self.context.cancelled:
            return JobOutcome(state="cancelled", counts=counts, reason=self.context.why_cancelled)
        if self._rest is not None:
            rest, reason = self._rest
            state = "failed" if rest == "job_budget" else "paused"
            return JobOutcome(state=state, counts=counts, rest=rest, reason=reason)
        return JobOutcome(state="failed", counts=counts, reason=_shortfall(counts))

    async def _close(self, outcome: JobOutcome) -> None:
        context, counts = self.context, outcome.counts
        try:
            await context.session.close(outcome.state, outcome.reason)
        except OSError as error:
            # Nothing is lost: each shot's own entries tell the same at the next start.
            message = f"The end of {context.session.path.name} could not be written: {error}"
            context.means.emit(Warned(message=message, job_id=context.job_id))
        context.means.emit(
            JobEnded(
                job_id=context.job_id,
                name=context.plan.name,
                session=str(context.session.path),
                state=outcome.state,
                saved=counts.saved,
                failed=counts.failed,
                in_doubt=counts.in_doubt,
                lost=counts.lost,
                pictures=counts.pictures,
                cost_micro_usd=counts.cost_micro_usd,
                reason=outcome.reason,
            )
        )


def _shortfall(counts: Counts) -> str:
    """Say in one sentence what is missing."""
    parts = [
        f"{number} {words}"
        for number, words in (
            (counts.failed, "failed"),
            (counts.in_doubt, "in doubt (asked for, and no answer came)"),
            (counts.lost, "lost (paid for, and the picture could not be fetched in time)"),
            (counts.answered, "paid for and not fetched yet (resume fetches them at no cost)"),
        )
        if number
    ]
    return f"{counts.saved} of {counts.shots} shots are saved; " + ", ".join(parts) + "."
