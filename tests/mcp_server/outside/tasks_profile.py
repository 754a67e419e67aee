"""The tools that the conformance suite's tasks scenarios call, on our tasks and our HTTP stack."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.abc
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListToolsResult,
    TextContent,
    Tool,
)

from seedream_daemon.daemon.clients import Clients
from seedream_daemon.mcp_server.gate import names_for
from seedream_daemon.mcp_server.http_door import bind, serve_http
from seedream_daemon.mcp_server.tasks import TaskView, add_tasks, require_task, wants_task

OPTIONAL = {"slow_compute", "protocol_error_job", "confirm_delete", "multi_input"}
REQUIRED = {"failing_job"}
MIXED = {"test_tool_with_task"}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def form(message: str, name: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


class Task:
    def __init__(self) -> None:
        self.id = secrets.token_hex(16)
        self.created = self.updated = now()
        self.status = "working"
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.scope = anyio.CancelScope()
        self.questions: dict[str, tuple[dict[str, Any], anyio.Event, list[Any]]] = {}

    def to(self, status: str) -> None:
        self.status, self.updated = status, now()

    async def ask(self, key: str, question: dict[str, Any]) -> Any:
        answered, box = anyio.Event(), []
        self.questions[key] = (question, answered, box)
        self.to("input_required")
        await answered.wait()
        return box[0]

    def view(self) -> TaskView:
        return TaskView(
            task_id=self.id,
            status=self.status,
            created=self.created,
            updated=self.updated,
            ttl_ms=3_600_000,
            poll_ms=200,
            result=self.result,
            error=self.error,
            input_requests={key: question for key, (question, _, _) in self.questions.items()},
        )


class MemoryDesk:
    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}

    async def look(self, task_id: str) -> TaskView:
        return self.tasks[task_id].view()

    async def cancel(self, task_id: str) -> None:
        self.tasks[task_id].scope.cancel()

    async def answer(self, task_id: str, responses: Mapping[str, Any]) -> None:
        task = self.tasks[task_id]
        for key, response in responses.items():
            if key in task.questions:
                _, answered, box = task.questions.pop(key)
                box.append(response)
                answered.set()
        if task.status == "input_required" and not task.questions:
            task.to("working")

    async def run(self, task: Task, work: Callable[[], Awaitable[CallToolResult]]) -> None:
        with task.scope:
            try:
                reply = await work()
            except MCPError as error:
                task.error = error.error.model_dump(mode="json", exclude_none=True)
                task.to("failed")
            else:
                task.result = reply.model_dump(by_alias=True, mode="json", exclude_none=True)
                task.to("completed")
        if task.scope.cancelled_caught:
            task.to("cancelled")


def said(text: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=is_error)


async def work(name: str, arguments: Mapping[str, Any], task: Task | None) -> CallToolResult:
    match name:
        case "greet":
            return said(f"Hello, {arguments['name']}!")
        case "slow_compute":
            await anyio.sleep(arguments.get("seconds", 1))
            return said(f"done {arguments.get('label', '')}")
        case "failing_job":
            await anyio.sleep(1)
            return said("it failed", is_error=True)
        case "protocol_error_job":
            await anyio.sleep(0.5)
            raise MCPError(-32603, "boom")
        case "confirm_delete" if task:
            question = form(f"Delete {arguments['filename']}?", "confirm", "boolean")
            answer = await task.ask("confirm", question)
            return said(f"deleted {arguments['filename']}: {answer.get('action')}")
        case "multi_input" if task:
            async with anyio.create_task_group() as asking:
                for key in ("a", "b"):
                    asking.start_soon(task.ask, key, form(key, "v", "string"))
            return said("a and b")
        case "test_tool_with_task":
            await anyio.sleep(0.6)
            return said(f"Hello {arguments['user']}")
    return said("no task")


def properties(**kinds: str) -> dict[str, Any]:
    shapes = {name: {"type": kind} for name, kind in kinds.items()}
    return {"type": "object", "properties": shapes}


TOOLS = {
    "greet": properties(name="string"),
    "slow_compute": properties(seconds="number", label="string"),
    "failing_job": properties(),
    "protocol_error_job": properties(),
    "confirm_delete": properties(filename="string"),
    "multi_input": properties(),
    "test_tool_with_task": properties(),
}


def build(tasks: anyio.abc.TaskGroup) -> Server[Any]:
    desk = MemoryDesk()

    async def list_tools(ctx, params):
        return ListToolsResult(
            tools=[Tool(name=name, input_schema=shape) for name, shape in TOOLS.items()]
        )

    async def call_tool(ctx, params):
        name, arguments = params.name, dict(params.arguments or {})
        if name not in TOOLS:
            raise MCPError(-32602, f"Unknown tool: {name}")
        if name in REQUIRED:
            require_task(ctx)
        if name in MIXED:
            answer = (params.input_responses or {}).get("user_name")
            if answer is None:
                asked = form("Name?", "name", "string")["params"]
                request = ElicitRequest(params=ElicitRequestFormParams.model_validate(asked))
                return InputRequiredResult(input_requests={"user_name": request})
            arguments["user"] = (answer.content or {}).get("name")
        if name not in OPTIONAL | REQUIRED | MIXED or not wants_task(ctx):
            return await work(name, arguments, None)
        task = Task()
        desk.tasks[task.id] = task
        tasks.start_soon(desk.run, task, lambda: work(name, arguments, task))
        return task.view().opening()

    server = Server("tasks-profile", version="1", on_list_tools=list_tools, on_call_tool=call_tool)
    add_tasks(server, desk)
    security = RequestStateSecurity.ephemeral()
    server.middleware.append(RequestStateBoundary(security, default_audience="tasks-profile"))
    return server


async def main() -> None:
    link = bind("127.0.0.1", 0)
    port = link.getsockname()[1]
    print(f"http://127.0.0.1:{port}/mcp", flush=True)
    async with anyio.create_task_group() as tasks:
        await serve_http(
            build(tasks),
            link,
            names=names_for("127.0.0.1", port),
            token=None,
            answered=lambda job_id: None,
            clients=Clients(),
        )


if __name__ == "__main__":
    anyio.run(main)
