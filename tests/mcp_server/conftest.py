"""A surface in this process over pretended tools, and clients of both eras by both doors."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from seedream_daemon.daemon.clients import Clients
from seedream_daemon.mcp_server.gate import names_for
from seedream_daemon.mcp_server.http_door import bind, serve_http
from seedream_daemon.mcp_server.server import build_server
from seedream_daemon.mcp_server.socket_door import serve_socket
from seedream_daemon.mcp_server.surface import Surface
from seedream_daemon.tools.documents import OUTPUTS
from seedream_daemon.tools.refusal import ToolRefusedError

TOKEN = "secret" * 8
KEY = "sealing" * 8
ERAS = ("2025-11-25", "2026-07-28")
DOORS = ("socket", "http")


def job(job_id: str = "j0123456789", **changes) -> dict:
    """A Job document of a job that is done."""
    whole = {
        "job_id": job_id,
        "name": "a job",
        "kind": "t2i",
        "origin": "tool",
        "state": "done",
        "reason": None,
        "shots": 1,
        "saved": 1,
        "failed": 0,
        "in_doubt": 0,
        "in_flight": 0,
        "price_usd": 0.03,
        "cost_usd": 0.03,
        "left_today_usd": None,
        "session": "2025-09-12_14-30-12_a_t2i",
        "session_path": "/outputs/2025-09-12_14-30-12_a_t2i",
        "pictures": ["/outputs/2025-09-12_14-30-12_a_t2i/01.jpg"],
        "failures": [],
        "more_failures": 0,
        "eta_seconds": None,
        "repeated": False,
        "next_step": "1 of 1 pictures are saved.",
        "created": "2025-09-12T14:30:12+00:00",
        "finished": None,
    }
    assert set(whole) == set(OUTPUTS["get_job"]["required"])
    return {**whole, **changes}


class PretendedTools:
    """Tools without a daemon. `script` says what a tool does instead of giving a job."""

    job = staticmethod(job)

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict, object]] = []
        self.script: dict[str, Callable] = {}
        self.answered: list[str] = []
        self.tasks: dict[str, tuple[str, str]] = {}
        self.marks: dict[str, str] = {}
        self.watched: set[str] = set()

    def __getattr__(self, tool: str) -> Callable:
        if tool.startswith("_"):
            raise AttributeError(tool)
        return partial(self._do, tool)

    async def _do(self, tool, arguments, call):
        self.calls.append((tool, dict(arguments), call))
        if tool == "list_jobs":
            return {"jobs": [], "next_cursor": None}
        if tool in self.script:
            return await self.script[tool](arguments, call)
        if call.task_id is not None:
            self.tasks[call.task_id] = ("j0123456789", tool)
        return job()

    async def list_sessions(self, arguments, call):
        row = {
            "session": "2025-09-12_14-30-12_사진 {a}_t2i",
            "name": "사진",
            "kind": "t2i",
            "pictures": 1,
        }
        return {"sessions": [row], "next_cursor": None}

    async def load_session(self, arguments, call):
        if "사진" not in arguments["session"]:
            raise ToolRefusedError("unknown_session", "There is no such session.")
        return {"session": arguments["session"], "items": [{"key": "01"}, {"key": "02"}]}

    async def get_status(self, arguments, call):
        return {"state": "ok", "problems": []}

    async def view_image(self, arguments, call):
        return json.dumps(dict(arguments)), b"\xff\xd8\xff\xd9"

    async def picture_file(self, session, key):
        return "image/png", f"{session}/{key}".encode()

    async def job_of_task(self, task_id):
        return self.tasks.get(task_id)

    def mark_answered(self, job_id):
        self.answered.append(job_id)

    async def read_marks(self, uris):
        self.watched |= uris
        return {uri: self.marks.get(uri, "") for uri in uris}


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds."""
    with anyio.fail_after(seconds):
        while not holds():  # noqa: ASYNC110 - of other processes and clients nothing tells
            await anyio.sleep(0.01)


class Doors:
    """Both doors of one surface; `client` connects to one of them in one era."""

    def __init__(self, tools: PretendedTools, place: Path, port: int, clients: Clients) -> None:
        self.tools = tools
        self.socket = place
        self.port = port
        self.clients = clients

    until = staticmethod(until)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @asynccontextmanager
    async def client(
        self, door: str, era: str, *, token: str = TOKEN, **how
    ) -> AsyncIterator[Client]:
        mode = "legacy" if era.startswith("2025") else "auto"
        async with AsyncExitStack() as stack:
            if door == "socket":
                transport = over_socket(self.socket)
            else:
                headers = {"Authorization": f"Bearer {token}"}
                http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers))
                transport = streamable_http_client(self.address, http_client=http)
            client = await stack.enter_async_context(Client(transport, mode=mode, **how))
            assert client.protocol_version == era
            yield client


