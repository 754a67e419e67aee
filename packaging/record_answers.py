# ruff: noqa: INP001 - a script
"""Record what the MCP server says of itself, for a bridge that has no daemon to ask.

    python packaging/record_answers.py [--check]

Asks the server in both eras and writes seedream_daemon/mcp_bridge/recorded.json. With --check
nothing is written; it exits 1 if the file is not what it would be.
"""

import json
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from seedream_daemon.daemon.clients import Clients
from seedream_daemon.mcp_server.server import build_server
from seedream_daemon.mcp_server.surface import Surface
from seedream_daemon.mcp_server.toolbox import Toolbox

FILE = Path(__file__).resolve().parent.parent / "seedream_daemon" / "mcp_bridge" / "recorded.json"
LISTS = ("tools/list", "prompts/list", "resources/templates/list")
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "record", "version": "1"},
}
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "record", "version": "1"},
}
MOST_BYTES = 1_000_000


class Asker:
    """A client of one connection that asks one thing after the other."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._heard = BufferedByteReceiveStream(stream)
        self._asked = 0

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Give the result."""
        self._asked += 1
        await self.tell({"id": self._asked, "method": method, "params": params})
        while True:
            answer = json.loads(await self._heard.receive_until(b"\n", MOST_BYTES))
            if answer.get("id") == self._asked:
                return answer["result"]

    async def tell(self, message: dict[str, Any]) -> None:
        """Say something."""
        await self._stream.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


async def _connect(surface: Surface, tasks: anyio.abc.TaskGroup) -> Asker:
    ours, theirs = socket.socketpair()
    stream = await anyio.abc.SocketStream.from_socket(theirs)
    tasks.start_soon(surface.talk, stream)
    return Asker(await anyio.abc.SocketStream.from_socket(ours))


async def record() -> dict[str, dict[str, Any]]:
    """Ask a server without a daemon, which knows all that is recorded."""
    # The lists are the program's own: no tool is called.
    tools = cast("Toolbox", SimpleNamespace(mark_answered=lambda _: None))
    async with anyio.create_task_group() as tasks:
        built = build_server(tools, tasks=tasks, marks=_no_marks, sealing_key="k" * 32)
        surface = Surface(built, tools, Clients())
        shaken = await _connect(surface, tasks)
        handshake = {"initialize": await shaken.ask("initialize", HELLO)}
        await shaken.tell({"method": "notifications/initialized"})
        handshake |= {method: await shaken.ask(method, {}) for method in LISTS}
        free = await _connect(surface, tasks)
        stateless = {
            method: await free.ask(method, {"_meta": META})
            for method in ("server/discover", *LISTS)
        }
        tasks.cancel_scope.cancel()
    return {"handshake": handshake, "stateless": stateless}


async def _no_marks(_: frozenset[str]) -> dict[str, str]:
    return {}


def main() -> int:
    """Record, or say whether what is recorded still holds."""
    recorded = anyio.run(record)
    text = json.dumps(recorded, ensure_ascii=False, indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
        return 0
    if FILE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{FILE} is out of date: python packaging/record_answers.py", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
