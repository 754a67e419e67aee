"""What every HTTP request passes before MCP sees it: Host, Origin, token, route."""

import hmac
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MCP_PATH = "/mcp"
HEALTH_PATH = "/health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names under which the port may be asked for: `host:port`, as a Host header has it."""

    hosts: frozenset[str]

    def allow_host(self, host: str | None) -> bool:
        """Whether a request for this Host is meant for us (a rebound DNS name is not)."""
        return host is not None and host.lower() in self.hosts

    def allow_origin(self, origin: str) -> bool:
        """Whether a page of this origin may ask: only one that we could have served."""
        scheme, _, host = origin.lower().partition("://")
        return scheme == "http" and host in self.hosts


def names_for(host: str, port: int) -> Names:
    """Give the names of a port that listens on `host`."""
    names = {"127.0.0.1", "localhost", "[::1]"}
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        names |= {socket.gethostname(), *_own_addresses()}
    else:
        names.add(f"[{host}]" if ":" in host else host)
    plain = names if port == HTTP_PORT else set()
    return Names(hosts=frozenset(name.lower() for name in plain | _with_port(names, port)))


HTTP_PORT = 80


def _with_port(names: Iterable[str], port: int) -> set[str]:
    return {f"{name}:{port}" for name in names}


def _own_addresses() -> set[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    addresses = {str(entry[4][0]) for entry in found}
    return {f"[{address}]" if ":" in address else address for address in addresses}


class Gate:
    """An ASGI application around another: lets through who knows the token.

    `token` None lets everybody through and is for tests of other stacks only.
    """

    def __init__(self, app: App, *, names: Names, token: str | None) -> None:
        self._app = app
        self._names = names
        self._token = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _answer(send, refusal)
        elif scope["path"] == HEALTH_PATH:
            await _answer(send, HTTPStatus.OK)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> HTTPStatus | None:
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._names.allow_host(hosts[0]):
            return HTTPStatus.MISDIRECTED_REQUEST
        if not all(self._names.allow_origin(value) for name, value in headers if name == b"origin"):
            return HTTPStatus.FORBIDDEN
        path = scope["path"]
        # Metadata of an OAuth server would make some clients drop the token they were given.
        if path.startswith("/.well-known/"):
            return HTTPStatus.NOT_FOUND
        if path == HEALTH_PATH:
            return None
        given = [value for name, value in headers if name == b"authorization"]
        if not self._knows_token(given):
            return HTTPStatus.UNAUTHORIZED
        return None if path == MCP_PATH else HTTPStatus.NOT_FOUND

    def _knows_token(self, given: list[str]) -> bool:
        if self._token is None:
            return True
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(" ")
        told = token.strip().encode("utf-8", "replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(told, self._token)


async def _answer(send: Send, status: HTTPStatus) -> None:
    text = (b"ok" if status is HTTPStatus.OK else status.phrase.encode()) + b"\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))]
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="seedream-daemon"'))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": text})
