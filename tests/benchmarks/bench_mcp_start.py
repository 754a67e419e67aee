"""From the start of an MCP server to its answer to initialize, beside the SDK's hello-world.

    python tests/benchmarks/bench_mcp_start.py

Nine starts of each, in turns, in one run: the SDK's smallest server, the bridge with a daemon
running, and the bridge without one, which begins to start one. Then the memory of an idle bridge.
Prints each figure with pass or FAIL.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TIMES = 9
WITH_DAEMON, WITHOUT_DAEMON, RSS_MB = 0.3, 2.0, 15.0
HELLO_WORLD = """
from mcp.server import MCPServer
server = MCPServer("hello")
@server.tool()
def hello(name: str) -> str:
    "Greet."
    return f"Hello, {name}"
server.run("stdio")
"""
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    },
}
BRIDGE = ["-P", "-m", "seedream_daemon", "mcp"]


def start(words: list[str], env: dict[str, str]) -> tuple[subprocess.Popen[bytes], float, dict]:
    """Start a server, say hello, and give it with the seconds until its answer, and that."""
    began_s = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        cwd="/",
    )
    server.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    return server, time.perf_counter() - began_s, answer["result"]


def end(server: subprocess.Popen[bytes]) -> None:
    """Leave a server as hosts do."""
    server.stdin.close()
    server.wait(timeout=20)
    server.stdout.close()


def took_s(words: list[str], env: dict[str, str]) -> float:
    """Give the seconds from the start to the answer."""
    server, seconds, _ = start(words, env)
    end(server)
    return seconds


def first_call_s(env: dict[str, str]) -> float:
    """Give the seconds from the start to the answer of a tool, with the start of its daemon."""
    began_s = time.perf_counter()
    server, _, _ = start(BRIDGE, env)
    params = {"name": "get_status", "arguments": {}}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    server.stdin.write(json.dumps(call).encode() + b"\n")
    server.stdin.flush()
    server.stdout.readline()
    seconds = time.perf_counter() - began_s
    end(server)
    return seconds


def leave_s(env: dict[str, str]) -> float:
    """Give the seconds from the end of stdin to the end of the bridge, a call being open."""
    server, _, _ = start(BRIDGE, env)
    arguments = {"prompt": "a lighthouse", "wait_seconds": 45}
    params = {"name": "generate_image", "arguments": arguments}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    server.stdin.write(json.dumps(call).encode() + b"\n")
    server.stdin.flush()
    began_s = time.perf_counter()
    end(server)
    return time.perf_counter() - began_s


def environment(home: Path) -> dict[str, str]:
    """Give what a bridge and its daemon need, all below one folder."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "STATE_DIR": str(home / "state"),
        "INBOX_DIR": str(home / "inbox"),
        "OUTPUT_BASE_DIR": str(home / "outputs"),
        "ARK_BASE_URL": "http://127.0.0.1:9/api/v3",
    }


def pid_of_daemon(env: dict[str, str]) -> int | None:
    """Ask which process serves, if any."""
    found = subprocess.run(
        [sys.executable, "-P", "-m", "seedream_daemon", "status", "--json"],
        env=env,
        capture_output=True,
        check=False,
    )
    return json.loads(found.stdout)["pid"] if found.returncode == 0 else None


def wait_for_daemon(env: dict[str, str]) -> int:
    """Wait until a daemon answers; give its pid."""
    while (pid := pid_of_daemon(env)) is None:
        time.sleep(0.1)
    return pid


def memory_mb(pid: int) -> float:
    """Give the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


def run(folder: Path) -> bool:
    """Measure all, print all, and say whether all passed."""
    hello = folder / "hello.py"
    hello.write_text(HELLO_WORLD, encoding="utf-8")
    served = environment(folder / "served")
    subprocess.Popen(
        [sys.executable, "-P", "-m", "seedream_daemon", "serve"],
        env=served,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    daemons = [wait_for_daemon(served)]
    took: dict[str, list[float]] = {"sdk": [], "with": [], "without": []}
    for number in range(TIMES):
        alone = environment(folder / f"alone{number}")
        took["sdk"].append(took_s([str(hello)], served))
        took["with"].append(took_s(BRIDGE, served))
        took["without"].append(took_s(BRIDGE, alone))
        daemons.append(wait_for_daemon(alone))
        os.kill(daemons[-1], signal.SIGTERM)
    bridge, _, _ = start(BRIDGE, served)
    bridge_mb = memory_mb(bridge.pid)
    end(bridge)
    left_s = leave_s(served)
    os.kill(daemons[0], signal.SIGTERM)
    called = environment(folder / "called")
    call_s = first_call_s(called)
    os.kill(wait_for_daemon(called), signal.SIGTERM)
    sdk_s = median(took["sdk"])
    print(f"      the SDK's hello-world answers after {sdk_s * 1000:.0f} ms")
    print(f"      the first call of a tool, with the start of its daemon: {call_s * 1000:.0f} ms")
    results = []
    for name, bar in (("with", WITH_DAEMON), ("without", WITHOUT_DAEMON)):
        ratio = median(took[name]) / sdk_s
        text = f"the bridge {name} a daemon: {median(took[name]) * 1000:.0f} ms, {ratio:.2f} x"
        results.append((f"{text}, at most {bar} x", ratio <= bar))
    results.append(
        (f"an idle bridge: {bridge_mb:.1f} MB, at most {RSS_MB:.0f}", bridge_mb <= RSS_MB)
    )
    results.append(
        (f"stdin ends: it ends {left_s * 1000:.0f} ms later, at most 1,000", left_s <= 1)
    )
    for text, passed in results:
        print(f"{'pass' if passed else 'FAIL'}  {text}")
    return all(passed for _, passed in results)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        sys.exit(0 if run(Path(place)) else 1)
