"""All that is known of one job, wherever it stands: in the inbox, at work, ended, on disk."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from seedream_daemon.daemon.jobs import LiveJob
from seedream_daemon.durable import is_locked
from seedream_daemon.events import (
    DropPutAway,
    DropTaken,
    Event,
    JobEnded,
    JobStarted,
    PictureSaved,
    QueuePaused,
    QueueReopened,
    ShotAnswered,
    ShotEnded,
    ShotRefused,
    ShotSending,
)
from seedream_daemon.job.plan import Plan
from seedream_daemon.run.tally import Tally
from seedream_daemon.session.history import Counts, History
from seedream_daemon.session.layout import LOCK
from seedream_daemon.tools.shelf import Shelf
from seedream_daemon.tools.shots import missing

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

MOST_SHOWN = 10
_ENDED = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One job as it stands. `rest` is a word for why a paused one rests.

    `plan`, `history` and `session` are None for a job that has no session. Money is in
    micro-dollars.
    """

    job_id: str
    name: str | None
    kind: str | None
    origin: str
    state: str
    rest: str | None = None
    created: str | None = None
    finished: str | None = None
    price_micro_usd: int | None = None
    session: Path | None = None
    plan: Plan | None = None
    history: History | None = None
    folder: Path | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to the job by itself."""
        return self.state in _ENDED

    @property
    def counts(self) -> Counts | None:
        """Its shots and pictures; None without a session."""
        return self.history.counts() if self.history is not None and self.plan else None

    @property
    def refused(self) -> int:
        """How many shots were refused for their content."""
        if self.plan is None or self.history is None:
            return 0
        return len(missing(self.plan, self.history)[1])


class _Watch:
    """What the events of one job at work tell."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.newest: deque[str] = deque(maxlen=MOST_SHOWN)


