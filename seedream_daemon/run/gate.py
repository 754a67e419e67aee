"""Who may send next: slots dealt in turn to the jobs that have work."""

from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

# How long the first request of a process goes alone. A refused key answers sooner than this, so a
# wrong key costs one request and not MAX_PARALLEL of them.
FIRST_ALONE_S = 0.15


class GateClosedError(Exception):
    """Nothing more will be sent: the process stops, or the queue will not be waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Why nothing is sent: `why` is a word for programs; `model` is what was asked for then."""

    why: str
    message: str
    model: str = ""


class Gate:
    """Lets at most `limit()` requests run at once, dealing free slots to the lanes in turn.

    A lane is a job. A lane that has waited for nothing takes the next slot that frees, so a small
    job behind a large one is served at once. `limit` is asked anew at every slot, and may fall
    and rise while requests run.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._waiting: OrderedDict[str, deque[anyio.Event]] = OrderedDict()
        self._granted: set[anyio.Event] = set()
        self._held = 0
        self._closed = False
        self._proven = False
        self._on_trial = False
        self._shut = anyio.Event()
        self._first_sent = anyio.Event()
        self.pause: Pause | None = None
        self.waits_out_pauses = False

    @property
    def held(self) -> int:
        """How many slots are taken."""
        return self._held

    @property
    def closed(self) -> bool:
        """Whether nothing will be sent any more."""
        return self._closed

    @asynccontextmanager
    async def slot(self, lane: str) -> AsyncIterator[None]:
        """Hold a slot for `lane`; raises GateClosedError when none will come."""
        await self._acquire(lane)
        try:
            yield
        finally:
            self._held -= 1
            self._deal()

    async def rest(self, seconds: float) -> None:
        """Sleep; raises GateClosedError as soon as nothing will be sent any more."""
        with anyio.move_on_after(seconds):
            await self._shut.wait()
        self._refuse_if_shut()

    def close(self) -> None:
        """Turn away everybody who waits, now and later; those who hold a slot keep it."""
        self._closed = True
        self._shut.set()
        self._wake_all()

    def stop_sending(self, pause: Pause) -> None:
        """Send nothing until `reopen`; without `waits_out_pauses`, waiters are turned away."""
        self.pause = pause
        self._proven = False
        self._on_trial = True
        if not self.waits_out_pauses:
            self._shut.set()
            self._wake_all()

    def reopen(self) -> None:
        """Let one request try; only its answer (`prove`) lets the others follow."""
        self.pause = None
        self._deal()

    def prove(self) -> None:
        """Say that the service takes our requests: the first one need no longer go alone."""
        self._on_trial = False
        if not self._proven:
            self._proven = True
            self._deal()

    def sent(self) -> None:
        """Say that a request has left."""
        self._first_sent.set()

    async def presume_after_first(self) -> None:
        """Let the others follow when the first request was not refused for a while."""
        await self._first_sent.wait()
        # In steps, so that on a machine that stalls an answer that has come is heard first.
        for _ in range(6):
            await anyio.sleep(FIRST_ALONE_S / 6)
        self.presume()

    def presume(self) -> None:
        """Say that the first request was not refused at once; not enough after a pause."""
        if not self._on_trial:
            self.prove()

    def deal(self) -> None:
        """Deal free slots anew, after the limit has changed."""
        self._deal()

    async def _acquire(self, lane: str) -> None:
        self._refuse_if_shut()
        turn = anyio.Event()
        self._waiting.setdefault(lane, deque()).append(turn)
        self._deal()
        try:
            await turn.wait()
        except BaseException:
            self._withdraw(lane, turn)
            raise
        if turn not in self._granted:
            self._withdraw(lane, turn)
            self._refuse_if_shut()
        self._granted.discard(turn)

    def _withdraw(self, lane: str, turn: anyio.Event) -> None:
        if turn in self._granted:
            self._granted.discard(turn)
            self._held -= 1
            self._deal()
            return
        turns = self._waiting.get(lane)
        if turns and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[lane]

    def _refuse_if_shut(self) -> None:
        if self._closed or (self.pause and not self.waits_out_pauses):
            raise GateClosedError

    def _deal(self) -> None:
        while self._waiting and not self._closed and self.pause is None:
            if self._held >= self._limit() or (self._held and not self._proven):
                return
            lane, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                # To the back of the row: every other lane is served before this one again.
                self._waiting[lane] = turns
            self._held += 1
            self._granted.add(turn)
            turn.set()

    def _wake_all(self) -> None:
        for turns in self._waiting.values():
            for turn in turns:
                turn.set()
        self._waiting.clear()
