"""The daemon: one task group with the watcher, the engine, the socket and the pulse."""

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread

from seedream_daemon import __version__
from seedream_daemon.actions.wiring import caps_of, open_engine
from seedream_daemon.daemon.before import job_id_in
from seedream_daemon.daemon.cancels import FILE as CANCELS
from seedream_daemon.daemon.cancels import Cancels
from seedream_daemon.daemon.clients import Clients
from seedream_daemon.daemon.drops import DropRunner
from seedream_daemon.daemon.jobs import Jobs, LiveJob
from seedream_daemon.daemon.opening import open_place
from seedream_daemon.daemon.probe import keep_probing
from seedream_daemon.daemon.submit import Submissions, clear_drafts, live_job
from seedream_daemon.daemon.wishes import FILE as WISHES
from seedream_daemon.daemon.wishes import Noted, Wishes
from seedream_daemon.durable import fsync_dir
from seedream_daemon.errors import PRECEDENCE, ExitCode
from seedream_daemon.events import Emit, Event, Warned
from seedream_daemon.inbox.claim import move, read_result, running
from seedream_daemon.inbox.place import Place, lock_inbox
from seedream_daemon.inbox.tend import Drop, new_job_id
from seedream_daemon.inbox.watch import Watcher
from seedream_daemon.inbox.whole import check_whole
from seedream_daemon.photos.folder import look
from seedream_daemon.run.engine import Engine
from seedream_daemon.run.result import dollars, local_time
from seedream_daemon.run.tally import Tally
from seedream_daemon.settings import Settings


