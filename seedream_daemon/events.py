"""Every fact worth telling while jobs run, one frozen type each.

The progress bar, the log and the status line are readers of the same stream: whoever runs a job
is given an `emit` and tells it what happened; it never prints.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """A job's shots begin; `todo` of its `shots` are still to be asked for."""

    job_id: str
    name: str
    kind: str
    session: str
    shots: int
    todo: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotosPrepared:
    """The photos of a shot were read and are ready to be sent."""

    job_id: str
    shot: str
    photos: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotSending:
    """A request leaves."""

    job_id: str
    shot: str
    attempt: int
    request_id: str
    photos_inline: int
    payload_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotAnswered:
    """An answer came, with this many pictures to fetch."""

    job_id: str
    shot: str
    request_id: str
    pictures: int
    images_billed: int | None
    cost_micro_usd: int
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotRefused:
    """A request came to nothing; `wait_s` is how long until the next try, None if there is none."""

    job_id: str
    shot: str
    request_id: str | None
    attempt: int
    code: str
    status: int | None
    message: str
    verdict: str
    latency_s: float
    wait_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSaved:
    """A picture is on disk under its final name."""

    job_id: str
    shot: str
    path: str
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRetrying:
    """A picture that is paid for could not be fetched yet."""

    job_id: str
    shot: str
    message: str
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotEnded:
    """A shot ended as saved, failed, in_doubt or lost."""

    job_id: str
    shot: str
    state: str
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePaused:
    """Nothing new is sent, for this reason."""

    why: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReopened:
    """Requests leave again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnded:
    """A job is over, or rests until it is resumed."""

    job_id: str
    name: str
    session: str
    state: str
    saved: int
    failed: int
    in_doubt: int
    lost: int
    pictures: int
    cost_micro_usd: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTaken:
    """A drop is whole and was claimed: its job begins, or goes on after a restart."""

    job_id: str
    name: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPutAway:
    """A drop lies where it ends: in _done or _failed."""

    job_id: str
    name: str
    state: str
    folder: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that a person should know, though the work goes on."""

    message: str
    job_id: str | None = None


Event = (
    JobStarted
    | PhotosPrepared
    | ShotSending
    | ShotAnswered
    | ShotRefused
    | PictureSaved
    | FetchRetrying
    | ShotEnded
    | QueuePaused
    | QueueReopened
    | JobEnded
    | DropTaken
    | DropPutAway
    | Warned
)
Emit = Callable[[Event], None]
