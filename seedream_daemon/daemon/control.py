"""The control socket: one JSON line asks the daemon, one JSON line answers."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from seedream_daemon.errors import ConfigError, UsageError
from seedream_daemon.jsontext import json_bytes
from seedream_daemon.sockets import socket_path

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

__all__ = ["NoDaemonError", "ask_daemon", "serve_control", "socket_path"]

MOST_LINE_BYTES = 64_000
ANSWER_S = 30.0


async def serve_control(service: "Service", path: Path) -> None:
    """Answer on the socket until cancelled. It is ours alone: mode 0600."""
    await anyio.to_thread.run_sync(_make_way, path)
    try:
        async with await anyio.create_unix_listener(path, mode=0o600) as listener:
            await listener.serve(lambda stream: _answer(service, stream))
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(path).unlink(missing_ok=True)


def _make_way(path: Path) -> None:
    """Remove the socket of a daemon that was killed; the inbox's lock says that there is none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)


async def _answer(service: "Service", stream: anyio.abc.SocketStream) -> None:
    async with stream:
        try:
            line = await BufferedByteReceiveStream(stream).receive_until(b"\n", MOST_LINE_BYTES)
            answer = await _do(service, json.loads(line))
        except (ValueError, KeyError, TypeError, anyio.DelimiterNotFound) as error:
            answer = {"error": {"code": "usage", "message": f"That was not understood: {error}"}}
        except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
            return
        except OSError as error:
            answer = {"error": {"code": "disk", "message": f"The disk answers: {error}"}}
        try:
            await stream.send(json_bytes(answer) + b"\n")
        except anyio.BrokenResourceError:
            return


async def _do(service: "Service", asked: Mapping[str, Any]) -> Any:
    match asked["do"]:
        case "status":
            return await service.status()
        case "jobs":
            return service.page(int(asked.get("limit", 20)), asked.get("before"))
        case "cancel":
            row = await service.cancel(str(asked["job_id"]))
            if row is None:
                message = f"There is no job {asked['job_id']!r}; `jobs` lists those there are."
                return {"error": {"code": "unknown_job", "message": message}}
            return row
        case "make_way":
            if service.ends_when_idle:
                service.stop()
            return {"stopping": service.ends_when_idle}
        case "stop":
            service.stop()
            return {}
        case other:
            message = f"There is nothing called {other!r}."
            return {"error": {"code": "usage", "message": message}}


class NoDaemonError(ConfigError):
    """No daemon answers."""

    code = "no_daemon"


def ask_daemon(state_dir: Path, asked: Mapping[str, Any]) -> Any:
    """Ask the daemon of a STATE_DIR; blocks. Raises NoDaemonError, UsageError."""
    path = socket_path(state_dir, "control.sock")
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(ANSWER_S)
            link.connect(os.fspath(path))
            link.sendall(json.dumps(asked).encode() + b"\n")
            with link.makefile("rb") as answer:
                found = json.loads(answer.readline() or b"null")
    except (OSError, ValueError) as error:
        raise NoDaemonError(
            f"No daemon answers at {path} ({error}). Start one with `seedream-daemon serve`, "
            "or name its settings with --env."
        ) from None
    if found is None:
        raise NoDaemonError(f"The daemon at {path} went away while it was asked.")
    if isinstance(found, dict) and "error" in found:
        raise UsageError(found["error"]["message"])
    return found