class Service:
    """The running daemon, as its doors see it: ask `status`, `jobs`; tell `cancel`, `stop`."""

    def __init__(
        self, settings: Settings, engine: Engine, place: Place, jobs: Jobs, emit: Emit
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.place = place
        self.jobs = jobs
        self.tally = Tally()
        self.since = local_time()
        self.clients = Clients()
        self.ends_when_idle = False
        self._emit = emit
        self.wishes = Wishes(settings.state_dir / WISHES)
        self.taps: list[Callable[[Event], None]] = []
        self._cancels = Cancels(settings.state_dir / CANCELS, place.running)
        self._drops = DropRunner(
            settings, engine, place, jobs, emit, wishes=self.wishes, cancels=self._cancels
        )
        self._tasks: anyio.abc.TaskGroup | None = None
        self.watcher = Watcher(
            place,
            settle_s=settings.settle_seconds,
            rescan_s=settings.rescan_seconds,
            check=partial(
                check_whole,
                look=lambda folder, also: look(folder, also=also),
                default_model=settings.seedream_model_id,
                default_family=settings.seedream_model_family,
                allowed_roots=settings.allowed_roots,
            ),
            on_drop=self._take,
            emit=emit,
            mode=settings.watch,
        )
        self.submissions = Submissions(
            place=place,
            jobs=jobs,
            wishes=self.wishes,
            watcher=self.watcher,
            start=self._start,
        )

    @property
    def exit_code(self) -> ExitCode:
        """What `serve --once` answers: the gravest of what its drops came to."""
        codes = self._drops.exit_codes | {ExitCode.OK}
        return next(code for code in PRECEDENCE if code in codes)

    async def run(self) -> None:
        """Tend the inbox and run its jobs until `stop`; what is in flight is waited for."""
        async with anyio.create_task_group() as self._tasks:
            await self._take_up()
            async with anyio.create_task_group() as watching:
                watching.start_soon(self.watcher.run)
                watching.start_soon(keep_probing, self.engine)
                await self.engine.stopped()
                watching.cancel_scope.cancel()

    async def run_once(self) -> None:
        """Run what lies in the inbox now, and return."""
        async with anyio.create_task_group() as self._tasks:
            await self._take_up()
            await self.watcher.sweep()

    def stop(self) -> None:
        """Send nothing new; `run` returns when what is in flight has ended."""
        self.engine.stop()

    def take_settings(self, settings: Settings) -> None:
        """Take what may change while jobs run: parallelism, pace, budgets."""
        means = self.engine.means
        means.throttle.resize(settings.max_parallel)
        means.ledger.limit(images_per_minute=settings.images_per_minute, caps=caps_of(settings))
        for job in self.jobs.live.values():
            if job.run is not None:
                job.run.resize()
        means.gate.deal()

    def warn(self, message: str) -> None:
        """Tell people of something that is wrong and does not stop the service."""
        self._emit(Warned(message=message))

    async def status(self) -> dict[str, Any]:
        """Give what `status --json` prints."""
        today = await self.engine.means.ledger.today()
        state, reason = self.state()
        return {
            "pid": os.getpid(),
            "version": __version__,
            "since": self.since,
            "state": state,
            "reason": reason,
            "queue": self.queue(),
            "in_flight": self.engine.in_flight,
            "images_per_minute": round(self.tally.per_minute(anyio.current_time()), 1),
            "spend": {
                "today_usd": dollars(today.spent),
                "in_doubt_usd": dollars(today.in_doubt),
                "left_usd": dollars(today.left),
            },
            "loose_files": [loose.name for loose in self.watcher.loose],
        }

    def queue(self) -> list[dict[str, Any]]:
        """Give the jobs that wait or run, oldest first: those at work, then drops that settle."""
        pause = self.state()[1]
        rows = []
        for job in self.jobs.live.values():
            row = job.row()
            resting = job.run.resting if job.run else None
            if row["state"] == "running" and (resting or pause):
                row["state"], row["reason"] = "paused", resting or pause
            rows.append(row)
        for drop in self.watcher.waiting:
            settling = LiveJob(
                job_id=drop.job_id, name=drop.name, folder=None, origin="folder", created=""
            )
            rows.append({**settling.row(), "reason": drop.reason})
        return rows

    def page(self, limit: int, before: str | None) -> dict[str, Any]:
        """Give what `jobs --json` prints: jobs newest first, and where the next page begins."""
        rows = list(reversed(self.queue())) + self.jobs.ended_rows()
        ids = [row["job_id"] for row in rows]
        start = ids.index(before) + 1 if before in ids else 0
        shown = rows[start : start + limit]
        more = start + limit < len(rows)
        return {"jobs": shown, "next": shown[-1]["job_id"] if shown and more else None}

    async def cancel(self, job_id: str) -> dict[str, Any] | None:
        """Cancel a job; None if nobody knows it. What is in flight is waited for and saved.

        Once this returns a restart knows of it too. Raises OSError where it could not be noted.
        """
        until = anyio.current_time() + 5.0
        while True:
            job = self.jobs.live.get(job_id)
            if job is not None:
                job.cancelled = True
                if job.run is not None:
                    job.run.cancel()
                await anyio.to_thread.run_sync(self._cancels.note, job)
                return job.row()
            waiting = (drop.name for drop in self.watcher.waiting if drop.job_id == job_id)
            if (name := next(waiting, None)) is None:
                return self.jobs.ended.get(job_id)
            try:
                return await self._cancel_settling(name, job_id)
            except FileNotFoundError:
                # The watcher is claiming it at this moment: soon it is live, or waits again.
                if anyio.current_time() > until:
                    raise
                await anyio.sleep(0.05)

    async def _cancel_settling(self, name: str, job_id: str) -> dict[str, Any]:
        job = LiveJob(
            job_id=job_id,
            name=name,
            folder=None,
            origin="folder",
            created=local_time(),
            cancelled=True,
        )
        await anyio.to_thread.run_sync(self._take_cancelled, job)
        self._start(job, job.folder)
        return job.row()

    def _take_cancelled(self, job: LiveJob) -> None:
        job.folder = move(self.place.root / job.name, self.place.running, job.name)
        fsync_dir(self.place.running)
        self._cancels.note(job)

    async def _take(self, drop: Drop) -> None:
        """Run a drop that the watcher has claimed."""
        if wish := self.wishes.expected(drop.job_id):
            noted = Noted(job_id=drop.job_id, origin="tool", created=drop.seen, wish=wish)
            await anyio.to_thread.run_sync(self.wishes.note, drop.folder.name, noted)
            self._start(live_job(noted, drop.folder, drop.name), drop.folder)
            self.wishes.met(drop.job_id)
            return
        job = LiveJob(
            job_id=drop.job_id,
            name=drop.name,
            folder=drop.folder,
            origin="folder",
            created=drop.seen,
        )
        self._start(job, drop.folder)

    async def _take_up(self) -> None:
        """Go on with the drops that an earlier process left in _running."""
        await anyio.to_thread.run_sync(clear_drafts, self.place)
        await anyio.to_thread.run_sync(self.wishes.load, self.place.running)
        await anyio.to_thread.run_sync(self._cancels.load)
        for folder in await anyio.to_thread.run_sync(running, self.place):
            if noted := self.wishes.of(folder.name):
                job = live_job(noted, folder, folder.name)
            else:
                before = await anyio.to_thread.run_sync(read_result, folder) or {}
                job = LiveJob(
                    job_id=job_id_in(before, self.jobs.live) or new_job_id(),
                    name=folder.name,
                    folder=folder,
                    origin="folder",
                    created=local_time(),
                )
            job.cancelled = self._cancels.holds(folder)
            self._start(job, folder)

    def _start(self, job: LiveJob, folder: Path | None) -> None:
        if self._tasks is None or self.engine.stopping:
            return
        self.jobs.begin(job)
        self._tasks.start_soon(self._drops.run, job, folder)

    def soon(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do some work beside the jobs; it is given up when the service ends."""
        if self._tasks is not None and not self.engine.stopping:
            self._tasks.start_soon(work)

    def state(self) -> tuple[str, str | None]:
        """Say how the whole service stands: running, paused or stopping, and why."""
        gate = self.engine.means.gate
        if self.engine.stopping:
            return "stopping", "nothing new is sent; answers in flight are waited for"
        if gate.pause is not None:
            return "paused", gate.pause.message
        if self.engine.means.room.short:
            return "paused", self.engine.means.room.short
        if self.watcher.paused:
            return "paused", self.watcher.paused
        return "running", None


@asynccontextmanager
async def open_service(settings: Settings, emit: Emit, *, once: bool) -> AsyncIterator[Service]:
    """Open the inbox and all that serving it takes. Raises ConfigError."""
    jobs = Jobs(settings.state_dir / "jobs.jsonl")
    taps: list[Callable[[Event], None]] = []

    def tell(event: Event) -> None:
        for tap in taps:
            tap(event)
        emit(event)

    async with open_engine(settings, tell) as engine:
        engine.means.gate.waits_out_pauses = not once
        place = await open_place(settings, emit, once=once)
        with await anyio.to_thread.run_sync(lock_inbox, place):
            await anyio.to_thread.run_sync(jobs.load)
            service = Service(settings, engine, place, jobs, tell)
            service.taps = taps
            taps.append(lambda event: service.tally.take(event, anyio.current_time()))
            yield service
