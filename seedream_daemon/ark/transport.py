"""httpx's transport on connections that hear (network.py), made only to approved addresses."""

import ipaddress
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import anyio
import httpcore
import httpx

from seedream_daemon.ark.network import HearingSocket, HearingStream

# To what addresses a host and port may be connected; raises OSError to refuse.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_ONE_OF_SEVERAL_ADDRESSES_S = 3.0


async def resolve_any(host: str, port: int) -> Sequence[str]:
    """Return the addresses of *host* in the order in which the system prefers them."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[4][0]) for address in found))


def is_loopback(host: str) -> bool:
    """Say whether *host*, a name or an address, is this machine by its spelling alone."""
    if host.casefold().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def uses_proxy(url: str) -> bool:
    """Say whether the environment sends requests for *url* through a proxy; never for loopback."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host):
        return False
    proxies = urllib.request.getproxies()
    if not (proxies.get(parts.scheme) or proxies.get("all")):
        return False
    return not urllib.request.proxy_bypass(host)


class HearingBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that *resolve* gives, and to nothing else."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; raise ConnectTimeout, ConnectError."""
        try:
            with anyio.fail_after(timeout):
                addresses = await self._resolve(host, port)
                return HearingStream(await _connect_first(addresses, port))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} did not answer in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host}: {error}") from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never called: no address of ours is a path."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore uses it between attempts to connect."""
        await anyio.sleep(seconds)


async def _connect_first(addresses: Sequence[str], port: int) -> HearingSocket:
    failure: OSError = ConnectionError("the name has no address")
    for number, address in enumerate(addresses, 1):
        # A dead first address (IPv6 that leads nowhere) must not eat all of the time.
        allowed_s = float("inf") if number == len(addresses) else _ONE_OF_SEVERAL_ADDRESSES_S
        with anyio.move_on_after(allowed_s):
            try:
                return HearingSocket(await _connect(address, port))
            except OSError as error:
                failure = error
    raise failure


async def _connect(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_STREAM)
    try:
        raw.settimeout(0)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A picture takes minutes, and routers forget silent connections: ask after a minute.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        try:
            raw.connect((address, port))
        except BlockingIOError:
            await anyio.wait_writable(raw)
            failed = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failed:
                raise OSError(failed, f"{address} port {port} could not be connected") from None
    except BaseException:
        raw.close()
        raise
    return raw


class HearingTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, on connections of ours. It knows no proxy."""

    def __init__(
        self, *, ssl_context: ssl.SSLContext, resolve: Resolve, max_connections: int
    ) -> None:
        super().__init__(verify=ssl_context)
        # httpx has no parameter for the network backend; its transport is a thin coat over this
        # pool, and a test fails should that ever change.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=5.0,
            http1=True,
            http2=False,
            network_backend=HearingBackend(resolve),
        )
