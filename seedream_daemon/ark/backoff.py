"""How long to wait, and how many requests to have in flight, after the service said "later".

Arithmetic only: the caller brings the time, the chance and the sleep.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_S = 1.0
CAP_S = 60.0
# A service that asks for more than an hour means an account that is paused, not a wait.
LONGEST_ASKED_S = 3600.0


def wait_s(attempt: int, retry_after_s: float | None, chance: float) -> float:
    """Return the seconds to wait after failed *attempt* (from 1), with *chance* from 0 to 1.

    A wait that the service asked for is kept to, and prolonged by at most a tenth, so that
    requests refused together do not return together. Else it doubles from one second to sixty,
    of which chance takes up to a half.
    """
    if retry_after_s is not None:
        asked_s = min(max(retry_after_s, 0.0), LONGEST_ASKED_S)
        return asked_s + chance * min(max(asked_s, 1.0) * 0.1, 5.0)
    full_s = min(CAP_S, FIRST_S * 2.0 ** min(attempt - 1, 16))
    return full_s * (0.5 + 0.5 * chance)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number, or a date after *now*.

    None where there is no header or it cannot be read (RFC 9110, 10.2.3).
    """
    text = (value or "").strip()
    if text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:  # "-0000" and the older forms mean UTC
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


class Throttle:
    """How many requests may be in flight: fewer after a 429, more again after successes.

    All times are seconds of one monotonic clock. A refusal halves the allowance, at most once
    per round trip: the refusals of requests that were under way at a halving tell nothing new.
    As many successes as are allowed in flight give one back.
    """

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit is {limit}, and must be at least 1")
        self._limit = limit
        self._allowed = limit
        self._successes = 0
        self._halved_at = float("-inf")
        self._hold_until = float("-inf")

    @property
    def limit(self) -> int:
        """How many requests may be in flight when nothing is refused."""
        return self._limit

    @property
    def allowed(self) -> int:
        """How many requests may be in flight now, from 1 to the limit."""
        return self._allowed

    @property
    def hold_until(self) -> float:
        """Before this time nothing may start."""
        return self._hold_until

    def resize(self, limit: int) -> None:
        """Take another limit; what is allowed now follows it at once where it was not lowered."""
        self._allowed = limit if self._allowed == self._limit else min(self._allowed, limit)
        self._limit = limit

    def may_start(self, *, in_flight: int, now: float) -> bool:
        """Say whether one more request may start."""
        return in_flight < self._allowed and now >= self._hold_until

    def refuse(self, *, sent_at: float, now: float, retry_after_s: float | None = None) -> None:
        """Take in a 429 to a request that was sent at *sent_at*."""
        self._successes = 0
        if retry_after_s is not None:
            asked_s = min(max(retry_after_s, 0.0), LONGEST_ASKED_S)
            self._hold_until = max(self._hold_until, now + asked_s)
        if sent_at >= self._halved_at:
            self._halved_at = now
            self._allowed = max(1, self._allowed // 2)

    def succeed(self) -> None:
        """Take in an answer with pictures."""
        if self._allowed == self._limit:
            return
        self._successes += 1
        if self._successes >= self._allowed:
            self._successes = 0
            self._allowed += 1