class Stories:
    """Looks jobs up for tools, and tells when something changed."""

    def __init__(self, service: "Service", shelf: Shelf) -> None:
        self._service = service
        self._shelf = shelf
        self._watched: dict[str, _Watch] = {}
        self._news = anyio.Event()
        service.taps.append(self._take)

    def of_live(self, job: LiveJob) -> Story:
        """Give the story of a job in the daemon's hands."""
        state, rest = self._standing(job)
        wish = job.wish
        facts: dict[str, Any] = {}
        if job.run is not None:
            context = job.run.context
            facts = {
                "plan": context.plan,
                "history": context.session.history,
                "session": context.session.path,
                "price_micro_usd": context.plan.price_micro_usd,
            }
        elif wish is not None:
            facts = {"price_micro_usd": wish.price_micro_usd}
        return Story(
            job_id=job.job_id,
            name=job.name,
            kind=job.kind,
            origin=job.origin,
            state=state,
            rest=rest,
            created=job.created or None,
            folder=job.folder,
            **facts,
        )

    async def find(self, job_id: str) -> Story | None:
        """Give the story of a job; None if nobody knows it."""
        jobs = self._service.jobs
        if (live := jobs.live.get(job_id)) is not None:
            return self.of_live(live)
        for drop in self._service.watcher.waiting:
            if drop.job_id == job_id:
                return Story(
                    job_id=job_id,
                    name=drop.name,
                    kind=None,
                    origin="tool" if self._service.wishes.expected(job_id) else "folder",
                    state="waiting",
                    created=drop.seen,
                )
        row = jobs.ended.get(job_id)
        name = row["session"] if row else None
        if name is None:
            name = await anyio.to_thread.run_sync(self._shelf.session_of, job_id)
        if name is None:
            return None if row is None else _without_session(row)
        try:
            return await anyio.to_thread.run_sync(self._on_disk, job_id, str(name), row)
        except OSError:
            return None if row is None else _without_session(row)

    def _on_disk(self, job_id: str, name: str, row: dict[str, Any] | None) -> Story:
        path = self._shelf.base / name
        history = self._shelf.recall(path).history
        if not history.job:
            raise FileNotFoundError(name)
        state = history.state
        if state not in _ENDED:
            state = "running" if is_locked(path / LOCK) else "paused"
        known = row or {}
        return Story(
            job_id=job_id,
            name=history.plan.name if history.plan else None,
            kind=history.plan.kind if history.plan else None,
            origin=str(history.job.get("origin") or "command"),
            state=state,
            rest="stop" if state == "paused" else None,
            created=known.get("created") or history.started_at,
            finished=known.get("finished") or history.ended_at,
            price_micro_usd=history.plan.price_micro_usd if history.plan else None,
            session=path,
            plan=history.plan,
            history=history,
            folder=Path(known["folder"]) if known.get("folder") else None,
        )

    def _standing(self, job: LiveJob) -> tuple[str, str | None]:
        """Say how a job at work stands, and a word for why it rests."""
        gate, means = self._service.engine.means.gate, self._service.engine.means
        if self._service.engine.stopping and job.state == "paused":
            return "paused", "stop"
        if job.state not in ("running", "paused"):
            return "waiting", None
        if gate.pause is not None:
            return "paused", "account"
        if means.room.short:
            return "paused", "disk"
        if job.run is not None and job.run.resting:
            return "paused", "budget"
        if job.state == "paused":
            return "paused", "other"
        return "running", None

    def pictures(self, story: Story) -> list[str]:
        """Give the newest pictures of a job, the latest first; blocks for one that has ended."""
        if story.plan is None or story.history is None or story.session is None:
            return []
        watch = self._watched.get(story.job_id)
        newest = list(reversed(watch.newest)) if watch else []
        if len(newest) < MOST_SHOWN:
            kept = [
                str(story.session / picture.file)
                for shot in story.plan.shots
                if (lived := story.history.shots.get(shot.id))
                for picture in lived.kept
            ]
            known = set(newest)
            rest = [path for path in reversed(kept) if path not in known]
            newest += rest if watch else sorted(rest, key=_changed, reverse=True)
        return newest[:MOST_SHOWN]

    def in_flight(self, job_id: str) -> int:
        """Count a job's requests that wait for an answer."""
        watch = self._watched.get(job_id)
        return watch.tally.in_flight if watch else 0

    def pace(self, job_id: str) -> tuple[float, float | None]:
        """Give pictures per minute and the seconds that are left, as far as can be told."""
        watch = self._watched.get(job_id)
        if watch is None:
            return 0.0, None
        now = anyio.current_time()
        return watch.tally.per_minute(now), watch.tally.eta_s(now)

    async def news(self, seconds: float) -> None:
        """Wait until something happens to any job, at most so long."""
        with anyio.move_on_after(seconds):
            await self._news.wait()

    def stir(self) -> None:
        """Wake those who wait for news."""
        self._news.set()
        self._news = anyio.Event()

    def _take(self, event: Event) -> None:
        match event:
            case JobStarted(job_id=job_id):
                self._watched[job_id] = _Watch()
            case JobEnded(job_id=job_id):
                self._watched.pop(job_id, None)
            case PictureSaved(job_id=job_id, path=path) if job_id in self._watched:
                self._watched[job_id].newest.append(path)
            case DropTaken() | DropPutAway() | QueuePaused() | QueueReopened():
                pass
            case ShotSending() | ShotAnswered() | ShotEnded() | ShotRefused():
                pass
            case _:
                return
        watch = self._watched.get(getattr(event, "job_id", ""))
        if watch is not None:
            watch.tally.take(event, anyio.current_time())
        self.stir()


def _without_session(row: dict[str, Any]) -> Story:
    return Story(
        job_id=row["job_id"],
        name=row.get("name"),
        kind=row.get("kind"),
        origin=str(row.get("origin") or "folder"),
        state=str(row.get("state") or "failed"),
        created=row.get("created"),
        finished=row.get("finished"),
        folder=Path(row["folder"]) if row.get("folder") else None,
    )


def _changed(path: str) -> float:
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0
