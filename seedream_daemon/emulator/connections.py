"""The sockets of the emulator, by their other end, so that a fault can break one."""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

# On, zero seconds: closing the socket then sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connections:
    """Knows every open connection."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """Give the protocol class that keeps these books; uvicorn makes one per connection."""
        opened = self._open

        class _Noted(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in H11Protocol
                self._peer = transport.get_extra_info("peername")[:2]
                opened[self._peer] = transport
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                opened.pop(self._peer, None)
                super().connection_lost(exc)

        return _Noted

    def reset(self, client: Any) -> None:
        """Break the connection of `client` (host, port), so that it sees a reset."""
        transport = self._open.get(tuple(client))
        if transport is None:
            return
        link = transport.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()

    def abort_all(self) -> None:
        """Drop every connection."""
        for transport in list(self._open.values()):
            transport.abort()
