"""Start times that respect the images per minute: arithmetic only, the caller brings the clock."""

from collections import deque
from dataclasses import dataclass

WINDOW_S = 60.0


@dataclass(slots=True)
class _Start:
    at_s: float
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A request that may still count: when it started and how many images it can bill."""

    request_id: str
    at_s: float
    images: int


class Window:
    """A sliding window over the requests of the last `window_s` seconds, weighted by images.

    Times are seconds of one clock that never goes back. `per_minute` = 0 switches the pace off.
    A request that weighs more than the whole window waits until the window is empty.
    """

    def __init__(self, per_minute: int, *, window_s: float = WINDOW_S) -> None:
        self.per_minute = per_minute
        self._window_s = window_s
        self._starts: deque[_Start] = deque()
        self._by_id: dict[str, _Start] = {}
        self._ids: deque[str] = deque()
        self._total = 0

    def wait_s(self, now_s: float, images: int) -> float:
        """Say how many seconds from `now_s` a request of so many images has to wait."""
        self._notice_restart(now_s)
        self._forget(now_s)
        if not self.per_minute or not self._total:
            return 0.0
        room_for = max(0, self.per_minute - images)
        total = self._total
        for start in self._starts:
            if total <= room_for:
                break
            total -= start.images
            if total <= room_for:
                return max(0.0, start.at_s + self._window_s - now_s)
        return 0.0

    def start(self, request_id: str, now_s: float, images: int) -> None:
        """Count a request from now on."""
        self._notice_restart(now_s)
        self._forget(now_s)
        # Another process may have read its clock a moment earlier and taken the lock later; the
        # later of two times is the safe one, and keeps the queue in order.
        latest = self._starts[-1].at_s if self._starts else now_s
        start = _Start(max(now_s, latest), images)
        self._starts.append(start)
        self._ids.append(request_id)
        self._by_id[request_id] = start
        self._total += images

    def give_back(self, request_id: str, billed: int) -> None:
        """Let a request weigh what it billed, now that its answer is known."""
        start = self._by_id.get(request_id)
        if start is not None and billed < start.images:
            self._total -= start.images - billed
            start.images = billed

    def used(self, now_s: float) -> int:
        """Say how many images the last `window_s` seconds hold."""
        self._notice_restart(now_s)
        self._forget(now_s)
        return self._total

    def rebase(self) -> None:
        """Carry the window over a restart of the machine, whose clock begins at 0 again.

        All that was counted is older than the machine has been up, so time 0 is the safe guess.
        """
        for start in self._starts:
            start.at_s = 0.0

    def started(self) -> tuple[Started, ...]:
        """Give what is in the window, oldest first, to be written down."""
        pairs = zip(self._ids, self._starts, strict=True)
        return tuple(Started(request_id=i, at_s=s.at_s, images=s.images) for i, s in pairs)

    def _notice_restart(self, now_s: float) -> None:
        # A clock that never goes back has gone back: the machine was started anew, and nobody
        # could tell. A second allows for times that were rounded when they were written down.
        if self._starts and now_s < self._starts[-1].at_s - 1.0:
            self.rebase()

    def _forget(self, now_s: float) -> None:
        while self._starts and now_s - self._starts[0].at_s >= self._window_s:
            self._total -= self._starts.popleft().images
            self._by_id.pop(self._ids.popleft(), None)
