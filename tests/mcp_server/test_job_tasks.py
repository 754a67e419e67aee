import json
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from seedream_daemon.tools.refusal import ToolRefusedError

TASKS = "io.modelcontextprotocol/tasks"


class Asking:
    """A client of 2026-07-28 that takes tasks, down to the lines."""

    def __init__(self, stream, *, takes_tasks: bool = True) -> None:
        self._stream = stream
        self._said = BufferedByteReceiveStream(stream)
        extensions = {TASKS: {}} if takes_tasks else {}
        self._meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"extensions": extensions},
        }

    async def __call__(self, method: str, **params) -> dict:
        whole = {"_meta": self._meta, **params}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": whole}
        await self._stream.send(json.dumps(message).encode() + b"\n")
        with anyio.fail_after(10):
            return json.loads(await self._said.receive_until(b"\n", 1_000_000))

    async def call(self, tool: str, **arguments) -> dict:
        return (await self("tools/call", name=tool, arguments=arguments))["result"]

    async def task(self, task_id: str) -> dict:
        return (await self("tasks/get", taskId=task_id))["result"]


@pytest.fixture
async def ask(doors):
    async with await anyio.connect_unix(doors.socket) as stream:
        yield Asking(stream)


@pytest.fixture
def stands(doors):
    """How the job stands; change it, and tasks/get tells."""
    now = {"state": "running", "saved": 0}

    async def get_job(arguments, call):
        return doors.tools.job(**now)

    doors.tools.script["get_job"] = get_job
    return now


def ago(**how) -> str:
    return (datetime.now(UTC) - timedelta(**how)).isoformat(timespec="seconds")


@pytest.mark.parametrize("tool", ["generate_image", "edit_image", "submit_job", "retry_job"])
async def test_a_call_that_begins_a_job_becomes_a_task(doors, ask, stands, tool):
    opened = await ask.call(tool, wait_seconds=45)

    assert opened["resultType"] == "task"
    assert opened["status"] == "working"
    assert len(opened["taskId"]) == 32
    assert doors.tools.calls[0][1]["wait_seconds"] == 0
    assert doors.tools.calls[0][2].task_id == opened["taskId"]
    assert (await ask.task(opened["taskId"]))["status"] == "working"


async def test_a_task_ends_with_the_job_as_the_call_would_have_told_it(ask, stands):
    opened = await ask.call("submit_job")
    stands.update(state="done", saved=1, finished=ago(seconds=1))

    task = await ask.task(opened["taskId"])

    assert task["status"] == "completed"
    assert task["result"]["structuredContent"]["state"] == "done"
    assert task["ttlMs"] > 24 * 3600 * 1000
    assert task["result"].get("isError", False) is False


async def test_a_failed_job_is_a_result_and_a_picture_that_never_came_an_error(ask, stands):
    submitted = (await ask.call("submit_job"))["taskId"]
    generated = (await ask.call("generate_image"))["taskId"]
    stands.update(state="failed", saved=0, finished=ago(seconds=1))

    assert (await ask.task(submitted))["result"].get("isError", False) is False
    failed = (await ask.task(generated))["result"]
    assert failed["isError"]
    assert failed["content"][0]["text"].startswith("all_failed: ")


async def test_a_task_is_forgotten_a_day_after_its_end(ask, stands):
    opened = await ask.call("submit_job")
    stands.update(state="done", saved=1, finished=ago(hours=23))
    assert (await ask.task(opened["taskId"]))["status"] == "completed"
    stands.update(finished=ago(hours=25))

    assert (await ask("tasks/get", taskId=opened["taskId"]))["error"]["code"] == -32602


async def test_to_cancel_a_task_is_to_cancel_its_job(doors, ask, stands):
    async def refuse(arguments, call):
        raise ToolRefusedError("not_yours", "It is somebody else's.")

    opened = await ask.call("submit_job")
    assert "result" in await ask("tasks/cancel", taskId=opened["taskId"])
    assert doors.tools.calls[-1][:2] == ("cancel_job", {"job_id": "j0123456789"})
    stands.update(state="cancelled", finished=ago(seconds=1))
    assert (await ask.task(opened["taskId"]))["status"] == "cancelled"

    doors.tools.script["cancel_job"] = refuse
    assert "result" in await ask("tasks/cancel", taskId=opened["taskId"])


async def test_an_unknown_task_is_an_error_of_the_protocol(ask):
    for method in ("tasks/get", "tasks/cancel"):
        assert (await ask(method, taskId="0" * 32))["error"]["code"] == -32602
    update = await ask("tasks/update", taskId="0" * 32, inputResponses={})
    assert update["error"]["code"] == -32602


async def test_a_wrong_argument_is_refused_and_no_task(doors, ask):
    async def refuse(arguments, call):
        raise ToolRefusedError("bad_argument", f"wait_seconds is {arguments['wait_seconds']}.")

    doors.tools.script["submit_job"] = refuse

    refused = await ask.call("submit_job", wait_seconds=60)

    assert refused["isError"]
    assert refused["content"][0]["text"] == "bad_argument: wait_seconds is 60."


async def test_a_job_that_had_begun_before_is_told_without_a_task(doors, ask):
    async def repeat(arguments, call):
        return doors.tools.job(repeated=True)

    doors.tools.script["submit_job"] = repeat

    told = await ask.call("submit_job")

    assert told["resultType"] == "complete"
    assert told["structuredContent"]["repeated"]


async def test_who_does_not_take_tasks_is_given_none(doors):
    async with await anyio.connect_unix(doors.socket) as stream:
        ask = Asking(stream, takes_tasks=False)
        told = await ask.call("submit_job")
        refused = await ask("tasks/get", taskId="0" * 32)

    assert told["resultType"] == "complete"
    assert refused["error"]["code"] == -32021
