"""What can come of one request, and the request while it is under way."""

from collections.abc import Callable
from dataclasses import dataclass, field

from seedream_daemon.session.shot_facts import AnsweredPicture
from seedream_daemon.spend.book import CapReached

OnAnswered = Callable[[AnsweredPicture], None]


class CapReachedError(Exception):
    """A cap of money forbids the next request."""

    def __init__(self, cap: CapReached) -> None:
        super().__init__(cap.message)
        self.cap = cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Pictures came; they are being fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Worth another request after `wait_s` seconds; `code` and `message` say what happened.

    `counts` is False where the shot was not at fault: the account was refused.
    """

    wait_s: float
    code: str
    message: str
    counts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Asking again would be useless, or is not ours to decide."""


Outcome = Answered | Again | Ended


@dataclass(slots=True, kw_only=True)
class Request:
    """A request while it is under way; `sent_at` is on anyio's clock, in seconds."""

    attempt: int
    request_id: str
    price_micro_usd: int | None
    on_answered: OnAnswered
    sent_at: float = 0.0
    told: list[AnsweredPicture] = field(default_factory=list)
