"""What a shot's history is made of."""

from dataclasses import dataclass
from enum import Enum

# The code of a picture that was saved, and that a person took away since.
DELETED = "deleted"


class ShotState(Enum):
    """Where a shot stands; planned also while a request for it is in flight."""

    PLANNED = "planned"
    ANSWERED = "answered"
    SAVED = "saved"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A request that was on its way: `at` is RFC 3339, `pictures_told` what its answer told."""

    shot: str
    request_id: str
    attempt: int
    count: int
    price_micro_usd: int
    at: str
    pictures_told: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredPicture:
    """A picture that was made and paid for and has no file yet.

    `number` is its place in the shot from 1 and decides its file's name, `index` its place in
    the answer. `answered_at` is our clock, `server_time` the server's, both RFC 3339: the URL
    lives for 24 hours from then.
    """

    shot: str
    number: int
    index: int
    url: str
    size: str | None
    request_id: str
    answered_at: str
    server_time: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPicture:
    """A picture on disk: `file` is relative to the session, `size` what the service told.

    `url` was told at `answered_at`; None for a picture of another session.
    """

    number: int
    file: str
    bytes: int
    sha256: str
    size: str | None = None
    url: str | None = None
    width: int | None = None
    height: int | None = None
    from_session: str | None = None
    answered_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a shot, or a picture of it, will not come."""

    code: str
    message: str
    retryable: bool
    request_id: str | None
