"""A server that plays a script over a real socket, byte by byte."""

import json
import socket
import ssl
import struct
import subprocess
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import anyio.streams.tls
import pytest

from seedream_daemon.ark.wire import ArkPicture, SentPhoto


class RawStream(anyio.abc.ByteStream):
    """A socket that is read only when the script asks: what is not asked for stalls the client.

    (The event loop's own streams read ahead without bound before their first pause.)
    """

    def __init__(self, raw):
        self.raw = raw

    async def receive(self, max_bytes=65536):
        while True:
            try:
                piece = self.raw.recv(max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self.raw)
            except OSError as error:
                raise anyio.BrokenResourceError from error
            else:
                if not piece:
                    raise anyio.EndOfStream
                return piece

    async def send(self, item):
        rest = memoryview(item)
        while rest:
            try:
                rest = rest[self.raw.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self.raw)
            except OSError as error:
                raise anyio.BrokenResourceError from error

    async def send_eof(self):
        self.raw.shutdown(socket.SHUT_WR)

    async def aclose(self):
        if self.raw.fileno() >= 0:
            anyio.notify_closing(self.raw)
            self.raw.close()

    @property
    def extra_attributes(self):
        return {anyio.abc.SocketAttribute.raw_socket: lambda: self.raw}


class Connection:
    """One connection of a client, seen from the server."""

    def __init__(self, stream):
        self._stream = stream
        self._held = b""

    async def head(self):
        """Read up to the blank line; return the head as text, None if the client closed."""
        while b"\r\n\r\n" not in self._held:
            try:
                self._held += await self._stream.receive()
            except anyio.EndOfStream:
                return None
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    async def body(self, count):
        while len(self._held) < count:
            self._held += await self._stream.receive()
        body, self._held = self._held[:count], self._held[count:]
        return body

    async def request(self):
        """Read a whole request; return its head and body, None if the client closed."""
        head = await self.head()
        if head is None:
            return None
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
        return head, await self.body(int(fields.get("content-length", "0")))

    async def send(self, text):
        await self._stream.send(text if isinstance(text, bytes) else text.encode())

    async def answer(self, text, *, status="200 OK", fields=""):
        text = text if isinstance(text, bytes) else text.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n{fields}\r\n"
        await self.send(head.encode() + text)  # at once: a reset would drop what Nagle holds back

    async def reset(self):
        """End the connection the hard way."""
        raw = self._stream.extra(anyio.abc.SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await anyio.aclose_forcefully(self._stream)


class Server:
    def __init__(self, port, scheme):
        self.port = port
        self.origin = f"{scheme}://{'localhost' if scheme == 'https' else '127.0.0.1'}:{port}"
        self.base_url = f"{self.origin}/api/v3"
        self.connections = 0


@asynccontextmanager
async def _playing(script, *, tls=None):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    listener.settimeout(0)
    # Little room in the kernel, so that a client notices early when nobody reads.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
    server = Server(listener.getsockname()[1], "http" if tls is None else "https")

    async def handle(stream):
        server.connections += 1
        try:
            async with stream:
                if tls is not None:
                    stream = await anyio.streams.tls.TLSStream.wrap(
                        stream, server_side=True, ssl_context=tls, standard_compatible=False
                    )
                await script(Connection(stream))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError):
            pass  # the client hung up, as some of the tests want it to

    async def accept(tasks):
        while True:
            await anyio.wait_readable(listener)
            raw, _ = listener.accept()
            raw.settimeout(0)
            tasks.start_soon(handle, RawStream(raw))

    with listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(accept, tasks)
            try:
                with anyio.fail_after(20):
                    yield server
            finally:
                tasks.cancel_scope.cancel()


@pytest.fixture
def playing():
    """`async with playing(script) as server`: *script(connection)* runs for each connection."""
    return _playing


@pytest.fixture
def photo(tmp_path):
    """Make a photo of so many bytes."""

    def make(count, name="photo.jpg"):
        path = tmp_path / name
        path.write_bytes(_bytes(count))
        return SentPhoto(path=path, mime="image/jpeg", size_bytes=count)

    return make


def _bytes(count):
    block = bytes(index * 7 % 251 for index in range(4099))
    return (block * (count // len(block) + 1))[:count]


@pytest.fixture
def pictures():
    """A list that takes what arrives: `on_picture=pictures.take`."""

    class Pictures(list[ArkPicture]):
        async def take(self, picture):
            self.append(picture)

    return Pictures()


@pytest.fixture
def plain_answer():
    """Give the JSON of a plain answer with so many pictures."""

    def make(count=1):
        data = [{"url": f"https://h/{index}.jpg", "size": "2048x2048"} for index in range(count)]
        return json.dumps(
            {"model": "m", "created": 1, "data": data, "usage": {"generated_images": count}}
        )

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost that signs itself: (path, server context)."""
    folder = tmp_path_factory.mktemp("tls")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "3650", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl could not make a certificate: {error}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context
