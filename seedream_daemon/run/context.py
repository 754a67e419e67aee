"""What every part of one running job needs to know."""

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from seedream_daemon.events import ShotEnded
from seedream_daemon.job.models import Family
from seedream_daemon.job.plan import Plan, Shot
from seedream_daemon.run.gate import GateClosedError
from seedream_daemon.run.means import Means
from seedream_daemon.run.room import LOOK_AGAIN_S
from seedream_daemon.session.shot_history import ShotHistory
from seedream_daemon.session.store import SessionWriter

# How soon a cancelled job leaves off waiting.
CANCEL_LOOK_S = 0.5
CANCELLED = "The job was cancelled."
REMOVED = "The folder of this job was removed while it ran; nothing more was sent for it."
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class JobContext:
    """One running job: its plan, its session, and what it shares with the others.

    `origin` is the door it came by: folder, tool or command. `cap_micro_usd` is the most that
    the job may spend, None for no cap of its own. `spoiled` is the code and message of a refusal
    that each further request would meet too. `away` is asked, in a worker thread, when a photo
    cannot be read: it says why the disk of the drop is not there, None if it is. `removed`
    is asked there before each request: it says whether somebody took the drop away, which cancels
    the job. `cancelled` keeps shots that wait for their turn from being sent.
    """

    means: Means
    session: SessionWriter
    plan: Plan
    family: Family
    job_id: str
    origin: str
    cap_micro_usd: int | None = None
    away: Callable[[], str | None] = lambda: None
    removed: Callable[[], bool] | None = None
    spoiled: tuple[str, str] | None = field(default=None, init=False)
    cancelled: bool = field(default=False, init=False)
    why_cancelled: str = field(default=CANCELLED, init=False)

    def of(self, shot: Shot) -> ShotHistory:
        """What the journal knows of a shot."""
        return self.session.history.shots[shot.id]

    def asks_again(self, shot: Shot) -> bool:
        """Whether a shot that is in doubt or lost is asked again by itself: at most once."""
        return self.means.policy.ambiguous == "retry" and self.of(shot).may_be_asked_again

    async def journal(self, event: str, **fields: Any) -> None:
        """Append to the journal; a full disk is waited for, since the fact will not come again."""
        await self.despite_full_disk(partial(self.session.append, event, **fields))

    async def despite_full_disk(
        self,
        work: Callable[[], Awaitable[T]],
        rest: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> T:
        """Do what writes to a disk, again and again while that is full; `rest` sleeps between.

        Raises OSError where the disk fails in another way.
        """
        while True:
            try:
                done = await work()
            except OSError as error:
                if error.errno not in DISK_FULL:
                    raise
                self.means.room.tell_full(self.session.path)
                await rest(LOOK_AGAIN_S)
            else:
                self.means.room.tell_written()
                return done

    async def rest(self, seconds: float) -> None:
        """Sleep until a shot may be tried again. Raises GateClosedError at a stop or a cancel."""
        until = anyio.current_time() + seconds
        while not self.cancelled and (left_s := until - anyio.current_time()) > 0:
            await self.means.gate.rest(min(left_s, CANCEL_LOOK_S))
        if self.cancelled:
            raise GateClosedError

    async def is_cancelled(self) -> bool:
        """Whether nothing more may be sent for this job; taking its drop away cancels it too."""
        if self.cancelled or self.removed is None:
            return self.cancelled
        if await anyio.to_thread.run_sync(self.removed) and not self.cancelled:
            self.cancelled, self.why_cancelled = True, REMOVED
        return self.cancelled

    async def refuse_if_cancelled(self) -> None:
        """Raise GateClosedError if nothing more may be sent for this job."""
        if await self.is_cancelled():
            raise GateClosedError

    async def is_away(self) -> bool:
        """Whether the disk of the photos is not there."""
        return await anyio.to_thread.run_sync(self.away) is not None

    async def wait_for_photos(self) -> None:
        """Return once the disk of the photos is there. Raises GateClosedError."""
        while await self.is_away():
            await self.means.gate.rest(LOOK_AGAIN_S)

    async def fail(
        self,
        shot: Shot,
        code: str,
        message: str,
        *,
        retryable: bool,
        request_id: str | None = None,
    ) -> None:
        """End a shot as failed; the others go on."""
        await self.journal(
            "failed",
            shot=shot.id,
            code=code,
            message=message,
            retryable=retryable,
            request_id=request_id,
        )
        self.ended(shot, "failed", code, message)

    def ended(
        self, shot: Shot, state: str, code: str | None = None, message: str | None = None
    ) -> None:
        """Tell that a shot has ended."""
        self.means.emit(
            ShotEnded(job_id=self.job_id, shot=shot.id, state=state, code=code, message=message)
        )

    def spoil(self, code: str, message: str) -> None:
        """Note that each further request of this job would be refused alike."""
        self.spoiled = self.spoiled or (code, message)
