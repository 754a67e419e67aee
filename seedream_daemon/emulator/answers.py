"""Answers that a ready-made response cannot give: events as they happen, and broken ones.

A response that returns before its body is complete makes the server close the connection, which
the client sees as a cut.
"""

import json
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from seedream_daemon.emulator.connections import Connections

Event = Mapping[str, object]
SendEvent = Callable[[Event], Awaitable[None]]


class EventStream(Response):
    """Server-sent events, told by `tell`, which is handed the means to send one.

    As with the live service no header is sent before the first event. `tell` answers whether the
    stream came to its end; if not, the connection is cut.
    """

    media_type = "text/event-stream"

    def __init__(self, tell: Callable[[SendEvent], Awaitable[bool]]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._tell = tell
        self._is_begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the events."""

        async def send_event(event: Event) -> None:
            await self._send(send, f"event: {event['type']}\ndata: {json.dumps(event)}\n\n")

        if await self._tell(send_event):
            await self._send(send, "data: [DONE]\n\n")
            await send({"type": "http.response.body", "body": b""})

    async def _send(self, send: Send, text: str) -> None:
        if not self._is_begun:
            self._is_begun = True
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


class CutShort(Response):
    """An answer of which only the first half arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the first half."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


class Silence(Response):
    """No answer at all, until the client goes or the emulator stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Wait."""
        while (await receive())["type"] != "http.disconnect":
            pass


class Reset(Response):
    """No answer, and the connection is reset."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Break the connection."""
        self._connections.reset(scope["client"])
