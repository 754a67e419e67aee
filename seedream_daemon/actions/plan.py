"""A folder -> its plan, with every mistake that would keep it from running."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from seedream_daemon.errors import PRECEDENCE, ExitCode, JobInvalidError, Problem, UsageError
from seedream_daemon.job.draft import Draft
from seedream_daemon.job.gather import named_paths
from seedream_daemon.job.models import family_of
from seedream_daemon.job.plan import Photo, Plan, Shot
from seedream_daemon.job.planner import plan_job
from seedream_daemon.job.problems import problem_document
from seedream_daemon.job.spec import MAX_BYTES, draft_job
from seedream_daemon.photos.folder import look
from seedream_daemon.photos.inspect import inspect
from seedream_daemon.photos.treatment import photo_problem, turn_warning
from seedream_daemon.run.pricing import shot_price
from seedream_daemon.run.result import dollars, left_out
from seedream_daemon.settings import Settings

JOB_FILE = "job.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A plan and what is wrong with its photos.

    `refusing` keep the job from running; `bad_photos` fail their own shots only.
    """

    plan: Plan
    refusing: tuple[Problem, ...]
    bad_photos: tuple[Problem, ...]
    warnings: tuple[str, ...]


async def plan_folder(settings: Settings, folder: Path) -> Plan:
    """Read a job folder. Raises UsageError without a folder, JobInvalidError with all mistakes."""
    return await anyio.to_thread.run_sync(_plan_folder, settings, folder)


async def check_folder(settings: Settings, folder: Path) -> Checked:
    """Read a job folder and look at every photo that it would send. Sends nothing."""
    plan = await plan_folder(settings, folder)
    return await anyio.to_thread.run_sync(_check_photos, settings, plan, _all_photos(plan))


def check_plan(settings: Settings, plan: Plan) -> Checked:
    """Look at every photo that a plan would send. Blocks."""
    return _check_photos(settings, plan, _all_photos(plan))


async def refuse_bad_photos(settings: Settings, plan: Plan) -> None:
    """Raise JobInvalidError if a photo is bad that the job cannot do without.

    In bulk each photo is looked at when its turn comes, and fails its own shot.
    """
    if plan.kind == "bulk" and plan.on_bad_photo != "fail":
        return
    checked = await anyio.to_thread.run_sync(_check_photos, settings, plan, _all_photos(plan))
    if checked.refusing:
        raise JobInvalidError(checked.refusing)


def _plan_folder(settings: Settings, folder: Path) -> Plan:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder. Name the folder that holds job.toml.")
    try:
        return plan_spec(settings, draft_job(job_bytes(folder)), folder)
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}. Look at its mode.") from error


def plan_spec(settings: Settings, draft: Draft, folder: Path) -> Plan:
    """Plan a job in a folder, whoever said it. Raises JobInvalidError, OSError. Blocks."""
    return plan_job(
        draft,
        look(folder, also=() if draft.spec is None else named_paths(draft.spec)),
        default_model=settings.seedream_model_id,
        default_family=settings.seedream_model_family,
        price_per_image_micro_usd=settings.price_per_image_usd,
        allowed_roots=tuple(root.resolve() for root in settings.allowed_roots),
    )


def job_bytes(folder: Path) -> bytes:
    """Read job.toml if it is an ordinary file: a link may lead anywhere, a pipe never ends.

    Raises JobInvalidError. Blocks.
    """
    try:
        with open(folder / JOB_FILE, "rb", opener=_no_link_no_wait) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise JobInvalidError((_unread("this is no file; put a text file there"),))
            if facts.st_size > MAX_BYTES:
                what = f"the file is {facts.st_size:,} bytes long; at most {MAX_BYTES:,} are read"
                raise JobInvalidError((_unread(what),))
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise JobInvalidError((_no_job_file(folder, error),)) from error


