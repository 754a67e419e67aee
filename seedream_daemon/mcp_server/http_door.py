"""The port: MCP as streamable HTTP, behind the gate, in a task group of its own."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.abc
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from seedream_daemon.daemon.clients import Clients
from seedream_daemon.errors import ConfigError
from seedream_daemon.mcp_server.answers import SCOPE_KEY
from seedream_daemon.mcp_server.gate import App, Gate, Message, Names, Receive, Scope, Send

MOST_SESSIONS = 1000
GRACE_S = 1


class _Uvicorn(uvicorn.Server):
    """A server that leaves the signals of the process alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Take the port. Raises ConfigError if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol asyncio leaves Nagle on, and every answer is 40 ms late.
    link = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        link.bind((host, port))
    except OSError as error:
        link.close()
        raise ConfigError(
            f"MCP_PORT {port} on MCP_HOST {host} cannot be had: {error.strerror}. Choose another "
            "port, or stop what listens there."
        ) from error
    link.listen(1024)
    return link


async def serve_http(
    server: Server[Any],
    link: socket.socket,
    *,
    names: Names,
    token: str | None,
    answered: Callable[[str], None],
    clients: Clients,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve on a bound port until cancelled; open streams are ended, which takes a moment."""
    manager = StreamableHTTPSessionManager(server, max_sessions=MOST_SESSIONS)
    told = _TellingApp(manager.handle_request, answered, clients)
    web = _Uvicorn(_config(Gate(told, names=names, token=token)))
    with contextlib.closing(link):
        # The manager ends before the port does: it is what holds the streams open.
        async with anyio.create_task_group() as tasks, manager.run():
            tasks.start_soon(_run, web, link)
            task_status.started()
            try:
                await anyio.sleep_forever()
            finally:
                web.should_exit = True


async def _run(web: uvicorn.Server, link: socket.socket) -> None:
    with anyio.CancelScope(shield=True):
        await web.serve(sockets=[link])


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


class _TellingApp:
    """Tells which jobs' news reached a client: those whose reply was sent while it was there."""

    def __init__(self, app: App, answered: Callable[[str], None], clients: Clients) -> None:
        self._app = app
        self._answered = answered
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = whole = False

        async def hear() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or (message["type"] == "http.disconnect" and not whole)
            return message

        async def say(message: Message) -> None:
            nonlocal whole
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body")

        with self._clients.one():
            await self._app(scope, hear, say)
        if whole and not gone and SCOPE_KEY in scope:
            self._answered(scope[SCOPE_KEY])
