"""Images per minute: a sliding window for each model. Pure: the caller tells the time."""

from collections import deque

_WINDOW_S = 60.0


class ImagesPerMinute:
    """Admits requests while the last minute holds at most `limit` images; 0 admits all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def admit(self, model: str, images: int, now: float) -> float | None:
        """Count `images` and give None, or give the seconds until there would be room."""
        if not self._limit:
            return None
        seen = self._seen.setdefault(model, deque())
        while seen and seen[0][0] <= now - _WINDOW_S:
            seen.popleft()
        excess = sum(count for _, count in seen) + images - self._limit
        if excess <= 0:
            seen.append((now, images))
            return None
        for at, count in seen:
            excess -= count
            if excess <= 0:
                return at + _WINDOW_S - now
        return _WINDOW_S
