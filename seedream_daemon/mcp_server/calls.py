"""tools/list and tools/call: from a request to one method of `Tools`, and back."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    ListToolsResult,
    PaginatedRequestParams,
)

from seedream_daemon.mcp_server.answers import Answers
from seedream_daemon.mcp_server.catalog import tool_list
from seedream_daemon.mcp_server.confirm import AnswerNeededError, Questions
from seedream_daemon.mcp_server.job_tasks import JobTasks
from seedream_daemon.mcp_server.progress import telling
from seedream_daemon.mcp_server.prompts import refuse_cursor
from seedream_daemon.mcp_server.replies import data_reply, picture_reply, refusal_reply
from seedream_daemon.mcp_server.toolbox import Toolbox
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.refusal import ToolRefusedError

# A call ends within 50 s of its arrival; the rest is for its reply.
CALL_S = 48.0
VIEW = "view_image"

Context = ServerRequestContext[Answers, Any]
# The SDK's types do not know that an extension may answer with a result of its own.
Reply = Any
Method = Callable[[Mapping[str, Any], Call], Awaitable[Mapping[str, Any]]]


class ToolCalls:
    """Serves the tools of one daemon to all of its clients."""

    def __init__(self, tools: Toolbox, questions: Questions, tasks: JobTasks) -> None:
        self._tools = tools
        self._questions = questions
        self._tasks = tasks
        self._list = ListToolsResult(tools=tool_list())
        self._names = {tool.name for tool in self._list.tools}
        self._documents = [
            tool.model_dump(by_alias=True, exclude_none=True, mode="json")
            for tool in self._list.tools
        ]

    async def list(self, _: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        """Serve tools/list, on one page."""
        refuse_cursor(params)
        return self._list

    async def alike(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Give every era the same bytes: the SDK orders the words of a schema in two ways."""
        result = await call_next(ctx)
        if ctx.method == "tools/list" and isinstance(result, dict):
            return {**result, "tools": self._documents}
        return result

    async def call(self, ctx: Context, params: CallToolRequestParams) -> Reply:
        """Serve tools/call."""
        if params.name not in self._names:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        try:
            return await self._reply(ctx, params)
        except ToolRefusedError as refused:
            return refusal_reply(refused.code, refused.message)
        except AnswerNeededError as needed:
            return needed.result()

    async def _reply(self, ctx: Context, params: CallToolRequestParams) -> Reply:
        deadline = anyio.current_time() + CALL_S
        arguments = dict(params.arguments or {})
        asking = self._questions.for_call(ctx, params, deadline)
        opening = self._tasks.opening(ctx, params.name, arguments)
        async with telling(ctx) as progress:
            call = Call(
                progress=progress,
                ask=asking.ask,
                confirmation_key=asking.key,
                task_id=opening.task_id if opening else None,
                deadline=deadline,
            )
            if params.name == VIEW:
                return picture_reply(*await self._tools.view_image(arguments, call))
            method: Method = getattr(self._tools, params.name)
            document = await method(opening.arguments if opening else arguments, call)
        if "job_id" in document and params.name != "load_session":
            ctx.lifespan_context.note(ctx, document["job_id"])
        return await opening.reply(document) if opening else data_reply(document)
