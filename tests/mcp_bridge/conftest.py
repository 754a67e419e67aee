"""Bridges as hosts have them: a process, its stdio, and a daemon's socket that comes and goes."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

STUB = Path(__file__).with_name("stub_daemon.py")
WAIT_S = 20.0


class Host:
    """A host of MCP servers, with one bridge."""

    def __init__(self, folder: Path, environment: dict[str, str], *words: str) -> None:
        self.bridge = subprocess.Popen(
            [sys.executable, "-P", "-m", "seedream_daemon", *words, "mcp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.bridge.stdout:
            self._lines.put(line)

    def send(self, message: dict | bytes) -> None:
        line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.bridge.stdin.write(line)
        self.bridge.stdin.flush()

    def hear(self, timeout: float = WAIT_S) -> dict:
        """The next message of any kind."""
        return json.loads(self._lines.get(timeout=timeout))

    def hears_nothing(self) -> bool:
        """Whether nothing has come that was not taken."""
        return self._lines.empty()

    def ask(self, method: str, params: dict | None = None, identity: object = 1) -> dict:
        """Ask something and give the answer; what comes before it must be a notification."""
        self.send(request(method, params, identity))
        while True:
            message = self.hear()
            if message.get("id") == identity and "method" not in message:
                return message
            assert "id" not in message, message

    def call(self, tool: str, identity: object = 1) -> dict:
        return self.ask("tools/call", {"name": tool, "arguments": {}}, identity)

    def hello(self, version: str = "2025-11-25") -> dict:
        """Shake hands."""
        params = {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "host", "version": "1"},
        }
        answer = self.ask("initialize", params, "hello")
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def leave(self) -> tuple[int, str]:
        """Close stdin; give the bridge's exit code and its words on stderr."""
        self.bridge.stdin.close()
        code = self.bridge.wait(timeout=WAIT_S)
        self._reader.join(WAIT_S)
        return code, self.bridge.stderr.read().decode()

    def end(self) -> None:
        if self.bridge.poll() is None:
            self.bridge.kill()
            self.bridge.wait()
        self._reader.join(WAIT_S)
        for pipe in (self.bridge.stdin, self.bridge.stdout, self.bridge.stderr):
            pipe.close()


def request(method: str, params: dict | None, identity: object) -> dict:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params or {}}


class Stub:
    """A daemon's socket that is not a daemon."""

    def __init__(self, path: Path, heard: Path) -> None:
        self._heard = heard
        self._heard.touch()
        self.process = subprocess.Popen(
            [sys.executable, str(STUB), str(path), str(heard)], stdout=subprocess.PIPE
        )
        assert self.process.stdout.readline() == b"listening\n"

    @property
    def heard(self) -> list[dict]:
        """What came, oldest first."""
        return [json.loads(line) for line in self._heard.read_bytes().splitlines()]

    def methods(self) -> list[str | None]:
        return [message.get("method") for message in self.heard]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a host gives to its servers: a home of the test's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "LANG": "C.UTF-8",
        "STATE_DIR": str(tmp_path / "state"),
    }


@pytest.fixture
def host(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Host]]:
    """Start bridges: `host("--env", file, STATE_DIR="...")`."""
    folder = tmp_path / "repository"
    folder.mkdir()
    with ExitStack() as ending:

        def start(*words: str, **more: str | None) -> Host:
            merged = {**environment, **more}
            merged = {name: value for name, value in merged.items() if value is not None}
            started = Host(folder, merged, *words)
            ending.callback(started.end)
            return started

        yield start


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Callable[..., Stub]]:
    """Start stubs on the socket of the STATE_DIR: `stub()`."""
    with ExitStack() as ending:
        number = 0

        def start(path: Path | None = None) -> Stub:
            nonlocal number
            number += 1
            started = Stub(
                path or tmp_path / "state" / "mcp.sock", tmp_path / f"heard{number}.jsonl"
            )
            ending.callback(started.kill)
            return started

        yield start
