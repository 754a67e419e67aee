"""What tools do that spends money: from arguments to an order that can be let in."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from seedream_daemon.actions.again import is_same_plan
from seedream_daemon.daemon.wishes import Wish
from seedream_daemon.errors import Problem
from seedream_daemon.inbox.claim import read_result
from seedream_daemon.inbox.tend import new_job_id
from seedream_daemon.job.plan import Plan
from seedream_daemon.tools.admission import Order
from seedream_daemon.tools.job_file import job_file
from seedream_daemon.tools.jobs import JobDesk
from seedream_daemon.tools.paths import Roots
from seedream_daemon.tools.plans import Planned, Planner
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.shapes import MakeArguments, RetryArguments, SubmitArguments
from seedream_daemon.tools.shots import find_shot, missing, price_of
from seedream_daemon.tools.stories import Story
from seedream_daemon.tools.words import line

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

MOST_TOLD = 10


class OrderDesk:
    """Turns arguments into orders; nothing is sent or written before an order's `make`."""

    def __init__(self, service: "Service", planner: Planner, roots: Roots, jobs: JobDesk) -> None:
        self._service = service
        self._planner = planner
        self._roots = roots
        self._jobs = jobs

    async def picture(
        self, tool: str, own: MakeArguments, job: Mapping[str, Any], arguments: Mapping[str, Any]
    ) -> Order:
        """Give the order of generate_image or edit_image. Raises ToolRefusedError."""
        kind = "t2i" if tool == "generate_image" else "i2i"
        planned = await self._planner.of_spec({"kind": kind, **job})
        if not planned.runs:
            raise ToolRefusedError("bad_argument", _mistakes(planned.problems))
        return self._new(tool, own, planned, arguments)

    async def submitted(self, own: SubmitArguments, arguments: Mapping[str, Any]) -> Order:
        """Give the order of submit_job. Raises ToolRefusedError."""
        if own.folder is None:
            planned = await self._planner.of_spec(own.spec)
            return self._new("submit_job", own, _running(planned), arguments)
        folder, where = await anyio.to_thread.run_sync(self._roots.folder, own.folder)
        there = await anyio.to_thread.run_sync(os.path.isdir, folder)
        if where in ("_running", "_done") and there:
            raise await self._already(folder)
        planned = _running(await self._planner.of_folder(folder))
        if where == "inbox":
            return self._hurried(own, planned, folder, arguments)
        if where == "_failed":
            return await self._resumed(own, planned, folder, arguments)
        return self._new("submit_job", own, planned, arguments)

    async def again(self, own: RetryArguments, arguments: Mapping[str, Any]) -> Order:
        """Give the order of retry_job. Raises ToolRefusedError."""
        story = await self._jobs.story(own.job_id)
        if not story.ended:
            raise ToolRefusedError(
                "not_ended",
                "The job has not ended; it asks again by itself for what is worth it. Wait with "
                "get_job, or end it with cancel_job.",
            )
        plan, history = story.plan, story.history
        if plan is None or history is None or story.session is None:
            raise ToolRefusedError(
                "nothing_to_retry",
                "The job has no session: it was refused or cancelled before anything was sent. "
                "Look at it with check_job, then submit it anew.",
            )
        again, refused = missing(plan, history)
        wanted = again
        if own.shot is not None:
            shot = find_shot(plan, own.shot)
            if shot is None:
                raise ToolRefusedError(
                    "unknown_shot",
                    f"The job has no shot {line(own.shot, 80)!r}. Take shot of an item of "
                    "load_session.",
                )
            wanted = (shot,) if shot in (*again, *refused) else ()
        if not wanted:
            raise _nothing_to_retry(len(refused) if own.shot is None else 0)
        only = tuple(shot.id for shot in wanted)

        async def make(wish: Wish) -> str:
            return await self._go_on(story, replace(wish, again=only, only=True))

        return Order(
            tool="retry_job",
            arguments=arguments,
            price=price_of(plan, wanted, self._service.settings.price_per_image_usd),
            said=f"Ask again for {_counted(len(wanted), 'shot')} of an ended job.",
            make=make,
            request_key=own.request_key,
            confirm_usd=own.confirm_usd,
            job_id=story.job_id,
            ours=story.origin == "tool",
        )

    def _new(
        self,
        tool: str,
        own: MakeArguments | SubmitArguments,
        planned: Planned,
        arguments: Mapping[str, Any],
    ) -> Order:
        plan, spec = planned.plan, planned.spec
        assert plan is not None  # noqa: S101 - it runs
        assert spec is not None  # noqa: S101
        try:
            text = job_file(spec, plan)
        except UnicodeEncodeError:
            raise ToolRefusedError(
                "bad_job", "The name of a photo is not UTF-8. Rename the file, then call again."
            ) from None

        async def make(wish: Wish) -> str:
            submissions = self._service.submissions
            job = await submissions.make(plan.name, text, replace(wish, made=True))
            return job.job_id

        return self._order(tool, own, plan, arguments, make=make)

    def _hurried(
        self, own: SubmitArguments, planned: Planned, folder: Path, arguments: Mapping[str, Any]
    ) -> Order:
        async def make(wish: Wish) -> str:
            job_id = await self._service.submissions.hurry(folder.name, wish)
            if job_id is None:
                raise ToolRefusedError(
                    "bad_job",
                    "The folder is no longer in the inbox, or its name says that it is unfinished. "
                    "Look with list_jobs whether it has begun.",
                )
            return job_id

        assert planned.plan is not None  # noqa: S101 - it runs
        return self._order("submit_job", own, planned.plan, arguments, make=make)

    async def _resumed(
        self, own: SubmitArguments, planned: Planned, folder: Path, arguments: Mapping[str, Any]
    ) -> Order:
        plan = planned.plan
        assert plan is not None  # noqa: S101 - it runs
        result = await anyio.to_thread.run_sync(read_result, folder) or {}
        story = await self._jobs.known(str(result.get("job_id")))
        job_id = story.job_id if story else new_job_id()
        same = story is not None and story.plan is not None and is_same_plan(story.plan, plan)

        async def make(wish: Wish) -> str:
            self._refuse_live(job_id)
            job = await self._service.submissions.go_on(folder, job_id, plan.name, wish)
            return job.job_id

        order = self._order("submit_job", own, plan, arguments, make=make)
        if story is None:
            return order
        ours = story.origin == "tool"
        price = self._jobs.retry_price(story) if same else order.price
        return replace(order, price=price, job_id=job_id, ours=ours)

    def _order(
        self,
        tool: str,
        own: MakeArguments | SubmitArguments,
        plan: Plan,
        arguments: Mapping[str, Any],
        *,
        make: Any,
    ) -> Order:
        most = len(plan.shots) * plan.asked.count
        return Order(
            tool=tool,
            arguments=arguments,
            price=plan.price_micro_usd,
            said=f"Make {_counted(most, 'picture')} with {line(plan.model, 60)}.",
            make=make,
            request_key=own.request_key,
            confirm_usd=own.confirm_usd,
        )

    async def _go_on(self, story: Story, wish: Wish) -> str:
        assert story.session is not None  # noqa: S101 - the order looked
        self._refuse_live(story.job_id)
        names = (
            story.folder.name if story.folder else "",
            Path(str((story.history.job if story.history else {}).get("folder") or "")).name,
        )
        folder = await self._service.submissions.drop_of(story.job_id, names)
        job = await self._service.submissions.go_on(
            folder,
            story.job_id,
            story.name or "",
            replace(wish, session=story.session.name),
        )
        return job.job_id

    def _refuse_live(self, job_id: str) -> None:
        if job_id in self._service.jobs.live:
            raise ToolRefusedError(
                "not_ended", "The job is at work again already. Wait for it with get_job."
            )

    async def _already(self, folder: Path) -> ToolRefusedError:
        live = self._service.jobs.live.values()
        known = next((job.job_id for job in live if job.folder and job.folder == folder), None)
        if known is None:
            result = await anyio.to_thread.run_sync(read_result, folder) or {}
            told = str(result.get("job_id") or "")
            known = told if told.isalnum() and len(told) <= 20 else None
        which = f"job {known}" if known else "a job"
        return ToolRefusedError(
            "already",
            f"This folder belongs to {which} already. Look at it with get_job; do not submit it "
            "again.",
        )


def _running(planned: Planned) -> Planned:
    if not planned.runs:
        raise ToolRefusedError("bad_job", _mistakes(planned.problems))
    return planned


def _mistakes(problems: tuple[Problem, ...]) -> str:
    """Say the first mistakes; the names of photos stay out of it."""
    told = []
    for problem in problems[:MOST_TOLD]:
        file = problem.file if problem.file in ("job.toml", "spec") else "a photo"
        at = f"{file}:{problem.line}" if problem.line else file
        told.append(f"{at}: {problem.message}.")
    more = len(problems) - MOST_TOLD
    rest = f" And {more} more; check_job tells all." if more > 0 else ""
    return f"{' '.join(told)}{rest} Nothing was sent; mend this and call again."


def _nothing_to_retry(refused: int) -> ToolRefusedError:
    if refused:
        what = f"Only shots are missing that were refused for their content ({refused})."
        todo = "Word the prompt differently, or name one of them with shot."
    else:
        what, todo = "There is nothing to ask for again: it is saved.", "Look with view_image."
    return ToolRefusedError("nothing_to_retry", f"{what} {todo}")


def _counted(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"up to {number} {what}s"
