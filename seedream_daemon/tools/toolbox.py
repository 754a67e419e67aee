"""The twelve tools, one method each: arguments in, document out."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from seedream_daemon.job.plan import Plan
from seedream_daemon.session.history import History
from seedream_daemon.tools.admission import Admission, Admitted
from seedream_daemon.tools.batch import Batch
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.jobs import JobDesk
from seedream_daemon.tools.orders import OrderDesk
from seedream_daemon.tools.paths import Roots
from seedream_daemon.tools.plan_document import plan_document
from seedream_daemon.tools.plans import Planned, Planner
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.sessions import Opened, SessionDesk
from seedream_daemon.tools.shapes import (
    CancelArguments,
    CheckArguments,
    GetArguments,
    ListJobsArguments,
    ListSessionsArguments,
    LoadArguments,
    MakeArguments,
    RetryArguments,
    SubmitArguments,
    ViewArguments,
    one_of,
    parse,
)
from seedream_daemon.tools.shelf import Shelf
from seedream_daemon.tools.status import StatusDesk
from seedream_daemon.tools.stories import Stories
from seedream_daemon.tools.views import ViewDesk

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

Document = dict[str, Any]
Given = Mapping[str, Any]


class Tools:
    """The tools of one daemon. All methods raise ToolRefusedError."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        settings = service.settings
        roots = Roots.of(settings, service.place)
        self._roots = roots
        self._shelf = Shelf(settings.output_base_dir)
        self._stories = Stories(service, self._shelf)
        self._jobs = JobDesk(service, self._stories)
        self._planner = Planner(settings, roots)
        self._admission = Admission(service, self._shelf)
        self._orders = OrderDesk(service, self._planner, roots, self._jobs)
        self._pages = Batch()
        self._sessions = SessionDesk(self._shelf, self._live)
        self._views = ViewDesk(service.engine.means.workers, settings.state_dir)
        self._status = StatusDesk(service, self._stories)

    async def generate_image(self, arguments: Given, call: Call) -> Document:
        """Make pictures from text. Gives a Job."""
        return await self._picture("generate_image", arguments, call)

    async def edit_image(self, arguments: Given, call: Call) -> Document:
        """Make pictures from photos. Gives a Job."""
        return await self._picture("edit_image", arguments, call)

    async def check_job(self, arguments: Given, call: Call) -> Document:
        """Tell what a job would make and cost. Gives a Plan."""
        del call
        own, _ = parse("check_job", arguments)
        assert isinstance(own, CheckArguments)  # noqa: S101 - what its shape says
        if one_of("check_job", folder=own.folder, spec=own.spec) == "spec":
            return await self._plan(await self._planner.of_spec(own.spec))
        assert own.folder is not None  # noqa: S101 - the one of the two
        folder, _ = await anyio.to_thread.run_sync(self._roots.folder, own.folder)
        return await self._plan(await self._planner.of_folder(folder))

    async def submit_job(self, arguments: Given, call: Call) -> Document:
        """Run a job. Gives a Job."""
        own, _ = parse("submit_job", arguments)
        assert isinstance(own, SubmitArguments)  # noqa: S101 - what its shape says
        one_of("submit_job", folder=own.folder, spec=own.spec)
        known = await self._admission.find("submit_job", arguments, own.request_key, call)
        if known is None:
            known = await self._admission.admit(await self._orders.submitted(own, arguments), call)
        return await self._follow(known, own.wait_seconds, call)

    async def get_job(self, arguments: Given, call: Call) -> Document:
        """Tell how a job stands, or wait for its end. Gives a Job."""
        own, _ = parse("get_job", arguments)
        assert isinstance(own, GetArguments)  # noqa: S101 - what its shape says
        story = await self._jobs.wait(own.job_id, own.wait_seconds, call)
        return await self._jobs.document(story)

    async def cancel_job(self, arguments: Given, call: Call) -> Document:
        """Send nothing more for a job. Gives a Job."""
        del call
        own, _ = parse("cancel_job", arguments)
        assert isinstance(own, CancelArguments)  # noqa: S101 - what its shape says
        story = await self._jobs.story(own.job_id)
        if not story.ended:
            if story.origin != "tool" and self._service.settings.mcp_cancel != "all":
                raise ToolRefusedError(
                    "not_yours",
                    "A person began this job, so tools may not cancel it. Ask the person to run "
                    f"`seedream-daemon cancel {story.job_id}`.",
                )
            await self._service.cancel(story.job_id)
            self._stories.stir()
            story = await self._jobs.story(own.job_id)
        return await self._jobs.document(story)

    async def retry_job(self, arguments: Given, call: Call) -> Document:
        """Ask again for what an ended job lacks. Gives a Job."""
        own, _ = parse("retry_job", arguments)
        assert isinstance(own, RetryArguments)  # noqa: S101 - what its shape says
        known = await self._admission.find("retry_job", arguments, own.request_key, call)
        if known is None:
            known = await self._admission.admit(await self._orders.again(own, arguments), call)
        return await self._follow(known, own.wait_seconds, call)

    async def list_jobs(self, arguments: Given, call: Call) -> Document:
        """Give a page of jobs."""
        del call
        own, _ = parse("list_jobs", arguments)
        assert isinstance(own, ListJobsArguments)  # noqa: S101 - what its shape says
        return self._jobs.page(own.state, own.limit, own.cursor)

    async def list_sessions(self, arguments: Given, call: Call) -> Document:
        """Give a page of sessions."""
        del call
        own, _ = parse("list_sessions", arguments)
        assert isinstance(own, ListSessionsArguments)  # noqa: S101 - what its shape says
        asked = (own.kind, own.limit, own.cursor)
        return await self._pages.look(asked, partial(self._sessions.page, *asked))

    async def load_session(self, arguments: Given, call: Call) -> Document:
        """Give a page of one session."""
        del call
        own, _ = parse("load_session", arguments)
        assert isinstance(own, LoadArguments)  # noqa: S101 - what its shape says
        load = self._sessions.load
        return await anyio.to_thread.run_sync(load, own.session, own.limit, own.cursor)

    async def view_image(self, arguments: Given, call: Call) -> tuple[str, bytes]:
        """Give the words to a picture or a sheet, and the picture as a JPEG."""
        own, _ = parse("view_image", arguments)
        assert isinstance(own, ViewArguments)  # noqa: S101 - what its shape says
        which = one_of("view_image", session=own.session, job_id=own.job_id)
        self._refuse_without_pictures()
        name = own.session if which == "session" else await self._session_of(own.job_id or "")
        opened = await self._open(name or "")
        with anyio.move_on_at(call.deadline):
            return await self._views.look(opened, own.key, own.max_side)
        raise ToolRefusedError(
            "no_picture_yet",
            "Making the sheet takes longer than a call may. Ask again, it goes on from there; or "
            "ask for one row (2_*) or one picture of it.",
        )

    async def get_status(self, arguments: Given, call: Call) -> Document:
        """Tell how the daemon stands."""
        del call
        parse("get_status", arguments)
        return await self._status.document()

    async def picture_file(self, session: str, key: str) -> tuple[str, bytes]:
        """Give the MIME type and the content of a picture, at most 700,000 bytes of it."""
        self._refuse_without_pictures()
        return await self._views.file(await self._open(session), key)

    async def job_of_task(self, task_id: str) -> tuple[str, str] | None:
        """Give the job of a task, and the tool that began it; None for an unknown one."""
        return await self._admission.job_of_task(task_id)

    def mark_answered(self, job_id: str) -> None:
        """Note that a client was told of a job: its reply went to the transport."""
        self._admission.answered(job_id)

    async def _picture(self, tool: str, arguments: Given, call: Call) -> Document:
        own, job = parse(tool, arguments)
        assert isinstance(own, MakeArguments)  # noqa: S101 - what its shape says
        known = await self._admission.find(tool, arguments, own.request_key, call)
        if known is None:
            order = await self._orders.picture(tool, own, job, arguments)
            known = await self._admission.admit(order, call)
        document = await self._follow(known, own.wait_seconds, call)
        if document["state"] == "failed" and not document["saved"]:
            self._admission.answered(known.job_id)
            codes = ", ".join(dict.fromkeys(row["code"] for row in document["failures"]))
            why = " ".join(dict.fromkeys(row["message"] for row in document["failures"]))
            raise ToolRefusedError(
                "all_failed",
                f"No picture was made ({codes or 'the job was refused'}), job "
                f"{document['job_id']}. {why} {document['next_step']}",
            )
        return document

    async def _follow(self, admitted: Admitted, seconds: int, call: Call) -> Document:
        """Wait on an admitted job. The wait may end at any time; the job goes on."""
        cut = True
        try:
            story = await self._jobs.wait(admitted.job_id, seconds, call)
            document = await self._jobs.document(story, repeated=admitted.repeated)
            cut = False
        finally:
            self._admission.leave(admitted, cut=cut)
        return document

    async def _plan(self, planned: Planned) -> Document:
        price = planned.plan.price_micro_usd if planned.plan else None
        asks = price is not None and await self._admission.needs_confirmation(price)
        over = price is not None and await self._admission.over_budget(price)
        return plan_document(planned, asks=asks, over=over)

    async def _session_of(self, job_id: str) -> str:
        story = await self._jobs.story(job_id)
        if story.session is None:
            raise ToolRefusedError(
                "no_picture_yet",
                "The job has no session yet, or never had one. get_job tells how it stands.",
            )
        return story.session.name

    async def _open(self, session: str) -> Opened:
        return await anyio.to_thread.run_sync(self._sessions.open, session)

    def _live(self, session: str) -> tuple[Plan, History] | None:
        for job in tuple(self._service.jobs.live.values()):
            if job.run is not None and job.run.context.session.path.name == session:
                return job.run.context.plan, job.run.context.session.history
        return None

    def _refuse_without_pictures(self) -> None:
        if self._service.settings.mcp_images == "none":
            raise ToolRefusedError(
                "images_off",
                "The operator shows no pictures to models (MCP_IMAGES=none). Tell the user the "
                "path of the file instead.",
            )