@asynccontextmanager
async def over_socket(path: Path):
    """MCP's stdio framing over a Unix socket, as the bridge copies it."""
    heard, inbound = anyio.create_memory_object_stream(0)
    outbound, said = anyio.create_memory_object_stream(0)

    async def read(stream):
        rest = b""
        async with heard:
            while True:
                try:
                    rest += await stream.receive()
                except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                    return
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    try:
                        await heard.send(SessionMessage(message))
                    except anyio.BrokenResourceError:
                        return

    async def write(stream):
        async with said:
            async for item in said:
                line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                await stream.send(line.encode() + b"\n")

    async with await anyio.connect_unix(path) as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(read, stream)
        tasks.start_soon(write, stream)
        yield inbound, outbound
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def open_doors(folder: Path, tools: PretendedTools) -> AsyncIterator[Doors]:
    clients = Clients()
    link = bind("127.0.0.1", 0)
    port = link.getsockname()[1]
    async with anyio.create_task_group() as tasks:
        built = build_server(tools, tasks=tasks, marks=tools.read_marks, sealing_key=KEY)
        surface = Surface(built, tools, clients)
        tasks.start_soon(built.subscriptions.watch)
        await tasks.start(
            partial(
                serve_http,
                built.server,
                link,
                names=names_for("127.0.0.1", port),
                token=TOKEN,
                answered=tools.mark_answered,
                clients=clients,
            )
        )
        place = folder / "mcp.sock"
        await tasks.start(serve_socket, place, 0o600, surface.talk)
        yield Doors(tools, place, port, clients)
        built.subscriptions.close()
        tasks.cancel_scope.cancel()


@pytest.fixture
async def doors(tmp_path) -> AsyncIterator[Doors]:
    async with open_doors(tmp_path, PretendedTools()) as opened:
        yield opened


@pytest.fixture(params=DOORS)
def door(request) -> str:
    return request.param


@pytest.fixture(params=ERAS)
def era(request) -> str:
    return request.param


class Daemon:
    """seedream-daemon serving a home of its own, with MCP on its socket and a port."""

    def __init__(self, home: Path, base_url: str, **settings: str) -> None:
        self.home = home
        self.state = home / "state"
        self.inbox = home / "inbox"
        self.port = free_port()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ARK_BASE_URL": base_url,
            "INBOX_DIR": str(self.inbox),
            "OUTPUT_BASE_DIR": str(home / "outputs"),
            "STATE_DIR": str(self.state),
            "IMAGES_PER_MINUTE": "0",
            "SETTLE_SECONDS": "1",
            "MCP_PORT": str(self.port),
            **settings,
        }
        self.log = home / "log.jsonl"
        self.process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def token(self) -> str:
        return (self.state / "mcp-token").read_text(encoding="ascii").strip()

    async def start(self) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - it does not wait
                [sys.executable, "-m", "seedream_daemon", "serve"],
                cwd=self.home,
                env=self.env,
                stderr=log,
            )
        await until(self._answers, 20)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    async def stop(self) -> float:
        """Ask it to end as systemd would; the seconds it took."""
        began = anyio.current_time()
        self.process.terminate()
        await until(lambda: self.process.poll() is not None, 20)
        assert self.process.returncode == 0, self.log.read_text(encoding="utf-8")
        return anyio.current_time() - began

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @asynccontextmanager
    async def client(self, door: str, era: str, **how) -> AsyncIterator[Client]:
        doors = Doors(None, self.state / "mcp.sock", self.port, None)
        async with doors.client(door, era, token=self.token, **how) as client:
            yield client


def free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return link.getsockname()[1]


@pytest.fixture
def daemon(emulator, tmp_path):
    """Start daemons: `await daemon("--latency", "1", MCP_CONFIRM_USD="0")`; its `emulator` bills."""
    started = []

    async def start(*words: str, faults: str | None = None, **settings: str) -> Daemon:
        home = tmp_path / f"home{len(started)}"
        home.mkdir()
        ark = emulator(*words, faults=faults)
        one = Daemon(home, ark.base_url, **settings)
        one.emulator = ark
        started.append(one)
        await one.start()
        return one

    yield start
    for one in started:
        one.kill()
