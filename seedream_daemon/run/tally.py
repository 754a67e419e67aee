"""Events -> the figures that people watch: saved, failed, in flight, pace, money, time left."""

from collections import deque

from seedream_daemon.events import (
    Event,
    JobStarted,
    PictureSaved,
    ShotAnswered,
    ShotEnded,
    ShotRefused,
    ShotSending,
)

WINDOW_S = 60.0


class Tally:
    """Counts over the events it is given; `now` is in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.shots = 0
        self.saved = 0
        self.failed = 0
        self.pictures = 0
        self.cost_micro_usd = 0
        self._todo = 0
        self._ended = 0
        self._open: set[str] = set()
        self._saves: deque[float] = deque()
        self._began: float | None = None

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return len(self._open)

    def take(self, event: Event, now: float) -> None:
        """Count one event."""
        match event:
            case JobStarted(shots=shots, todo=todo):
                self.shots += shots
                self._todo += todo
                self.saved += shots - todo
                self._began = now if self._began is None else self._began
            case ShotSending(request_id=request_id):
                self._open.add(request_id)
            case ShotAnswered(request_id=request_id, cost_micro_usd=cost):
                self._open.discard(request_id)
                self.cost_micro_usd += cost
            case ShotRefused(request_id=request_id):
                self._open.discard(request_id or "")
            case PictureSaved():
                self.pictures += 1
                self._saves.append(now)
            case ShotEnded(state=state):
                self._ended += 1
                self.saved += state == "saved"
                self.failed += state != "saved"

    def per_minute(self, now: float) -> float:
        """Pictures saved per minute, over the last minute or since the start."""
        while self._saves and now - self._saves[0] > WINDOW_S:
            self._saves.popleft()
        began = now if self._began is None else self._began
        since_s = now - max(began, now - WINDOW_S)
        return len(self._saves) * 60 / since_s if since_s > 0 else 0.0

    def eta_s(self, now: float) -> float | None:
        """Seconds until the last shot ends at the pace so far; None while nobody can tell."""
        left = self._todo - self._ended
        if left <= 0:
            return 0.0
        if not self._ended or self._began is None:
            return None
        return left * (now - self._began) / self._ended
