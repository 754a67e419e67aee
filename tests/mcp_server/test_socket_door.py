import json
import os
import stat

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from seedream_daemon.mcp_server.framing import MOST_LINE_BYTES
from seedream_daemon.mcp_server.socket_door import place_of, serve_socket

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
DISCOVER = {"jsonrpc": "2.0", "id": 7, "method": "server/discover", "params": {"_meta": META}}


def line(message) -> bytes:
    return json.dumps(message).encode() + b"\n"


async def answer(stream) -> dict:
    with anyio.fail_after(10):
        return json.loads(await BufferedByteReceiveStream(stream).receive_until(b"\n", 100_000))


async def test_a_line_that_is_no_message_is_answered_and_the_next_one_served(doors):
    async with await anyio.connect_unix(doors.socket) as stream:
        await stream.send(b"\n  \n{no json}\n")
        wrong = await answer(stream)
        await stream.send(line(DISCOVER))
        right = await answer(stream)

    assert (wrong["id"], wrong["error"]["code"]) == (None, -32700)
    assert right["id"] == 7


async def test_half_an_emoji_is_read_as_a_question_mark(doors):
    asked = []

    async def tell(arguments, call):
        asked.append(arguments["job_id"])
        return doors.tools.job()

    doors.tools.script["get_job"] = tell
    params = {"name": "get_job", "arguments": {"job_id": "fox \ud83d"}, "_meta": META}
    async with await anyio.connect_unix(doors.socket) as stream:
        call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
        await stream.send(line(call))
        assert "result" in await answer(stream)

    assert asked == ["fox ?"]


async def test_a_message_may_come_byte_by_byte(doors):
    async with await anyio.connect_unix(doors.socket) as stream:
        for byte in line(DISCOVER):
            await stream.send(bytes([byte]))
        assert (await answer(stream))["id"] == 7


async def test_a_line_without_an_end_is_cut_off(doors):
    async def talk_on(stream) -> None:
        for _ in range(MOST_LINE_BYTES // 65_536 + 2):
            await stream.send(b"x" * 65_536)
        await stream.receive()

    async with await anyio.connect_unix(doors.socket) as stream:
        with (
            anyio.fail_after(20),
            pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)),
        ):
            await talk_on(stream)


async def test_a_client_that_does_not_read_holds_up_nobody(doors):
    async def tell(arguments, call):
        return doors.tools.job(name="x" * 400_000)

    doors.tools.script["get_job"] = tell
    params = {"name": "get_job", "arguments": {}, "_meta": META}
    call = {"jsonrpc": "2.0", "method": "tools/call", "params": params}
    async with await anyio.connect_unix(doors.socket) as deaf:
        for number in range(20):
            await deaf.send(line({**call, "id": number}))
        async with await anyio.connect_unix(doors.socket) as other:
            await other.send(line(DISCOVER))
            assert (await answer(other))["id"] == 7


async def test_clients_are_counted_while_they_are_there(doors):
    async with doors.client("http", "2026-07-28") as client:
        await client.call_tool("get_job", {"job_id": "x"})

    await doors.until(lambda: doors.clients.count == 0)


@pytest.mark.parametrize("mode", [0o600, 0o660])
async def test_the_socket_has_its_mode_and_replaces_what_a_killed_daemon_left(tmp_path, mode):
    path = tmp_path / "state" / "mcp.sock"
    path.parent.mkdir()
    path.touch()

    async def talk(stream):
        await stream.send(b"hello")

    async with anyio.create_task_group() as tasks:
        await tasks.start(serve_socket, path, mode, talk)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        async with await anyio.connect_unix(path) as stream:
            assert await stream.receive() == b"hello"
        tasks.cancel_scope.cancel()

    assert not path.exists()


def test_a_units_group_may_use_the_socket_in_its_runtime_folder(tmp_path):
    own, mode = place_of(tmp_path, {})
    shared = place_of(tmp_path, {"RUNTIME_DIRECTORY": "/run/seedream-daemon"})

    assert (own, mode) == (tmp_path / "mcp.sock", 0o600)
    assert (os.fspath(shared[0]), shared[1]) == ("/run/seedream-daemon/mcp.sock", 0o660)
