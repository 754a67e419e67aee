"""Run a job folder, go on with a session, ask again for what failed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from seedream_daemon.actions.finish import finish_drop
from seedream_daemon.actions.photos import plan_with_photos
from seedream_daemon.actions.plan import plan_folder, refuse_bad_photos
from seedream_daemon.actions.restore import note_deleted
from seedream_daemon.actions.wiring import open_engine
from seedream_daemon.errors import ConfigError, ExitCode, UsageError
from seedream_daemon.events import Emit, Warned
from seedream_daemon.inbox.tend import new_job_id
from seedream_daemon.job.models import family_of
from seedream_daemon.job.plan import Plan
from seedream_daemon.run.context import JobContext
from seedream_daemon.run.engine import Engine
from seedream_daemon.run.job import JobOutcome, JobRun
from seedream_daemon.run.pricing import likely_pixels
from seedream_daemon.run.result import local_time, result_document
from seedream_daemon.run.room import lack_of_room
from seedream_daemon.session.reload import find_session
from seedream_daemon.session.store import SessionWriter
from seedream_daemon.settings import Settings

OnEngine = Callable[[Engine], None]

_BAD_LINES_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended: the result.json document and the exit code that goes with it."""

    document: dict[str, Any]
    exit_code: ExitCode


async def run_folder(
    settings: Settings, folder: Path, *, emit: Emit, on_engine: OnEngine
) -> RunResult:
    """Run the job in an absolute `folder` now, into a new session; the folder is left as it is.

    `on_engine` is given the engine, so that a signal can stop it. Raises what `plan_folder`
    raises, and ConfigError where no session can be written; nothing was sent then.
    """
    plan = await plan_folder(settings, folder)
    await refuse_bad_photos(settings, plan)
    refuse_unpriced(settings, plan)
    for warning in plan.warnings:
        emit(Warned(message=warning))
    async with open_engine(settings, emit) as engine:
        on_engine(engine)
        session = await new_session(
            settings,
            plan,
            {"job_id": new_job_id(), "folder": str(folder), "origin": "command"},
        )
        return await run_session(engine, session, plan, again=frozenset())


async def resume_session(
    settings: Settings,
    name: str,
    *,
    emit: Emit,
    on_engine: OnEngine,
    photos: Path | None = None,
    again: frozenset[str] | None = frozenset(),
    max_cost_micro_usd: int | None = None,
) -> RunResult:
    """Go on with a session: fetch what is paid for, then ask for what is missing.

    `photos` is where the photos lie now, if they have moved. `again` are shots to be asked for
    once more though they ended badly, None for all such. `max_cost_micro_usd` replaces the cap
    that the job set itself. Raises SessionUnknownError, SessionBusyError, UsageError where photos
    or shots are missing.
    """
    path = await anyio.to_thread.run_sync(find_session, settings.output_base_dir, name)
    session = await SessionWriter.open(path)
    try:
        for line in session.bad_lines[:_BAD_LINES_TOLD]:
            emit(Warned(message=f"A line of the session's journal is damaged: {line}"))
        if again:
            _refuse_unknown_shots(session, again)
        find_photos = partial(plan_with_photos, settings, session, photos)
        # What is only fetched again needs no photos.
        plan = session.plan if again != frozenset() else await anyio.to_thread.run_sync(find_photos)
        for sentence in await note_deleted(session, again=again):
            emit(Warned(message=sentence))
        if again != frozenset():
            plan = await anyio.to_thread.run_sync(find_photos)
        if max_cost_micro_usd is not None:
            plan = replace(plan, max_cost_micro_usd=max_cost_micro_usd)
        result = await _resume(settings, session, plan, emit=emit, on_engine=on_engine, again=again)
    finally:
        session.release()
    folder = session.history.job.get("folder")
    try:
        finish = partial(finish_drop, settings, folder, result.document)
        there = await anyio.to_thread.run_sync(finish)
    except OSError as error:
        emit(Warned(message=f"The folder of this job could not be put away: {error}"))
    else:
        if there is not None:
            emit(Warned(message=f"The folder of this job is now {there}."))
    return result


async def _resume(
    settings: Settings,
    session: SessionWriter,
    plan: Plan,
    *,
    emit: Emit,
    on_engine: OnEngine,
    again: frozenset[str] | None,
) -> RunResult:
    run = partial(run_session, session=session, plan=plan, again=again)
    try:
        settings.require_key()
    except ConfigError:
        # What is paid for can be fetched without a key; only then is there reason to complain.
        async with open_engine(settings, emit, needs_key=False) as engine:
            on_engine(engine)
            result = await run(engine, only_fetch=True)
        if result.document["state"] != "done":
            raise
        return result
    async with open_engine(settings, emit) as engine:
        on_engine(engine)
        return await run(engine)


