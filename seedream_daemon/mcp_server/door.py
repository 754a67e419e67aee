"""The MCP door of a daemon: its socket, and its port where there is one.

This module is loaded with the daemon and stays light: the SDK is imported in a thread when the
first client comes (at once where there is a port), so that a daemon that nobody asks over MCP
neither starts later nor holds 30 MB more.
"""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread

from seedream_daemon.mcp_server.secret_files import read_or_make_secret
from seedream_daemon.mcp_server.socket_door import place_of, serve_socket

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service
    from seedream_daemon.mcp_server.surface import Surface

SURFACE = "seedream_daemon.mcp_server.surface"
KEY_NAME = "mcp-sealing-key"
TOKEN_NAME = "mcp-token"  # noqa: S105 - the name of its file


async def mcp_door(service: "Service") -> None:
    """Serve MCP until cancelled. Raises ConfigError for a bad secret or a port that is taken."""
    door = _Door(service)
    path, mode = place_of(service.settings.state_dir, os.environ)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_socket, path, mode, door.talk)
        tasks.start_soon(door.open)


class _Door:
    """Connections wait here until the surface is loaded."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._surface: Surface | None = None
        self._wanted = anyio.Event()
        self._loaded = anyio.Event()

    async def open(self) -> None:
        """Load the surface once it is wanted, let the connections in, and serve the port."""
        settings = self._service.settings
        if settings.mcp_port is None:
            await self._wanted.wait()
        # A stop does not wait for the import: the thread dies with the process.
        module = await anyio.to_thread.run_sync(
            importlib.import_module, SURFACE, abandon_on_cancel=True
        )
        key = await _secret(settings.state_dir / KEY_NAME)
        async with module.open_surface(self._service, key) as surface:
            self._surface = surface
            self._loaded.set()
            if settings.mcp_port is not None:
                token = await _secret(settings.mcp_token_file or settings.state_dir / TOKEN_NAME)
                await surface.serve_http(settings.mcp_host, settings.mcp_port, token)
            await anyio.sleep_forever()

    async def talk(self, stream: anyio.abc.ByteStream) -> None:
        """Serve one connection."""
        with self._service.clients.one():
            self._wanted.set()
            await self._loaded.wait()
            assert self._surface is not None  # noqa: S101 - set before the event
            await self._surface.talk(stream)


async def _secret(path: Path) -> str:
    return await anyio.to_thread.run_sync(read_or_make_secret, path)
