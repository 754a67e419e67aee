"""The edge: writes a session. One writer at a time, in the whole machine, by a lock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from seedream_daemon.job.plan import Plan
from seedream_daemon.session.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A picture that is on disk and journaled: `file` is relative to the session."""

    file: str
    path: Path
    bytes: int
    sha256: str
    width: int | None
    height: int | None


class PictureBrokenError(Exception):
    """What was received is cut short or no picture; nothing was kept of it."""


class SessionWriter:
    """A session that this process writes; `history` always agrees with what is on disk."""

    path: Path
    plan: Plan
    history: History

    @classmethod
    async def create(
        cls,
        base: Path,
        plan: Plan,
        *,
        job: Mapping[str, Any],
        now: Callable[[], datetime] = ...,  # type: ignore[assignment]
        monotonic: Callable[[], float] = ...,  # type: ignore[assignment]
    ) -> Self:
        """Make a new session folder under `base`. `job`: job_id, folder, origin, and more."""
        raise NotImplementedError

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        now: Callable[[], datetime] = ...,  # type: ignore[assignment]
        monotonic: Callable[[], float] = ...,  # type: ignore[assignment]
    ) -> Self:
        """Take an existing session over. Raises SessionBusyError, SessionUnknownError."""
        raise NotImplementedError

    async def append(self, event: str, *, durable: bool = True, **fields: Any) -> None:
        """Write one entry; on return it is on disk. Raises OSError."""
        raise NotImplementedError

    def draft(self, shot: str, number: int) -> Path:
        """Say where a picture is to be received."""
        raise NotImplementedError

    async def keep(
        self, draft: Path, *, shot: str, number: int, stem: str, url: str | None = None
    ) -> Kept:
        """Make a whole draft the picture. Raises PictureBrokenError, OSError."""
        raise NotImplementedError

    async def adopt(
        self,
        source: Path,
        *,
        shot: str,
        number: int,
        stem: str,
        from_session: str,
        fingerprint: str,
    ) -> Kept:
        """Take over, unpaid, an equal picture of another session. As keep raises."""
        raise NotImplementedError

    async def refresh(self) -> None:
        """Bring the views up to date, if it is time."""
        raise NotImplementedError

    async def close(self, state: str, reason: str | None = None) -> None:
        """Write the end and the final views, and let the session go."""
        raise NotImplementedError
