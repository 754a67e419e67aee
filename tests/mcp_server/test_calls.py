import json

import anyio
import pytest
from mcp import MCPError

from seedream_daemon.tools.refusal import ToolRefusedError

SPENDING = ("generate_image", "edit_image", "submit_job", "retry_job")


def raw_call(tool: str, arguments: dict) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return json.dumps(message).encode() + b"\n"


def text_of(result) -> str:
    return result.content[0].text


async def test_a_document_comes_as_data_and_as_the_same_json(doors, door, era):
    async with doors.client(door, era) as client:
        result = await client.call_tool("get_job", {"job_id": "j0123456789"})

    assert not result.is_error
    assert json.loads(text_of(result)) == result.structured_content
    assert ": " not in text_of(result).replace("1 of 1", "")
    assert result.structured_content["state"] == "done"


async def test_a_picture_comes_without_structured_content(doors, door, era):
    async with doors.client(door, era) as client:
        result = await client.call_tool("view_image", {"session": "s", "key": "01"})

    assert [block.type for block in result.content] == ["text", "image"]
    assert result.content[1].mime_type == "image/jpeg"
    assert result.structured_content is None


async def test_a_refusal_is_text_with_its_code(doors, door, era):
    async def refuse(arguments, call):
        raise ToolRefusedError("unknown_job", "There is no job x. Call list_jobs.")

    doors.tools.script["get_job"] = refuse
    async with doors.client(door, era) as client:
        result = await client.call_tool("get_job", {"job_id": "x"})

    assert result.is_error
    assert text_of(result) == "unknown_job: There is no job x. Call list_jobs."
    assert result.structured_content is None


async def test_an_unknown_tool_is_an_error_of_the_protocol(doors, door, era):
    async with doors.client(door, era) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("make_coffee", {})

    assert caught.value.error.code == -32602


async def test_a_bug_tells_a_client_nothing(doors, door, era):
    async def break_down(arguments, call):
        raise RuntimeError("/home/someone/.ssh")

    doors.tools.script["get_job"] = break_down
    async with doors.client(door, era) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("get_job", {"job_id": "x"})
        assert ".ssh" not in str(caught.value)
        assert not (await client.call_tool("list_jobs", {})).is_error


async def test_what_is_not_unicode_is_shown_as_such(doors, door, era):
    async def tell(arguments, call):
        return doors.tools.job(name="caf\udce9")

    doors.tools.script["get_job"] = tell
    async with doors.client(door, era) as client:
        result = await client.call_tool("get_job", {"job_id": "x"})

    assert json.loads(text_of(result))["name"] == "caf\ufffd"


async def test_a_job_is_answered_once_its_news_were_sent(doors, door, era):
    async with doors.client(door, era) as client:
        await client.call_tool("submit_job", {})
        await doors.until(lambda: doors.tools.answered)

    assert doors.tools.answered == ["j0123456789"]


async def test_a_call_that_is_given_up_answers_nothing_and_ends(doors, door, era):
    ended = anyio.Event()

    async def wait(arguments, call):
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    doors.tools.script["get_job"] = wait
    async with doors.client(door, era) as client:
        with pytest.raises(MCPError):
            await client.call_tool("get_job", {"job_id": "x"}, read_timeout_seconds=0.3)
        with anyio.fail_after(5):
            await ended.wait()

    assert doors.tools.answered == []


async def test_a_client_that_leaves_ends_only_its_calls(doors, era):
    began, ended = anyio.Event(), anyio.Event()

    async def wait(arguments, call):
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    doors.tools.script["get_job"] = wait
    async with doors.client("socket", era) as staying:
        async with await anyio.connect_unix(doors.socket) as leaving:
            await leaving.send(raw_call("get_job", {"job_id": "x"}))
            await began.wait()
        with anyio.fail_after(5):
            await ended.wait()
        assert not (await staying.call_tool("list_jobs", {})).is_error


async def test_progress_rises_while_a_call_waits(doors, door, era):
    async def wait(arguments, call):
        for done in (1, 2, 3):
            await call.progress(done, 3, f"{done}/3 saved")
            await anyio.sleep(0.6)
        return doors.tools.job()

    seen = []

    async def note(done, total, message):
        seen.append((done, total, message))

    doors.tools.script["get_job"] = wait
    async with doors.client(door, era) as client:
        await client.call_tool("get_job", {"job_id": "x"}, progress_callback=note)

    numbers = [done for done, _, _ in seen]
    assert len(numbers) >= 2
    assert numbers == sorted(set(numbers))
    assert seen[0] == (1, 3, "1/3 saved")


async def test_without_a_token_for_it_no_progress_is_sent(doors, door, era):
    async with doors.client(door, era) as client:
        await client.call_tool("get_job", {"job_id": "x"})

    assert doors.tools.calls[0][2].progress is None


async def test_a_call_has_less_than_fifty_seconds(doors, door, era):
    before = anyio.current_time()
    async with doors.client(door, era) as client:
        await client.call_tool("get_job", {"job_id": "x", "wait_seconds": 45})

    assert before + 46 < doors.tools.calls[0][2].deadline < anyio.current_time() + 50


async def test_arguments_reach_the_tool_as_they_were_sent(doors, door, era):
    sent = {"prompt": "사진 {a} \u202e", "count": 2.0, "request_key": None}
    async with doors.client(door, era) as client:
        await client.call_tool("generate_image", sent)

    assert doors.tools.calls[0][:2] == ("generate_image", sent)
