"""Tends the inbox: notices drops, waits until each is whole, claims it, hands it over.

Events only wake a scan; the scan decides. Every drop has a task of its own, so that a large one
that is being checked keeps no other waiting.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.abc import TaskGroup

from seedream_daemon.events import Emit, Warned
from seedream_daemon.inbox.ears import Ears, Mode
from seedream_daemon.inbox.listing import InboxListing, Loose, list_inbox
from seedream_daemon.inbox.place import NotThere, Place
from seedream_daemon.inbox.settle import Wholeness
from seedream_daemon.inbox.tend import Care, Drop, Tended

# Looks and checks of all drops together: more threads would only make the disk seek.
_THREADS = 2
_GATHER_S = 0.01  # a burst of events makes one scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A drop that still lies in the inbox, and why; `overdue` marks what a person must end."""

    job_id: str
    name: str
    reason: str
    overdue: bool
    seen: str


class Watcher:
    """Looks after one inbox.

    `check` is called in a worker thread with the folder of a drop that stands still; `on_drop` is
    awaited for each drop that was claimed, and keeps only that drop's task. `loose` is what lies
    in the inbox and is no drop. `paused` says that the inbox is not there, and why.
    `scanned_s` is the monotonic time of the last scan that came to its end, None before.
    """

    def __init__(
        self,
        place: Place,
        *,
        settle_s: float,
        rescan_s: float,
        check: Callable[[Path], Wholeness],
        on_drop: Callable[[Drop], Awaitable[None]],
        emit: Emit,
        mode: Mode = "auto",
    ) -> None:
        self.loose: tuple[Loose, ...] = ()
        self.paused: str | None = None
        self.scanned_s: float | None = None
        self._place = place
        self._device = place.hold.device
        self._emit = emit
        self._rescan_s = rescan_s
        self._poll_s = min(rescan_s, max(0.2, settle_s / 5))
        self._put_back: set[str] = set()
        self._ears = Ears(
            place.root, mode=mode, wake=self.rescan, warn=lambda why: emit(Warned(message=why))
        )
        self._care = Care(
            place=place,
            settle_s=settle_s,
            threads=CapacityLimiter(_THREADS),
            check=check,
            on_drop=on_drop,
            on_put_back=self._put_back.add,
            on_claim=self._ears.expect_leave,
            on_no_claim=self._ears.forget_leave,
        )
        self._tended: dict[str, Tended] = {}
        self._scan_now = anyio.Event()
        self._scanned = anyio.Event()
        self._progress = anyio.Event()
        self._absent_s: float | None = None

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """The drops that lie in the inbox, each with what it waits for."""
        return tuple(
            Waiting(
                job_id=drop.job_id,
                name=drop.name,
                reason=drop.wait.reason,
                overdue=drop.wait.overdue,
                seen=drop.seen,
            )
            for drop in self._tended.values()
            if drop.wait is not None
        )

    @property
    def hears_events(self) -> bool:
        """Whether events wake the scan; else it polls."""
        return self._ears.hear

    def rescan(self) -> None:
        """Look at the inbox now, without waiting for an event."""
        self._scan_now.set()

    def hurry(self, name: str) -> str | None:
        """Take a drop as soon as it is whole, as if READY lay in it; give its job_id.

        None if no drop of this name is known.
        """
        drop = self._tended.get(name)
        if drop is None:
            return None
        drop.hurry()
        return drop.job_id

    async def scanned(self) -> None:
        """Wait until the inbox has been looked at, from when on no event is missed."""
        await self._scanned.wait()

    async def run(self) -> None:
        """Tend the inbox until cancelled.

        Raises ConfigError where WATCH=events is set and there are none.
        """
        try:
            await self._ears.open()
            async with anyio.create_task_group() as tasks:
                while True:
                    self._scan_now = anyio.Event()
                    await self._scan(tasks)
                    if self.paused is None and await self._ears.keep():
                        continue
                    with anyio.move_on_after(self._rescan_s if self._ears.hear else self._poll_s):
                        await self._scan_now.wait()
                        await anyio.sleep(_GATHER_S)
        finally:
            await self._ears.close()

    async def sweep(self) -> None:
        """Tend what lies in the inbox now; return when only people can end what is left."""
        async with anyio.create_task_group() as tasks:
            await self._scan(tasks)
            while any(drop.wait is None or drop.wait.ends for drop in self._tended.values()):
                self._progress = anyio.Event()
                await self._progress.wait()
            tasks.cancel_scope.cancel()

    async def _scan(self, tasks: TaskGroup) -> None:
        began_s = time.monotonic()
        found = await to_thread.run_sync(partial(_look, self._place), limiter=self._care.threads)
        if self._place.hold.device != self._device:
            self._device = self._place.hold.device
            self._absent_s = None
            await self._ears.close()
            self._emit(Warned(message=f"The inbox {self._place.root} was mounted anew."))
        if isinstance(found, NotThere):
            self.paused, self._absent_s = found.reason, None
            await self._ears.close()
        else:
            self.paused, self.loose = None, found.loose
            for name in found.drops:
                if name not in self._tended:
                    self._tended[name] = Tended(name, self._care, absent_s=self._absent_s)
                    tasks.start_soon(self._tend, self._tended[name])
            self._take_hints()
            self._absent_s = began_s
        self.scanned_s = began_s
        self._scanned.set()

    def _take_hints(self) -> None:
        hints = self._ears.hints()
        # Our own way back from a claim looks like a rename from outside.
        for name in (hints.moved_in - self._put_back) & self._tended.keys():
            self._tended[name].moved_in()
        for name in hints.renamed & self._tended.keys():
            self._tended[name].renamed()
        self._put_back -= hints.moved_in

    async def _tend(self, drop: Tended) -> None:
        try:
            await drop.run(self._stir)
        finally:
            del self._tended[drop.name]
            self._stir()
            # Another drop may have come under this name while it was taken.
            self.rescan()

    def _stir(self) -> None:
        self._progress.set()


def _look(place: Place) -> InboxListing | NotThere:
    missing = place.come_back()
    if missing is not None:
        return missing
    try:
        return list_inbox(place.root)
    except OSError as error:
        return NotThere(reason=f"inbox not there: {place.root}: {error.strerror}")
