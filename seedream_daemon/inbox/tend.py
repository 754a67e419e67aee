"""Looks after one drop: from the first sight of it until it is claimed or taken away."""

import secrets
import string
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from seedream_daemon.inbox import claim, rights, sight
from seedream_daemon.inbox.place import Place
from seedream_daemon.inbox.settle import Check, Claim, Settling, Sight, Wait, Wholeness

T = TypeVar("T")

_LETTERS = string.digits + string.ascii_lowercase


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A drop that is whole and ours, lying below _running.

    `name` is what it was called in the inbox; `cut_short` names files that never became whole.
    `seen` is when it was first seen there, RFC 3339.
    """

    job_id: str
    name: str
    folder: Path
    seen: str
    cut_short: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """What tending a drop takes, the same for all of them.

    `check` is called in a worker thread, `on_drop` awaited once the drop is claimed;
    `on_put_back` is told the name under which a drop went back into the inbox, `on_claim` the
    name that is about to leave it, and `on_no_claim` that it did not.
    """

    place: Place
    settle_s: float
    threads: CapacityLimiter
    check: Callable[[Path], Wholeness]
    on_drop: Callable[[Drop], Awaitable[None]]
    on_put_back: Callable[[str], None]
    on_claim: Callable[[str], None]
    on_no_claim: Callable[[str], None]


class Tended:
    """One drop in the inbox. `wait` says what it waits for, None before the first look."""

    def __init__(self, name: str, care: Care, *, absent_s: float | None) -> None:
        self.name = name
        self.job_id = new_job_id()
        self.seen = datetime.now().astimezone().isoformat(timespec="seconds")
        self.wait: Wait | None = None
        self._care = care
        self._folder = care.place.root / name
        self._settling = Settling(settle_s=care.settle_s, absent_s=absent_s)
        self._look_now = anyio.Event()

    async def run(self, on_step: Callable[[], None]) -> None:
        """Look at the drop again and again until it is claimed or gone; tell after every look."""
        while (again_s := await self._step()) is not None:
            on_step()
            with anyio.move_on_after(again_s):
                await self._look_now.wait()
            self._look_now = anyio.Event()

    def hurry(self) -> None:
        """Take the drop as soon as it is whole, without waiting for quiet."""
        self._settling.hurry()
        self._look_now.set()

    def moved_in(self) -> None:
        """Take note that the drop was renamed in from outside the inbox."""
        self._settling.moved_in()
        self._look_now.set()

    def renamed(self) -> None:
        """Take note that the drop got its name within the inbox."""
        self._settling.restart()
        self._look_now.set()

    async def _step(self) -> float | None:
        """Look once and act; give the seconds until the next look, None at the end."""
        try:
            seen = await self._in_thread(partial(sight.look, self._folder))
            if seen is None:
                return None
            decision = self._settling.look(
                seen, time.monotonic(), rest_of=await self._rest_of(seen)
            )
            match decision:
                case Wait():
                    self.wait = decision
                    return decision.again_s
                case Check():
                    check = partial(self._care.check, self._folder)
                    self._settling.checked(await self._in_thread(check))
                    return 0.0
                case Claim():
                    return await self._claim(seen, decision)
        except PermissionError as error:
            reason = await self._in_thread(partial(_trouble, self._folder))
            return self._hold(reason or f"{error.filename}: {error.strerror}")
        except OSError as error:
            return self._hold(f"the disk answers: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - a bug met by one drop must not end the others
            return self._hold(f"something unexpected happened ({type(error).__name__}: {error})")

    async def _claim(self, seen: Sight, decision: Claim) -> float | None:
        self._care.on_claim(self.name)
        taken = await self._in_thread(partial(claim.claim, self._care.place, self.name, seen))
        match taken:
            case claim.Claimed():
                await self._hand_over(taken, decision)
                return None
            case claim.StillMoving():
                self._care.on_put_back(taken.name)
                self._settling.restart()
                return 0.0 if taken.name == self.name else None
            case claim.Blocked():
                self._care.on_no_claim(self.name)
                return self._hold(taken.reason)
            case claim.Gone():
                self._care.on_no_claim(self.name)
                return None

    async def _hand_over(self, taken: claim.Claimed, decision: Claim) -> None:
        drop = Drop(
            job_id=self.job_id,
            name=taken.name,
            folder=taken.folder,
            seen=self.seen,
            cut_short=decision.cut_short,
        )
        await self._care.on_drop(drop)

    def _hold(self, reason: str) -> float:
        pause_s = max(0.2, min(10.0, self._care.settle_s / 2))
        self.wait = Wait(reason=reason, again_s=pause_s, overdue=True)
        return pause_s

    async def _rest_of(self, seen: Sight) -> str | None:
        if seen.has_job:
            return None
        started = partial(claim.has_started, self._care.place, self.name)
        return self.name if await self._in_thread(started) else None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._care.threads)


def _trouble(folder: Path) -> str | None:
    try:
        return rights.trouble(folder)
    except OSError:
        return None


def new_job_id() -> str:
    """Give a fresh job_id: j and ten of 0-9a-z."""
    return "j" + "".join(secrets.choice(_LETTERS) for _ in range(10))
