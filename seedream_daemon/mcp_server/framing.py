"""MCP's stdio framing over a stream: one JSON-RPC message a line."""

import json

import anyio
import anyio.abc
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import (
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from seedream_daemon.mcp_server.answers import Answers

# As much as a request over HTTP may have.
MOST_LINE_BYTES = 4 * 1024 * 1024

Inbound = MemoryObjectSendStream[SessionMessage | Exception]
Outbound = MemoryObjectReceiveStream[SessionMessage]


class Framing:
    """One client's stream. `read` and `write` run beside the server until the client leaves."""

    def __init__(self, stream: anyio.abc.ByteStream, answers: Answers) -> None:
        self._stream = stream
        self._answers = answers
        self._sending = anyio.Lock()

    async def read(self, inbound: Inbound) -> None:
        """Pass on what the client says, until it leaves or says a line that is too long."""
        async with inbound:
            rest = bytearray()
            while len(rest) <= MOST_LINE_BYTES:
                try:
                    piece = await self._stream.receive(65_536)
                except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return
                searched = len(rest)
                rest += piece
                if rest.find(b"\n", searched) < 0:
                    continue
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    await self._take(bytes(line), inbound)

    async def write(self, outbound: Outbound) -> None:
        """Send what the server says, and note which replies were handed over."""
        async with outbound:
            async for item in outbound:
                message = item.message
                if not await self._send(message):
                    return
                if isinstance(message, JSONRPCResponse):
                    self._answers.sent(message.id)

    async def _take(self, line: bytes, inbound: Inbound) -> None:
        if not line.strip():
            return
        try:
            message = _read(line)
        except ValueError:
            error = ErrorData(code=PARSE_ERROR, message="That line is no JSON-RPC message.")
            await self._send(JSONRPCError(jsonrpc="2.0", id=None, error=error))
            return
        try:
            await inbound.send(SessionMessage(message))
        except anyio.BrokenResourceError:
            return

    async def _send(self, message: JSONRPCMessage) -> bool:
        """Send one line; False if the client is gone."""
        line = message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
        try:
            async with self._sending:
                await self._stream.send(line)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return False
        return True


def _read(line: bytes) -> JSONRPCMessage:
    """Read a message. Raises ValueError.

    Half an emoji, as a text that was cut by UTF-16 units ends with, becomes a question mark: the
    caller would wait in vain for the answer to a line that nobody could read.
    """
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        if b"\\u" not in line:
            raise
        try:
            text = json.dumps(json.loads(line), ensure_ascii=False)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        return jsonrpc_message_adapter.validate_json(text.encode("utf-8", "replace"), by_name=False)