def _no_link_no_wait(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _unread(what: str) -> Problem:
    return Problem(file=JOB_FILE, message=what)


def _no_job_file(folder: Path, error: OSError) -> Problem:
    if not os.path.isdir(folder):  # noqa: PTH112 - which also takes a name that is too long
        message = "there is no such folder; name the one that holds job.toml"
    elif (folder / "job.toml.txt").exists():
        message = (
            f"there is none in {folder}, but a job.toml.txt; rename it to job.toml (in Windows, "
            "show file name extensions first)"
        )
    elif isinstance(error, FileNotFoundError):
        empty = next(folder.iterdir(), None) is None
        message = (
            f"the folder {folder} is empty; put photos and a job.toml into it"
            if empty
            else f"there is none in {folder}; put one beside the photos"
        )
    elif error.errno == errno.ELOOP:
        message = "this is a symbolic link; put the file itself there"
    else:
        message = f"the file cannot be read: {error.strerror}"
    return _unread(message)


def _all_photos(plan: Plan) -> tuple[Photo, ...]:
    """Every photo once, in the order of the shots."""
    return tuple(dict.fromkeys(photo for shot in plan.shots for photo in shot.photos))


def _check_photos(settings: Settings, plan: Plan, photos: tuple[Photo, ...]) -> Checked:
    problems: list[Problem] = []
    warnings = list(plan.warnings)
    for photo in photos:
        try:
            facts = inspect(photo.path)
        except OSError as error:
            said: str | None = f"cannot be read: {error.strerror}"
        else:
            said = photo_problem(plan, photo, facts, max_input_mb=settings.max_input_mb)
            if warning := turn_warning(plan, photo, facts, max_input_mb=settings.max_input_mb):
                warnings.append(warning)
        if said:
            problems.append(Problem(file=photo.name, message=f"the photo {said}"))
    spares_others = plan.kind == "bulk" and plan.on_bad_photo != "fail"
    return Checked(
        plan=plan,
        refusing=() if spares_others else tuple(problems),
        bad_photos=tuple(problems) if spares_others else (),
        warnings=tuple(warnings),
    )


async def checked_documents(
    settings: Settings, folders: tuple[Path, ...]
) -> tuple[list[dict[str, Any]], ExitCode]:
    """Give what `check --json` prints of each folder, and the exit code for all of them."""
    documents, codes = [], [ExitCode.OK]
    for folder in folders:
        try:
            checked = await check_folder(settings, folder)
        except JobInvalidError as error:
            documents.append(_refused_document(folder, error))
            codes.append(ExitCode.USAGE)
        else:
            documents.append(check_document(settings, folder, checked))
            codes.append(_code_of(checked))
    return documents, next(code for code in PRECEDENCE if code in codes)


def _code_of(checked: Checked) -> ExitCode:
    if checked.refusing:
        return ExitCode.USAGE
    return ExitCode.SOME_FAILED if checked.bad_photos else ExitCode.OK


def _refused_document(folder: Path, error: JobInvalidError) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "ok": False,
        "kind": None,
        "model": None,
        "size": None,
        "shots": [],
        "left_out": [],
        "price_usd": None,
        "problems": [problem_document(problem) for problem in error.problems],
        "warnings": [],
    }


def check_document(settings: Settings, folder: Path, checked: Checked) -> dict[str, Any]:
    """Tell all that a job would send; its problems are those of job.toml and of the photos."""
    plan = checked.plan
    problems = (*checked.refusing, *checked.bad_photos)
    return {
        "folder": str(folder),
        "ok": not problems,
        "kind": plan.kind,
        "model": plan.model,
        "size": plan.size,
        "shots": [_shot_row(settings, plan, shot) for shot in plan.shots],
        "left_out": left_out(plan),
        "price_usd": dollars(plan.price_micro_usd),
        "problems": [problem_document(problem) for problem in problems],
        "warnings": list(checked.warnings),
    }


def _shot_row(settings: Settings, plan: Plan, shot: Shot) -> dict[str, Any]:
    return {
        "id": shot.id,
        "name": shot.name,
        "group": shot.group,
        "prompt": shot.prompt,
        "photos": [photo.name for photo in shot.photos],
        "size": plan.size,
        "max_pictures": plan.asked.count,
        "price_usd": dollars(_price_of(settings, plan, shot)),
    }


def _price_of(settings: Settings, plan: Plan, shot: Shot) -> int | None:
    """Give the most that a shot can cost, in micro-dollars; None where the plan's is unknown."""
    if plan.price_micro_usd is None:
        return None
    family, _ = family_of(plan.model, plan.family)
    return shot_price(
        plan,
        family,
        shot,
        images=plan.asked.count,
        per_image_micro_usd=settings.price_per_image_usd,
    )
