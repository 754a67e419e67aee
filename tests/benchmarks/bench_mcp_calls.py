"""How long tools take in a busy daemon, beside a tool that does nothing on the same event loop.

    python tests/benchmarks/bench_mcp_calls.py

A job of 1,000 shots runs at MAX_PARALLEL 64 with 10,000 sessions on disk. Ten rounds of 100
concurrent calls of each tool, in turns; the ratio of each round's p99, and their median.
"""

import json
import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

ROUNDS, CALLS, SESSIONS, SHOTS = 10, 100, 10_000, 1_000
STATUS_RATIO, SESSIONS_RATIO = 2.0, 3.0
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def serve(empty_socket: str) -> None:
    """Be the daemon, with a second socket that has one tool that does nothing."""
    import anyio
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolResult, TextContent

    from seedream_daemon.daemon.clients import Clients
    from seedream_daemon.daemon.serve import serve as serve_daemon
    from seedream_daemon.mcp_server.door import mcp_door
    from seedream_daemon.mcp_server.server import Built
    from seedream_daemon.mcp_server.socket_door import serve_socket
    from seedream_daemon.mcp_server.surface import Surface
    from seedream_daemon.settings import load_settings

    async def nothing(ctx, params):
        return CallToolResult(content=[TextContent(type="text", text="{}")], structured_content={})

    class NoTools:
        def mark_answered(self, job_id):
            pass

    async def empty_door(service):
        built = Built(server=Server("empty", on_call_tool=nothing), subscriptions=None)
        talk = Surface(built, NoTools(), Clients()).talk
        await serve_socket(Path(empty_socket), 0o600, talk)

    settings, _ = load_settings(os.environ, None)
    doors = (mcp_door, empty_door)
    anyio.run(
        partial(
            serve_daemon,
            settings,
            emit=lambda event: None,
            once=False,
            reread=lambda: settings,
            doors=doors,
        )
    )


class Client:
    """One connection, many calls at once."""

    def __init__(self, path: Path) -> None:
        self._link = socket.socket(socket.AF_UNIX)
        self._link.settimeout(120)
        self._link.connect(os.fspath(path))
        self._said = self._link.makefile("rb")

    def p99_s(self, tool: str) -> float:
        """Send so many calls in one go; the 99th of a hundred waits."""
        params = {"name": tool, "arguments": {}, "_meta": META}
        message = {"jsonrpc": "2.0", "method": "tools/call", "params": params}
        lines = [json.dumps({**message, "id": number}).encode() for number in range(CALLS)]
        began_s = time.perf_counter()
        self._link.sendall(b"\n".join(lines) + b"\n")
        took_s = []
        for _ in range(CALLS):
            answer = json.loads(self._said.readline())
            assert not answer["result"].get("isError"), answer
            took_s.append(time.perf_counter() - began_s)
        return took_s[CALLS * 99 // 100 - 1]


def make_sessions(outputs: Path) -> None:
    """Make sessions as the desktop app does, without a journal."""
    for number in range(SESSIONS):
        day, rest = divmod(number, 86_400 // 60)
        created = f"2024-{day // 28 + 1:02}-{day % 28 + 1:02}_{rest // 60:02}-{rest % 60:02}-00"
        folder = outputs / f"{created}_lighthouse_t2i"
        folder.mkdir(parents=True)
        text = {"prompt": "a lighthouse", "model": "seedream-4-0-250828", "created": created}
        (folder / "metadata.json").write_text(
            json.dumps({**text, "num_images": 1, "items": []}), encoding="utf-8"
        )


def wait_for(holds) -> None:
    """Wait until another process has done something."""
    until_s = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.1)


def measure(state: Path) -> dict[str, list[float]]:
    """Ten rounds of each tool, in turns."""
    daemon, empty = Client(state / "mcp.sock"), Client(state / "empty.sock")
    for tool in ("get_status", "list_sessions"):
        daemon.p99_s(tool)
    found: dict[str, list[float]] = {"empty": [], "get_status": [], "list_sessions": []}
    for _ in range(ROUNDS):
        found["empty"].append(empty.p99_s("nothing"))
        found["get_status"].append(daemon.p99_s("get_status"))
        found["list_sessions"].append(daemon.p99_s("list_sessions"))
    return found


def main() -> int:
    """Measure and judge; the exit code."""
    from rig import at_most, photos, report, rig

    with rig() as made:
        program = made.program(made.service("--latency", "8").base_url)
        state, inbox = program.state, program.home / "inbox"
        make_sessions(program.outputs)
        env = {**program.env, "MAX_PARALLEL": "64", "SETTLE_SECONDS": "0.5"}
        words = [sys.executable, __file__, "--serve", os.fspath(state / "empty.sock")]
        daemon = subprocess.Popen(words, env=env, cwd=program.home)
        try:
            wait_for((state / "empty.sock").exists)
            text = 'kind = "bulk"\nprompt = "clean it"\n'
            made.job("shots", text, photos(SHOTS)).rename(inbox / "shots")
            (inbox / "shots" / "READY").touch()
            wait_for(lambda: len(list(program.outputs.iterdir())) > SESSIONS)
            time.sleep(3)
            found = measure(state)
            assert (inbox / "_running" / "shots").exists(), "the job ended too early"
        finally:
            daemon.kill()
            daemon.wait()
    ratios = {
        tool: median(a / b for a, b in zip(found[tool], found["empty"], strict=True))
        for tool in ("get_status", "list_sessions")
    }
    for tool, seconds in found.items():
        print(f"p99 of {CALLS} calls, {tool}: {median(seconds) * 1000:.1f} ms")
    return report(
        [
            at_most("get_status : empty tool", ratios["get_status"], STATUS_RATIO, "x"),
            at_most("list_sessions : empty tool", ratios["list_sessions"], SESSIONS_RATIO, "x"),
        ]
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        sys.exit(main())
