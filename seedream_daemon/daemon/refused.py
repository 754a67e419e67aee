"""What a drop is told whose job never began, or met a bug."""

import traceback
from datetime import datetime

from seedream_daemon.actions.ends import refused_result
from seedream_daemon.actions.run import RunResult
from seedream_daemon.daemon.jobs import LiveJob
from seedream_daemon.errors import ExitCode, SeedreamError
from seedream_daemon.events import Emit, Warned
from seedream_daemon.settings import Settings

NEVER_BEGUN = "The job was cancelled before it began."


class CancelledDropError(SeedreamError):
    """The job ends as cancelled, and nothing was begun for it."""

    code = "cancelled"


def refused(error: SeedreamError, job: LiveJob, settings: Settings, started: str) -> RunResult:
    """Give the result of a job that never began."""
    document = refused_result(
        error,
        job_id=job.job_id,
        name=job.name,
        started=started,
        finished=_now(),
        state="cancelled" if isinstance(error, CancelledDropError) else "failed",
    )
    if job.wish is not None and job.wish.session is not None:
        path = settings.output_base_dir / job.wish.session
        document |= {"session": path.name, "session_path": str(path)}
    return RunResult(document=document, exit_code=ExitCode.SOME_FAILED)


def unexpected(error: Exception, job: LiveJob, started: str, emit: Emit) -> RunResult:
    """Give the result of a job that met a bug; its session can be resumed."""
    told = "".join(traceback.format_exception(error))
    emit(Warned(message=f"unexpected: {told}", job_id=job.job_id))
    mishap = SeedreamError(
        f"Something unexpected happened ({type(error).__name__}); the daemon's log has the "
        "details. What is paid for is saved. Move the folder back to go on."
    )
    document = refused_result(
        mishap,
        job_id=job.job_id,
        name=job.name,
        started=started,
        finished=_now(),
        state="failed",
    )
    if job.run is not None:
        session = job.run.context.session.path
        document |= {"session": session.name, "session_path": str(session)}
    return RunResult(document=document, exit_code=ExitCode.UNEXPECTED)


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
