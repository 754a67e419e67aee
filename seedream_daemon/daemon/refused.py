"""What a drop is told whose job never began, or met a bug."""

import traceback
from pathlib import Path

from seedream_daemon.actions.ends import refused_result
from seedream_daemon.actions.run import RunResult
from seedream_daemon.daemon.jobs import LiveJob
from seedream_daemon.errors import ExitCode, SeedreamError
from seedream_daemon.events import Emit, Warned
from seedream_daemon.run.result import local_time
from seedream_daemon.settings import Settings

NEVER_BEGUN = "The job was cancelled before it began."


class CancelledDropError(SeedreamError):
    """The job ends as cancelled, and nothing was begun for it."""

    code = "cancelled"


def refused(error: SeedreamError, job: LiveJob, settings: Settings, started: str) -> RunResult:
    """Give the result of a job that never began."""
    known = job.wish.session if job.wish is not None else None
    session = None if known is None else settings.output_base_dir / known
    return _ended(error, job, started, session, ExitCode.SOME_FAILED)


def unexpected(error: Exception, job: LiveJob, started: str, emit: Emit) -> RunResult:
    """Give the result of a job that met a bug; its session can be resumed."""
    told = "".join(traceback.format_exception(error))
    emit(Warned(message=f"unexpected: {told}", job_id=job.job_id))
    mishap = SeedreamError(
        f"Something unexpected happened ({type(error).__name__}); the daemon's log has the "
        "details. What is paid for is saved. Move the folder back to go on."
    )
    session = None if job.run is None else job.run.context.session.path
    return _ended(mishap, job, started, session, ExitCode.UNEXPECTED)


def _ended(
    error: SeedreamError, job: LiveJob, started: str, session: Path | None, exit_code: ExitCode
) -> RunResult:
    document = refused_result(
        error,
        job_id=job.job_id,
        name=job.name,
        started=started,
        finished=local_time(),
        state="cancelled" if isinstance(error, CancelledDropError) else "failed",
    )
    if session is not None:
        document |= {"session": session.name, "session_path": str(session)}
    return RunResult(document=document, exit_code=exit_code)
