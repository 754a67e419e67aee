"""The ways by which a tool's wish becomes a job of the daemon."""

import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from seedream_daemon.daemon.jobs import Jobs, LiveJob
from seedream_daemon.daemon.wishes import Noted, Wish, Wishes
from seedream_daemon.durable import fsync_dir, write_atomically
from seedream_daemon.inbox.claim import move, read_result
from seedream_daemon.inbox.place import Place
from seedream_daemon.inbox.tend import new_job_id
from seedream_daemon.inbox.watch import Watcher
from seedream_daemon.job.names import snippet
from seedream_daemon.run.result import local_time

DRAFT = "_new-"
SEEN_S = 5.0
LOOK_S = 0.05


@dataclass(slots=True, kw_only=True)
class Submissions:
    """Takes wishes of tools. `start` runs a job whose drop lies in _running, or has none."""

    place: Place
    jobs: Jobs
    wishes: Wishes
    watcher: Watcher
    start: Callable[[LiveJob, Path | None], None]

    async def make(self, text: str, job_toml: bytes, wish: Wish) -> LiveJob:
        """Make a drop of its own for a wish and run it; `text` names it. Raises OSError."""
        job_id = new_job_id()
        noted = Noted(job_id=job_id, origin="tool", created=local_time(), wish=wish)
        name = f"{snippet(text)}-{job_id}"
        folder = await anyio.to_thread.run_sync(partial(self._make, name, job_toml, noted))
        return self._begin(noted, folder, name)

    async def hurry(self, name: str, wish: Wish) -> str | None:
        """Take a drop that settles in the inbox as if READY lay in it; give its job_id.

        None if the inbox holds no such drop (any more).
        """
        self.watcher.rescan()
        with anyio.move_on_after(SEEN_S):
            while True:
                job_id = self.watcher.hurry(name)
                if job_id is not None:
                    self.wishes.expect(job_id, wish)
                    await self._seen(job_id)
                    return job_id
                await anyio.sleep(LOOK_S)
        return None

    async def _seen(self, job_id: str) -> None:
        """Wait until a job is one that others can look up."""
        while job_id not in self.jobs.live:
            if any(drop.job_id == job_id for drop in self.watcher.waiting):
                return
            await anyio.sleep(LOOK_S)

    async def go_on(self, folder: Path | None, job_id: str, name: str, wish: Wish) -> LiveJob:
        """Run a job that has ended once more: its drop, if it has one, goes back to _running.

        Raises OSError if the drop cannot be moved.
        """
        before = self.jobs.ended.get(job_id, {})
        noted = Noted(
            job_id=job_id,
            origin=str(before.get("origin") or "folder"),
            created=str(before.get("created") or local_time()),
            wish=wish,
        )
        if folder is not None:
            folder = await anyio.to_thread.run_sync(partial(self._move_back, folder, noted))
        return self._begin(noted, folder, name)

    async def drop_of(self, job_id: str, names: tuple[str, ...]) -> Path | None:
        """Find the drop of an ended job in _failed or _done, by its result.json."""
        return await anyio.to_thread.run_sync(partial(self._find, job_id, names))

    def _begin(self, noted: Noted, folder: Path | None, name: str) -> LiveJob:
        job = live_job(noted, folder, name)
        self.start(job, folder)
        return job

    def _make(self, name: str, job_toml: bytes, noted: Noted) -> Path:
        draft = self.place.root / f"{DRAFT}{secrets.token_hex(6)}"
        draft.mkdir()
        try:
            write_atomically(draft / "job.toml", job_toml)
            self.wishes.note(name, noted)
            folder = move(draft, self.place.running, name)
        except OSError:
            with contextlib.suppress(OSError):
                (draft / "job.toml").unlink(missing_ok=True)
                draft.rmdir()
            raise
        fsync_dir(self.place.running)
        return folder

    def _move_back(self, folder: Path, noted: Noted) -> Path:
        there = move(folder, self.place.running, folder.name)
        self.wishes.note(there.name, noted)
        fsync_dir(self.place.running)
        return there

    def _find(self, job_id: str, names: tuple[str, ...]) -> Path | None:
        for into in (self.place.failed, self.place.done):
            for name in names:
                if "/" in name or name in {"", ".", ".."}:
                    continue
                folder = into / name
                found: Any = read_result(folder) if folder.is_dir() else None
                if found and found.get("job_id") == job_id:
                    return folder
        return None


def clear_drafts(place: Place) -> None:
    """Remove what a killed process had begun to make; it holds our job.toml and no more. Blocks."""
    for draft in place.root.glob(f"{DRAFT}*"):
        with contextlib.suppress(OSError):
            (draft / "job.toml").unlink(missing_ok=True)
            draft.rmdir()


def live_job(noted: Noted, folder: Path | None, name: str) -> LiveJob:
    """Give the job of a wish."""
    return LiveJob(
        job_id=noted.job_id,
        name=name,
        folder=folder,
        origin=noted.origin,
        created=noted.created,
        wish=noted.wish,
    )
