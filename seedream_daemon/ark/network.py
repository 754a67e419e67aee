"""TCP and TLS streams for httpcore that hear an answer while they still send.

A service may refuse a request of 100 MB after its headers and close the connection. A stream that
only writes then meets a reset, and the refusal is lost with it. This one looks for an answer before
each piece and whenever it has to wait, and stops sending as soon as there is one. Its time-out for
sending is one of no progress, so that a slow line may take as long as it needs.
"""

import select
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.streams.tls
import httpcore

_LOOK_EVERY_S = 1.0
_INFORMATIONAL = (b"HTTP/1.1 1", b"HTTP/1.0 1")


class HearingSocket(anyio.abc.ByteStream):
    """A connected socket. Sending never raises for a broken connection: `gone` tells it.

    (TLS could not be read any more after an exception, and the answer may be waiting there.)
    """

    def __init__(self, raw: socket.socket) -> None:
        self._raw = raw
        self._poll = select.poll()
        self._poll.register(raw, select.POLLIN)
        self._sending = False
        self.gone = False
        self.stall_s: float | None = None
        self.may_wait = True
        self.hears: Callable[[], Awaitable[bool]] | None = None

    def is_readable(self) -> bool:
        """Say whether something came, or the connection ended."""
        return self._raw.fileno() < 0 or bool(self._poll.poll(0))

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return what came; raise WouldBlock instead of waiting while `may_wait` is off."""
        while True:
            try:
                piece = self._raw.recv(max_bytes)
            except BlockingIOError:
                if not self.may_wait:
                    raise anyio.WouldBlock from None
                await anyio.wait_readable(self._raw)
            except OSError as error:
                raise anyio.BrokenResourceError from error
            else:
                if not piece:
                    raise anyio.EndOfStream
                return piece

    async def send(self, item: bytes) -> None:
        """Send *item*; raise TimeoutError when nothing moves for `stall_s`. See `gone`."""
        if self._sending:  # TLS wants to answer what it heard while its own record is half sent
            self.gone = True
            return
        self._sending = True
        try:
            await self._send_all(memoryview(item))
        finally:
            self._sending = False

    async def _send_all(self, rest: memoryview) -> None:
        while rest and not self.gone:
            try:
                rest = rest[self._raw.send(rest) :]
            except BlockingIOError:
                await self._wait_writable()
            except OSError:
                self.gone = True

    async def _wait_writable(self) -> None:
        deadline = anyio.current_time() + (float("inf") if self.stall_s is None else self.stall_s)
        while True:
            with anyio.move_on_at(min(deadline, anyio.current_time() + _LOOK_EVERY_S)):
                await anyio.wait_writable(self._raw)
                return
            if self.is_readable() and self.hears is not None and await self.hears():
                self.gone = True
                return
            if anyio.current_time() >= deadline:
                raise TimeoutError

    async def send_eof(self) -> None:
        """Tell the other side that nothing more comes."""
        self._raw.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """Close the socket."""
        if self._raw.fileno() >= 0:
            anyio.notify_closing(self._raw)
            self._poll.unregister(self._raw)
            self._raw.close()
        await anyio.lowlevel.checkpoint()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """What anyio wants to know about every stream."""
        return {anyio.abc.SocketAttribute.raw_socket: lambda: self._raw}


class HearingStream(httpcore.AsyncNetworkStream):
    """A connection to a server, in the shape that httpcore wants."""

    def __init__(
        self, connection: HearingSocket, secured: anyio.streams.tls.TLSStream | None = None
    ) -> None:
        self._socket = connection
        self._secured = secured
        self._stream: anyio.abc.ByteStream = connection if secured is None else secured
        self._heard = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's
        """Return what came, b"" at the end; raise httpcore's ReadTimeout, ReadError."""
        if self._heard:
            piece, self._heard = self._heard[:max_bytes], self._heard[max_bytes:]
            return piece
        try:
            with anyio.fail_after(timeout):
                return await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            return b""
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError) as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # httpcore's
        """Send *buffer*, giving up when nothing moves for *timeout* seconds.

        Raise httpcore's WriteTimeout; and WriteError where the server has answered already or is
        gone, upon which httpcore goes on to read.
        """
        if not buffer:
            return
        if self._socket.is_readable() and await self._hears():
            raise httpcore.WriteError("the server answered before it had the whole request")
        self._socket.stall_s, self._socket.hears = timeout, self._hears
        try:
            await self._stream.send(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout("nothing could be sent for too long") from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError) as error:
            raise httpcore.WriteError(str(error)) from error
        if self._socket.gone:
            raise httpcore.WriteError("the connection ended before it took the whole request")

    async def _hears(self) -> bool:
        """Say whether a final answer, or the end, is here; keep what was read for `read`."""
        # Under TLS a readable socket may hold no more than a session ticket: reading tells.
        self._socket.may_wait = False
        try:
            self._heard += await self._stream.receive()
        except anyio.WouldBlock:
            return False
        except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
            return True
        finally:
            self._socket.may_wait = True
        return not self._heard.startswith(_INFORMATIONAL)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Return this connection with TLS on top; raise httpcore's ConnectTimeout, ConnectError."""
        try:
            with anyio.fail_after(timeout):
                secured = await anyio.streams.tls.TLSStream.wrap(
                    self._socket,
                    hostname=server_hostname,
                    ssl_context=ssl_context,
                    standard_compatible=False,
                    server_side=False,
                )
        except TimeoutError as error:
            await self.aclose()
            raise httpcore.ConnectTimeout("the TLS handshake took too long") from error
        except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError) as error:
            await self.aclose()
            raise httpcore.ConnectError(str(error) or "the TLS handshake was cut") from error
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise
        return HearingStream(self._socket, secured)

    def get_extra_info(self, info: str) -> Any:
        """Tell httpcore what it asks about the connection, None for what we do not know."""
        if info == "ssl_object" and self._secured is not None:
            return self._secured.extra_attributes[anyio.streams.tls.TLSAttribute.ssl_object]()
        if info == "is_readable":
            return self._socket.is_readable()
        return None