async def new_session(settings: Settings, plan: Plan, job: dict[str, Any]) -> SessionWriter:
    """Make the session of a job before anything is paid for. Raises ConfigError."""
    base = settings.output_base_dir
    try:
        base.mkdir(parents=True, exist_ok=True)
        first = likely_pixels(plan.size) * plan.asked.count
        lack = await anyio.to_thread.run_sync(_lack_of_room, (base, first), (settings.state_dir, 0))
        if lack is None:
            return await SessionWriter.create(base, plan, job=job)
    except OSError as error:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        why = "a file lies where the folder should be" if is_file else error.strerror
        raise ConfigError(
            f"No session can be written into OUTPUT_BASE_DIR {base}: {why}. "
            "Name a folder that this user may write to; nothing was sent."
        ) from error
    raise ConfigError(lack + " Make room and start again; nothing was sent.")


def _lack_of_room(*wishes: tuple[Path, int]) -> str | None:
    """Say what the first of these folders lacks that has too little room."""
    lacks = (lack_of_room(folder, wanted) for folder, wanted in wishes)
    return next((lack for lack in lacks if lack), None)


async def run_session(
    engine: Engine,
    session: SessionWriter,
    plan: Plan,
    *,
    again: frozenset[str] | None,
    only_fetch: bool = False,
    only_again: bool = False,
    origin: str | None = None,
    cap_micro_usd: int | None = None,
    on_run: Callable[[JobRun], None] = lambda _: None,
    away: Callable[[], str | None] = lambda: None,
    removed: Callable[[], bool] | None = None,
) -> RunResult:
    """Run what is left of a session's job to its end and tell the result.

    `on_run` is given the run as it begins, so that it can be watched and cancelled. `away` says
    why the disk of the photos is not there, None if it is; its return is waited for. `removed`
    says whether the drop was taken away, which cancels the job. `origin` is who pays now, where
    that is not who began the job, and `cap_micro_usd` a cap beside its own.
    """
    caps = [cap for cap in (plan.max_cost_micro_usd, cap_micro_usd) if cap is not None]
    started = local_time()
    context = JobContext(
        means=engine.means,
        session=session,
        plan=plan,
        family=family_of(plan.model, plan.family)[0],
        job_id=str(session.history.job["job_id"]),
        origin=origin or str(session.history.job.get("origin", "command")),
        cap_micro_usd=min(caps, default=None),
        away=away,
        removed=removed,
    )
    run = JobRun(context, again=again, only_fetch=only_fetch, only_again=only_again)
    on_run(run)
    outcome = await run.run()
    return RunResult(
        document=result_document(
            plan,
            session.history,
            outcome,
            session=session.path.name,
            session_path=str(session.path),
            started=started,
            finished=local_time(),
        ),
        exit_code=exit_code_of(outcome),
    )


def refuse_unpriced(settings: Settings, plan: Plan) -> None:
    """Raise ConfigError where the settings could never let a shot start.

    A budget is set and nobody knows what the model costs, or one request may make more pictures
    than a minute allows.
    """
    if 0 < settings.images_per_minute < plan.asked.count:
        raise ConfigError(
            f"One request of this job may make {plan.asked.count} pictures, and "
            f"IMAGES_PER_MINUTE allows {settings.images_per_minute}. Lower count, or raise "
            "IMAGES_PER_MINUTE."
        )
    caps = (settings.daily_budget_usd, settings.job_budget_usd, plan.max_cost_micro_usd)
    if plan.price_micro_usd is None and any(cap is not None for cap in caps):
        raise ConfigError(
            f"The price of {plan.model} is not known, so no budget can be kept. Set "
            "PRICE_PER_IMAGE_USD to what the service charges for a picture."
        )


def exit_code_of(outcome: JobOutcome) -> ExitCode:
    """Which code a command answers after this outcome."""
    match outcome.rest:
        case "account":
            return ExitCode.ACCOUNT_REFUSED
        case "budget" | "job_budget":
            return ExitCode.OVER_BUDGET
        case "stop":
            return ExitCode.INTERRUPTED
    return ExitCode.OK if outcome.state == "done" else ExitCode.SOME_FAILED


def _refuse_unknown_shots(session: SessionWriter, wanted: frozenset[str]) -> None:
    unknown = sorted(wanted - session.history.shots.keys())
    if unknown:
        some = ", ".join(list(session.history.shots)[:5])
        raise UsageError(
            f"{session.path.name} has no shot {', '.join(unknown)}. Its shots are {some}, ..."
        )
