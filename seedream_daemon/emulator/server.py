"""The emulator as a process or inside one: a loopback port that answers like Ark."""

import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import uvicorn

from seedream_daemon.emulator.app import App, Parts
from seedream_daemon.emulator.bill import Bill
from seedream_daemon.emulator.connections import Connections
from seedream_daemon.emulator.faults import Faults, read_faults
from seedream_daemon.emulator.generation import Studio
from seedream_daemon.emulator.limits import ImagesPerMinute
from seedream_daemon.emulator.spool import Spool
from seedream_daemon.errors import ConfigError

_STOP_GRACE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the emulator behaves.

    `port` 0 takes a free one. `latency_s` is the time from a complete request to its answer,
    drawing inside it. `images_per_minute` 0 is no limit. `key` None lets every key pass.
    """

    port: int = 0
    latency_s: float = 0.0
    images_per_minute: int = 0
    faults: Path | None = None
    bill: Path | None = None
    url_ttl_s: float = 86_400.0
    key: str | None = None


class _Server(uvicorn.Server):
    """A server that leaves the signals of the process alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(options: Options, *, announce: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT; the first line on stdout says where.

    `announce` is given that line instead, if there is one. Raises ConfigError if the port is
    taken, the bill cannot be written or the file of faults is wrong.
    """
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with running(options) as base_url:
            (announce or _print)(f"listening on {base_url}")
            async for _ in signals:
                return


@contextlib.asynccontextmanager
async def running(options: Options) -> AsyncIterator[str]:
    """Run the emulator beside the caller's code; gives the base URL to be used as ARK_BASE_URL.

    Leaving takes at most a second, open streams are cut. Raises ConfigError as `serve` does.
    """
    faults = Faults(()) if options.faults is None else read_faults(options.faults)
    with contextlib.ExitStack() as ending:
        link = _bind(options.port)
        ending.callback(link.close)
        bill = _open_bill(options.bill)
        ending.callback(bill.close)
        spool = Spool(options.url_ttl_s)
        ending.callback(spool.close)
        parts = Parts(
            key=options.key,
            faults=faults,
            limits=ImagesPerMinute(options.images_per_minute),
            bill=bill,
            spool=spool,
            studio=Studio(spool, latency_s=options.latency_s),
            connections=Connections(),
        )
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            server = _server(parts)
            tasks.start_soon(spool.sweep_for_ever)
            tasks.start_soon(server.serve, [link])
            try:
                yield f"http://127.0.0.1:{link.getsockname()[1]}/api/v3"
            except Exception as error:  # noqa: BLE001 # raised below, bare instead of in a group
                failure = error
            finally:
                with anyio.CancelScope(shield=True):
                    await _stop(server, parts.connections)
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure


def _server(parts: Parts) -> _Server:
    return _Server(
        uvicorn.Config(
            App(parts).asgi(),
            http=parts.connections.protocol(),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",
            proxy_headers=False,
            server_header=False,
            headers=[("server", "seedream-emulator")],
            timeout_keep_alive=60,
            timeout_graceful_shutdown=0,
        )
    )


def _bind(port: int) -> socket.socket:
    # Without the protocol asyncio leaves Nagle on, and every answer is 40 ms late.
    link = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        link.bind(("127.0.0.1", port))
    except OSError as error:
        link.close()
        raise ConfigError(
            f"The emulator cannot listen on port {port}: {error.strerror}."
        ) from error
    link.listen(1024)
    return link


def _open_bill(path: Path | None) -> Bill:
    try:
        return Bill(path)
    except OSError as error:
        raise ConfigError(f"The bill {path} cannot be written: {error.strerror}.") from error


async def _stop(server: _Server, connections: Connections) -> None:
    """Close the port and end what is open; answers nearly done get a moment."""
    server.should_exit = True
    state = server.server_state
    await _wait_while(lambda: bool(state.tasks))
    connections.abort_all()
    for task in list(state.tasks):
        task.cancel()
    await _wait_while(lambda: bool(state.tasks or state.connections))


async def _wait_while(is_busy: Callable[[], bool]) -> None:
    """Wait a little; uvicorn tells nobody when its last task ends, so it must be asked."""
    with anyio.move_on_after(_STOP_GRACE_S):
        while is_busy():  # noqa: ASYNC110
            await anyio.sleep(0.01)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
