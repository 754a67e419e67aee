"""The life of one drop: planned, run, and put away with its result."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from seedream_daemon.actions.again import begin, believed_session
from seedream_daemon.actions.ends import error_text
from seedream_daemon.actions.photos import plan_with_photos
from seedream_daemon.actions.plan import plan_folder, refuse_bad_photos
from seedream_daemon.actions.run import RunResult, refuse_unpriced, run_session
from seedream_daemon.daemon.before import result_before
from seedream_daemon.daemon.cancels import Cancels
from seedream_daemon.daemon.jobs import Jobs, LiveJob
from seedream_daemon.daemon.refused import NEVER_BEGUN, CancelledDropError, refused, unexpected
from seedream_daemon.daemon.wishes import FACTS as WISH_FACTS
from seedream_daemon.daemon.wishes import Wishes, settings_for
from seedream_daemon.errors import (
    ConfigError,
    ExitCode,
    SeedreamError,
    SessionBusyError,
    UsageError,
)
from seedream_daemon.events import DropPutAway, DropTaken, Emit, Warned
from seedream_daemon.inbox.claim import put_away, write_result
from seedream_daemon.inbox.place import Place
from seedream_daemon.job.plan import Plan
from seedream_daemon.run.context import REMOVED
from seedream_daemon.run.engine import Engine
from seedream_daemon.run.gate import GateClosedError
from seedream_daemon.run.job import JobRun
from seedream_daemon.run.result import local_time
from seedream_daemon.session.store import SessionWriter
from seedream_daemon.settings import Settings

# So many sessions are open at once; each holds two files. Further drops wait their turn.
MOST_AT_ONCE = 64
TRY_AGAIN_S = 5.0

T = TypeVar("T")


class DropRunner:
    """Runs claimed drops, many side by side, and puts each away."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        place: Place,
        jobs: Jobs,
        emit: Emit,
        *,
        wishes: Wishes,
        cancels: Cancels,
    ) -> None:
        self._wishes = wishes
        self._cancels = cancels
        self.settings = settings
        self._engine = engine
        self._place = place
        self._jobs = jobs
        self._emit = emit
        self._places = anyio.Semaphore(MOST_AT_ONCE)
        self.exit_codes: set[ExitCode] = set()

    async def run(self, job: LiveJob, folder: Path | None) -> None:
        """Bring a job to its end whose drop lies in _running, or is gone.

        When the service stops first the drop stays there, and the next start goes on with it.
        """
        job.folder = folder
        if folder is not None:
            self._emit(DropTaken(job_id=job.job_id, name=job.name, folder=str(folder)))
        started = local_time()
        try:
            async with self._places:
                self._refuse_if_stopping()
                result = await self._run(job, folder)
        except GateClosedError:
            self._leave(job)
            return
        except SeedreamError as error:
            gone = await anyio.to_thread.run_sync(self._is_removed, folder)
            why = CancelledDropError(REMOVED) if gone else error
            result = refused(why, job, self.settings, started)
        except Exception as error:  # noqa: BLE001 - a bug met by one job must not end the others
            result = unexpected(error, job, started, self._emit)
        self.exit_codes.add(result.exit_code)
        if result.document["state"] == "paused":
            job.run, job.state = None, "paused"
            job.reason = result.document["reason"]
            return
        try:
            await self._put_away(job, folder, result.document)
        except GateClosedError:
            self._leave(job)

    def _refuse_if_stopping(self) -> None:
        """Begin nothing once the service stops: a thousand drops may have waited for their turn."""
        if self._engine.stopping:
            raise GateClosedError

    @staticmethod
    def _leave(job: LiveJob) -> None:
        """Leave a drop in _running, for the next start."""
        job.run, job.state, job.reason = None, "paused", "The service was stopped."

    async def _run(self, job: LiveJob, folder: Path | None) -> RunResult:
        if job.cancelled:
            return await self._end_cancelled(job, folder)
        if folder is None or (job.wish and job.wish.session):
            return await self._go_on(job, folder)
        settings = settings_for(self.settings, self._place, job.wish)
        look = partial(result_before, job, folder, settings.output_base_dir)
        before = await self._insist(look)
        plan = await plan_folder(settings, folder)
        job.name, job.kind = plan.name, plan.kind
        await refuse_bad_photos(settings, plan)
        refuse_unpriced(settings, plan)
        for warning in plan.warnings:
            self._emit(Warned(message=warning, job_id=job.job_id))
        facts = {"job_id": job.job_id, "folder": str(folder), "origin": job.origin}
        facts |= job.wish.facts() if job.wish else {}
        try:
            begun = await self._patiently(job, lambda: begin(self.settings, plan, facts, before))
        except CancelledDropError:
            return await self._end_cancelled(job, folder)
        session = begun.session
        try:
            self._adopt_id(job, str(session.history.job["job_id"]))
            await self._note_session(job, folder, session.path)
            return await self._shoot(job, session, plan, begun.again)
        finally:
            session.release()

    async def _go_on(self, job: LiveJob, folder: Path | None) -> RunResult:
        """Ask again for what a session lacks, as its journal says, whatever the drop says now."""
        wish = job.wish
        assert wish is not None  # noqa: S101 - only wishes name a session
        assert wish.session is not None  # noqa: S101
        session = await SessionWriter.open(self.settings.output_base_dir / wish.session)
        try:
            plan = await anyio.to_thread.run_sync(self._with_photos, session, folder)
            job.name, job.kind = plan.name, plan.kind
            first = {k: v for k, v in session.history.job.items() if k not in WISH_FACTS}
            await session.append("job", **first, **wish.facts())
            return await self._shoot(job, session, plan, frozenset(wish.again))
        finally:
            session.release()

    def _with_photos(self, session: SessionWriter, folder: Path | None) -> Plan:
        try:
            return plan_with_photos(self.settings, session, None)
        except UsageError:
            if folder is None:
                raise
            return plan_with_photos(self.settings, session, folder)

    async def _shoot(
        self, job: LiveJob, session: SessionWriter, plan: Plan, again: frozenset[str]
    ) -> RunResult:
        def on_run(run: JobRun) -> None:
            job.run, job.state = run, "running"
            if job.cancelled:
                run.cancel()

        cap = None
        if job.wish is not None:
            cap = self.settings.mcp_max_job_usd
            if job.origin != "tool":  # what others spent on it is not the tools' doing
                cap += await self._engine.means.ledger.spent_by_job(job.job_id)
        return await run_session(
            self._engine,
            session,
            plan,
            again=again,
            only_again=bool(job.wish and job.wish.only),
            origin="tool" if job.wish else None,
            cap_micro_usd=cap,
            on_run=on_run,
            away=self._away,
            removed=partial(self._is_removed, job.folder),
        )

    async def _end_cancelled(self, job: LiveJob, folder: Path | None) -> RunResult:
        """Ask for nothing more: what is paid for is fetched, and the session closed."""
        base = self.settings.output_base_dir
        if job.wish is not None and job.wish.session is not None:
            path: Path | None = base / job.wish.session
        else:
            assert folder is not None  # noqa: S101 - only wishes have no drop
            before = await self._insist(partial(result_before, job, folder, base))
            path = await anyio.to_thread.run_sync(believed_session, base, before)
        if path is None:
            raise CancelledDropError(NEVER_BEGUN)
        session = await self._patiently(job, partial(SessionWriter.open, path))
        try:
            job.name, job.kind = session.plan.name, session.plan.kind
            self._adopt_id(job, str(session.history.job["job_id"]))
            return await self._shoot(job, session, session.plan, frozenset())
        finally:
            session.release()

    async def _patiently(self, job: LiveJob, work: Callable[[], Awaitable[T]]) -> T:
        """Open a session; a full disk, or another process that writes it, is waited for.

        Raises CancelledDropError where the job is cancelled meanwhile.
        """
        was_cancelled = job.cancelled
        while True:
            try:
                return await work()
            except (ConfigError, SessionBusyError, OSError) as error:
                reason = error.message if isinstance(error, SeedreamError) else str(error)
                if job.reason != reason:
                    job.reason = reason
                    self._emit(Warned(message=reason, job_id=job.job_id))
                await self._engine.means.gate.rest(TRY_AGAIN_S)
                if job.cancelled and not was_cancelled:
                    raise CancelledDropError(NEVER_BEGUN) from None

    def _adopt_id(self, job: LiveJob, job_id: str) -> None:
        """A drop that goes on in its session is the job that it was."""
        if job_id != job.job_id:
            self._jobs.live.pop(job.job_id, None)
            job.job_id = job_id
            self._jobs.live[job_id] = job

    async def _note_session(self, job: LiveJob, folder: Path, session: Path) -> None:
        """Leave word in the drop which session is its own, so that a restart finds it."""
        note = {"schema": 1, "job_id": job.job_id, "name": job.name, "kind": job.kind}
        note |= {"state": "running", "session": session.name, "session_path": str(session)}
        await self._insist(partial(write_result, folder, note, None))

    async def _put_away(self, job: LiveJob, folder: Path | None, document: dict[str, Any]) -> None:
        if folder is None:
            await self._insist(partial(self._jobs.end, job, document))
            return
        into = self._place.done if document["state"] == "done" else self._place.failed

        def away() -> Path:
            write_result(folder, document, error_text(document))
            return put_away(folder, into)

        job.folder = await self._insist(away)
        if job.folder is not None:
            self._emit(
                DropPutAway(
                    job_id=job.job_id,
                    name=job.name,
                    state=document["state"],
                    folder=str(job.folder),
                    reason=document["reason"],
                )
            )
        await self._insist(partial(self._jobs.end, job, document))
        await self._insist(partial(self._wishes.forget, folder.name))
        await self._insist(partial(self._cancels.forget, folder))

    async def _insist(self, work: Callable[[], Any]) -> Any:
        """Do disk work, waiting for a disk that is full or gone; a drop that is gone is let go.

        Raises GateClosedError where the service stops before the disk is back.
        """
        said = None
        while True:
            why = await anyio.to_thread.run_sync(self._away)
            try:
                if why is None:
                    return await anyio.to_thread.run_sync(work)
            except FileNotFoundError as error:
                why = await anyio.to_thread.run_sync(self._away)
                if why is None:
                    self._emit(Warned(message=f"The drop is no longer there: {error.filename}"))
                    return None
            except OSError as error:
                why = str(error)
            if said != why:
                said = why
                self._emit(Warned(message=f"Waiting for the disk: {why}"))
            await self._engine.means.gate.rest(TRY_AGAIN_S)

    def _is_removed(self, folder: Path | None) -> bool:
        """Say whether somebody took a drop away; blocks."""
        return folder is not None and self._place.lacks(folder)

    def _away(self) -> str | None:
        """Say why the disk of the inbox is not there, None if it is; blocks."""
        gone = self._place.missing()
        return None if gone is None else gone.reason
