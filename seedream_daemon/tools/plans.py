"""What a job would make and cost, before anything is sent."""

import hashlib
import os
import stat
import tomllib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from seedream_daemon.actions.plan import check_plan, job_bytes, plan_spec
from seedream_daemon.errors import JobInvalidError, Problem, SeedreamError
from seedream_daemon.job.draft import Draft
from seedream_daemon.job.names import snippet
from seedream_daemon.job.plan import Plan
from seedream_daemon.job.schema import JobSpec
from seedream_daemon.job.spec import draft_from_json, draft_job
from seedream_daemon.settings import Settings
from seedream_daemon.tools.paths import Roots, resolved
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.shapes import unpacked
from seedream_daemon.tools.words import without

KEPT_S = 600.0
MOST_KEPT = 32
_CENT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A job as it was looked at. Without `plan` its `problems` keep it from running.

    `spec` says it in the keys of job.toml.
    """

    plan: Plan | None
    spec: JobSpec | None
    problems: tuple[Problem, ...] = ()
    bad_photos: tuple[Problem, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether the job can be run as it stands."""
        return self.plan is not None and not self.problems


def rounded_up(micro_usd: int) -> int:
    """Give whole cents as micro-dollars, never less than what was given."""
    return -(-micro_usd // _CENT) * _CENT


def usd(micro_usd: int | None) -> float | None:
    """Give the most that something costs, in dollars rounded up to whole cents."""
    return None if micro_usd is None else rounded_up(micro_usd) // _CENT / 100


class Planner:
    """Plans jobs; a plan is remembered as long as nothing that it was made of has changed."""

    def __init__(self, settings: Settings, roots: Roots) -> None:
        self._settings = settings
        self._roots = roots
        self._kept: OrderedDict[str, tuple[float, Planned]] = OrderedDict()

    async def of_folder(self, folder: Path) -> Planned:
        """Plan the job of a folder that tools may read."""
        return await anyio.to_thread.run_sync(self._of_folder, folder, anyio.current_time())

    async def of_spec(self, spec: object) -> Planned:
        """Plan a job that was said in a call. Raises ToolRefusedError path_refused."""
        return await anyio.to_thread.run_sync(self._of_spec, unpacked(spec), anyio.current_time())

    def _of_folder(self, folder: Path, now: float) -> Planned:
        try:
            source = job_bytes(folder)
            draft = draft_job(source)
        except JobInvalidError as error:
            return Planned(plan=None, spec=None, problems=_hushed(error.problems, folder))
        known = self._settings.model_copy(update={"allowed_roots": self._roots.real})
        planned = self._planned(known, draft, folder, source, now)
        texts = tuple(_texts_of(folder))
        return replace(
            planned,
            problems=tuple(_hush(problem, texts) for problem in planned.problems),
            bad_photos=tuple(_hush(problem, texts) for problem in planned.bad_photos),
        )

    def _of_spec(self, said: object, now: float) -> Planned:
        if isinstance(said, str):
            problem = Problem(file="spec", message="this text is no JSON; send the object itself")
            return Planned(plan=None, spec=None, problems=(problem,))
        try:
            draft = draft_from_json(said, file="spec")
        except JobInvalidError as error:
            return Planned(plan=None, spec=None, problems=error.problems)
        try:
            spec = draft.spec and self._placed(draft.spec)
        except ToolRefusedError:
            if not draft.problems:
                raise
            spec = None
        if spec is None:
            return Planned(plan=None, spec=None, problems=draft.problems)
        settings = self._settings.model_copy(update={"allowed_roots": self._roots.real})
        empty = self._settings.state_dir / "empty"
        empty.mkdir(exist_ok=True)
        planned = self._planned(
            settings, replace(draft, spec=spec), empty, repr(spec).encode(), now
        )
        problems = tuple(replace(problem, file=_said_file(problem)) for problem in planned.problems)
        name = spec.name or snippet((spec.prompts or (spec.prompt or "",))[0])
        plan = planned.plan and replace(planned.plan, name=name)
        return replace(planned, plan=plan, problems=problems)

    def _placed(self, spec: JobSpec) -> JobSpec:
        """Give the job with the true place of each photo that it names."""
        placed: dict[str, Any] = {}
        for key in ("photos", "common"):
            if (named := getattr(spec, key)) is not None:
                placed[key] = resolved(self._roots, named)
        if isinstance(spec.groups, str):
            (placed["groups"],) = resolved(self._roots, spec.groups)
        elif spec.groups is not None:
            placed["groups"] = {
                name: resolved(self._roots, named) for name, named in spec.groups.items()
            }
        return spec.model_copy(update=placed)

    def _planned(
        self, settings: Settings, draft: Draft, folder: Path, source: bytes, now: float
    ) -> Planned:
        spec = None if draft.problems else draft.spec
        try:
            plan = plan_spec(settings, draft, folder)
        except JobInvalidError as error:
            return Planned(plan=None, spec=spec, problems=error.problems)
        except OSError as error:
            said = Problem(file="job.toml", message=f"the folder cannot be read: {error.strerror}")
            return Planned(plan=None, spec=spec, problems=(said,))
        mark = _mark(source, plan)
        kept = self._kept.get(mark)
        if kept is not None and now - kept[0] < KEPT_S:
            return kept[1]
        checked = check_plan(settings, plan)
        planned = Planned(
            plan=plan, spec=spec, problems=checked.refusing, bad_photos=checked.bad_photos
        )
        self._kept[mark] = (now, planned)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return planned


def _mark(source: bytes, plan: Plan) -> str:
    """Give what stays the same as long as job and photos do."""
    digest = hashlib.sha256(source)
    photos = dict.fromkeys(photo for shot in plan.shots for photo in shot.photos)
    for photo in photos:
        try:
            facts = os.stat(photo.path, follow_symlinks=False)  # noqa: PTH116 - ten thousand of them
        except OSError:
            continue
        if stat.S_ISREG(facts.st_mode):
            place = f"{photo.path}\0{facts.st_size}\0{facts.st_mtime_ns}\0"
            digest.update(place.encode("utf-8", "surrogateescape"))
    digest.update(repr((plan.name, plan.model, plan.size, len(plan.shots))).encode())
    return digest.hexdigest()


def _said_file(problem: Problem) -> str:
    return "spec" if problem.file == "job.toml" else problem.file


def _hushed(problems: tuple[Problem, ...], folder: Path) -> tuple[Problem, ...]:
    texts = tuple(_texts_of(folder))
    return tuple(_hush(problem, texts) for problem in problems)


def _hush(problem: Problem, texts: tuple[str, ...]) -> Problem:
    """Keep what the drop says in the fields for it, and out of the sentence."""
    message = problem.message
    if "is not TOML" in message:
        message = "the file is not TOML"  # what follows may quote it
    extra = tuple(text.strip('"') for text in (problem.found, problem.key) if text)
    return replace(problem, message=without(message, (*texts, *extra)))


def _texts_of(folder: Path) -> Iterator[str]:
    """Give every text that a drop holds: names of its files, keys and values of its job.toml."""
    yield str(folder)
    for _, folders, files in os.walk(folder):
        yield from (*folders, *files)
    try:
        yield from _texts_in(tomllib.loads(job_bytes(folder).decode("utf-8-sig")))
    except (SeedreamError, ValueError, RecursionError):
        return


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inside in value.items():
            yield key
            yield from _texts_in(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _texts_in(inside)
