"""The socket: MCP in stdio framing, one run of the server for each connection."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread

from seedream_daemon.sockets import socket_path

SOCKET_NAME = "mcp.sock"
OWN_MODE = 0o600
GROUP_MODE = 0o660

Talk = Callable[[anyio.abc.ByteStream], Any]


def place_of(state_dir: Path, environment: Mapping[str, str]) -> tuple[Path, int]:
    """Give where the socket lies, and its mode.

    A unit with a RuntimeDirectory shares it with the unit's group, whose members may then use the
    tools; any other daemon's socket is its user's alone.
    """
    shared = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if shared:
        return Path(shared) / SOCKET_NAME, GROUP_MODE
    return socket_path(state_dir, SOCKET_NAME), OWN_MODE


async def serve_socket(
    path: Path,
    mode: int,
    talk: Talk,
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled: `talk` has each connection until it returns."""
    await anyio.to_thread.run_sync(partial(_make_way, path))
    async with AsyncExitStack() as ending:
        listener = await anyio.create_unix_listener(path, mode=mode, backlog=1024)
        await ending.enter_async_context(listener)
        ending.push_async_callback(_remove, path)
        task_status.started()
        await listener.serve(partial(_serve_one, talk))


async def _serve_one(talk: Talk, stream: anyio.abc.SocketStream) -> None:
    async with stream:
        await talk(stream)


def _make_way(path: Path) -> None:
    """Remove the socket of a daemon that was killed; the inbox's lock says that there is none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)


async def _remove(path: Path) -> None:
    with anyio.CancelScope(shield=True):
        await anyio.Path(path).unlink(missing_ok=True)
