"""The extension io.modelcontextprotocol/tasks (SEP-2663): a long call gives a task to ask about.

Only clients that declare it in a request, at 2026-07-28 or later, are given tasks. What a task is
and where it is kept is the business of a `Desk`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ClientCapabilities,
    MissingRequiredClientCapabilityErrorData,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field

TASKS = "io.modelcontextprotocol/tasks"

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task as it stands. Times are RFC 3339, `ttl_ms` counts from `created`."""

    task_id: str
    status: str
    created: str
    updated: str
    ttl_ms: int | None
    poll_ms: int
    message: str | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    input_requests: Mapping[str, Any] = field(default_factory=dict)

    def opening(self) -> dict[str, Any]:
        """Give the reply to the call that became this task."""
        return {**self._common(), "resultType": "task"}

    def document(self) -> dict[str, Any]:
        """Give the reply to tasks/get."""
        inside: dict[str, Any] = {}
        match self.status:
            case "input_required":
                inside = {"inputRequests": dict(self.input_requests)}
            case "completed":
                inside = {"result": self.result}
            case "failed":
                inside = {"error": self.error}
        return {**self._common(), **inside, "resultType": "complete"}

    def _common(self) -> dict[str, Any]:
        common = {
            "taskId": self.task_id,
            "status": self.status,
            "createdAt": self.created,
            "lastUpdatedAt": self.updated,
            "ttlMs": self.ttl_ms,
            "pollIntervalMs": self.poll_ms,
        }
        return common if self.message is None else {**common, "statusMessage": self.message}


class Desk(Protocol):
    """Where tasks are kept. Each raises KeyError for a task that it does not know."""

    async def look(self, task_id: str) -> TaskView:
        """Give a task as it stands."""

    async def cancel(self, task_id: str) -> None:
        """End a task, if it has not ended."""

    async def answer(self, task_id: str, responses: Mapping[str, Any], /) -> None:
        """Take what a client answers to a task that waits for input."""


class TaskIdParams(RequestParams):
    """What tasks/get and tasks/cancel are given."""

    task_id: str = Field(alias="taskId")


class TaskAnswerParams(TaskIdParams):
    """What tasks/update is given."""

    input_responses: dict[str, Any] = Field(alias="inputResponses")


def wants_task(ctx: Context) -> bool:
    """Whether this request may be answered with a task."""
    declared = ctx.session.client_capabilities
    extensions = declared.extensions if declared else None
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS and TASKS in (extensions or {})


def require_task(ctx: Context) -> None:
    """Raise MCPError unless this request may be answered with a task."""
    if not wants_task(ctx):
        data = MissingRequiredClientCapabilityErrorData(
            required_capabilities=ClientCapabilities(extensions={TASKS: {}})
        )
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"The client did not declare {TASKS}.",
            data.model_dump(by_alias=True, mode="json", exclude_none=True),
        )


def add_tasks(server: Server[Any], desk: Desk) -> None:
    """Serve the three methods of the extension from a desk."""

    async def get(ctx: Context, params: TaskIdParams) -> dict[str, Any]:
        _check(ctx, params)
        try:
            return (await desk.look(params.task_id)).document()
        except KeyError:
            raise _unknown(params) from None

    async def cancel(ctx: Context, params: TaskIdParams) -> dict[str, Any]:
        _check(ctx, params)
        try:
            await desk.cancel(params.task_id)
        except KeyError:
            raise _unknown(params) from None
        return {"resultType": "complete"}

    async def update(ctx: Context, params: TaskAnswerParams) -> dict[str, Any]:
        _check(ctx, params)
        try:
            await desk.answer(params.task_id, params.input_responses)
        except KeyError:
            raise _unknown(params) from None
        return {"resultType": "complete"}

    server.extensions[TASKS] = {}
    server.add_request_handler("tasks/get", TaskIdParams, get)
    server.add_request_handler("tasks/cancel", TaskIdParams, cancel)
    server.add_request_handler("tasks/update", TaskAnswerParams, update)


def _check(ctx: Context, params: TaskIdParams) -> None:
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(METHOD_NOT_FOUND, "Method not found", ctx.method)
    require_task(ctx)
    headers = ctx.request.headers if ctx.request is not None else {}
    named = headers.get("mcp-name")
    if named is not None and named != params.task_id:
        raise MCPError(HEADER_MISMATCH, "The Mcp-Name header does not name params.taskId.")


def _unknown(params: TaskIdParams) -> MCPError:
    return MCPError(INVALID_PARAMS, f"Unknown task: {params.task_id}")
