"""Jobs as tasks: the calls that begin one, and what its task tells until a day after its end."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
from mcp.server.context import HandlerResult, ServerRequestContext

from seedream_daemon.mcp_server.replies import data_reply, refusal_reply
from seedream_daemon.mcp_server.tasks import TaskView, wants_task
from seedream_daemon.mcp_server.toolbox import Toolbox
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.refusal import ToolRefusedError

BEGINNING = frozenset({"generate_image", "edit_image", "submit_job", "retry_job"})
KEPT = timedelta(hours=24)
POLL_MS = 2000
LOOK_S = 10.0
MOST_WAIT_S = 45

_ENDED = {"done": "completed", "failed": "completed", "cancelled": "cancelled"}


class JobTasks:
    """The desk of the tasks extension: each task is a job, named by an id that its journal has."""

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools

    def opening(
        self, ctx: ServerRequestContext[Any, Any], tool: str, arguments: Mapping[str, Any]
    ) -> "Opening | None":
        """Give the task that a call is to become; None for one that is answered as ever."""
        if tool not in BEGINNING or not wants_task(ctx):
            return None
        at_once = {**arguments, "wait_seconds": 0}
        waits = arguments.get("wait_seconds")
        # What is no fit number of seconds must still be refused as such.
        fits = waits is None or (isinstance(waits, int | float) and 0 <= waits <= MOST_WAIT_S)
        return Opening(
            desk=self, task_id=secrets.token_hex(16), arguments=at_once if fits else arguments
        )

    async def look(self, task_id: str) -> TaskView:
        """Give a task as its job stands. Raises KeyError."""
        job_id, tool = await self._job_of(task_id)
        try:
            job = await self._tools.get_job({"job_id": job_id}, _brief_call())
        except ToolRefusedError as refused:
            raise KeyError(task_id) from refused
        return _view(task_id, job, tool)

    async def cancel(self, task_id: str) -> None:
        """Do what cancel_job does; a job that has ended stays as it ended. Raises KeyError."""
        job_id, _ = await self._job_of(task_id)
        try:
            await self._tools.cancel_job({"job_id": job_id}, _brief_call())
        except ToolRefusedError:
            return

    async def answer(self, task_id: str, _: Mapping[str, Any]) -> None:
        """Take nothing: a job asks before it is accepted, never later. Raises KeyError."""
        await self._job_of(task_id)

    async def _job_of(self, task_id: str) -> tuple[str, str]:
        found: tuple[str, str] | None = await self._tools.job_of_task(task_id)
        if found is None:
            raise KeyError(task_id)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A call that becomes a task once its job is accepted."""

    desk: JobTasks
    task_id: str
    arguments: Mapping[str, Any]

    async def reply(self, job: Mapping[str, Any]) -> HandlerResult:
        """Give the task; a job that had begun before has no task of this call, and is told."""
        try:
            return (await self.desk.look(self.task_id)).opening()
        except KeyError:
            return data_reply(job)


def _brief_call() -> Call:
    return Call(deadline=anyio.current_time() + LOOK_S)


def _view(task_id: str, job: Mapping[str, Any], tool: str) -> TaskView:
    status = _ENDED.get(job["state"], "working")
    now = datetime.now(UTC)
    ttl_ms = None
    if status != "working" and job["finished"] is not None:
        until = datetime.fromisoformat(job["finished"]) + KEPT
        if until < now:
            raise KeyError(task_id)
        ttl_ms = round((until - datetime.fromisoformat(job["created"])).total_seconds() * 1000)
    return TaskView(
        task_id=task_id,
        status=status,
        created=job["created"],
        updated=job["finished"] or now.isoformat(timespec="milliseconds"),
        ttl_ms=ttl_ms,
        poll_ms=POLL_MS,
        message=job["next_step"],
        result=_result(job, tool) if status == "completed" else None,
    )


def _result(job: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """Give what the call would have answered, had it waited for the end."""
    empty = tool in {"generate_image", "edit_image"} and not job["saved"]
    reply = refusal_reply("all_failed", job["next_step"]) if empty else data_reply(job)
    return reply.model_dump(by_alias=True, mode="json", exclude_none=True)
