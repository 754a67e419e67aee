"""One daemon's MCP surface in work: its server, its connections, its port."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread
from mcp.shared.message import SessionMessage

from seedream_daemon import log
from seedream_daemon.daemon.clients import Clients
from seedream_daemon.mcp_server.answers import Answers, hold_answers
from seedream_daemon.mcp_server.framing import Framing
from seedream_daemon.mcp_server.gate import names_for
from seedream_daemon.mcp_server.http_door import bind, serve_http
from seedream_daemon.mcp_server.resources import STATUS, address_of
from seedream_daemon.mcp_server.sdk_log import sdk_log
from seedream_daemon.mcp_server.server import Built, build_server
from seedream_daemon.mcp_server.toolbox import Toolbox
from seedream_daemon.tools.toolbox import Tools

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

LAST_WORDS_S = 1.0


class Surface:
    """Serves connections of any kind with one server."""

    def __init__(self, built: Built, tools: Toolbox, clients: Clients) -> None:
        self._server = built.server
        self._tools = tools
        self._clients = clients

    async def talk(self, stream: anyio.abc.ByteStream) -> None:
        """Serve one connection in stdio framing until its client leaves."""
        answers = Answers(self._tools.mark_answered)
        hold_answers(answers)
        framing = Framing(stream, answers)
        heard, inbound = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outbound, said = anyio.create_memory_object_stream[SessionMessage](0)
        options = self._server.create_initialization_options()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(framing.read, heard)
            tasks.start_soon(framing.write, said)
            try:
                await self._server.run(inbound, outbound, options)
            except Exception as error:  # noqa: BLE001 - one connection must not end the daemon
                log.warn("mcp_connection_lost", message=repr(error))
            # What is already said gets a moment to leave; a client that does not read, no more.
            tasks.cancel_scope.deadline = anyio.current_time() + LAST_WORDS_S

    async def serve_http(self, host: str, port: int, token: str) -> None:
        """Serve the port until cancelled. Raises ConfigError if it cannot be had."""
        link = await anyio.to_thread.run_sync(bind, host, port)
        await serve_http(
            self._server,
            link,
            names=await anyio.to_thread.run_sync(names_for, host, port),
            token=token,
            answered=self._tools.mark_answered,
            clients=self._clients,
        )


@asynccontextmanager
async def open_surface(service: "Service", sealing_key: str) -> AsyncIterator[Surface]:
    """Open the surface of a daemon; listeners are told of changes while the block runs."""
    tools = Tools(service)
    with sdk_log():
        async with anyio.create_task_group() as tasks:
            built = build_server(
                tools, tasks=tasks, marks=partial(_marks, service), sealing_key=sealing_key
            )
            tasks.start_soon(built.subscriptions.watch)
            tasks.start_soon(_close_when_stopping, service, built)
            try:
                yield Surface(built, tools, service.clients)
            finally:
                built.subscriptions.close()
                tasks.cancel_scope.cancel()


async def _close_when_stopping(service: "Service", built: Built) -> None:
    """End open listeners in order as soon as the daemon is told to stop."""
    await service.engine.stopped()
    built.subscriptions.close()


async def _marks(service: "Service", uris: frozenset[str]) -> Mapping[str, str]:
    """Give what changes when a watched resource does, without reading a session."""
    marks: dict[str, str] = {}
    rows = service.queue()
    by_session = {row["session"]: row for row in rows if row["session"]}
    for uri in uris:
        address = address_of(uri)
        if uri == "":
            marks[uri] = await _changed(service)
        elif uri == STATUS:
            marks[uri] = json.dumps([service.state(), rows])
        elif address is not None:
            marks[uri] = json.dumps(by_session.get(address.session))
    return marks


async def _changed(service: "Service") -> str:
    """Give when a session last came or went."""
    try:
        found = await anyio.Path(service.settings.output_base_dir).stat()
    except OSError:
        return ""
    return str(found.st_mtime_ns)
