"""What a host and its daemons have said, as far as the next daemon must know it.

Pure: lines come in, lines to be passed on come out. A line is one JSON-RPC message, without its
line break. Nothing is changed on its way as long as the first daemon lives.
"""

import json
from typing import Any

# JSON-RPC 2.0, section 5.1: the fault is the server's; the line is no JSON.
INTERNAL_ERROR = -32603
PARSE_ERROR = -32700
LOST = "the daemon restarted; jobs go on; call list_jobs"
_SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
_OWN = "seedream-bridge-"

Message = dict[str, Any]
RequestId = str | int


class _Request:
    """A request of the host that is not yet answered; `line` is kept where it outlives a daemon."""

    __slots__ = ("line",)

    def __init__(self, line: bytes | None) -> None:
        self.line = line


class Conversation:
    """One host's side of the talk, over all daemons that it meets."""

    def __init__(self) -> None:
        self._daemons = 0
        self._sent = 0
        self._initialize: bytes | None = None
        self._initialized: bytes | None = None
        self._kept: dict[tuple[str, str], bytes] = {}
        self._open: dict[RequestId, _Request] = {}
        self._asked: dict[RequestId, RequestId] = {}
        self._unseen: set[RequestId] = set()
        self._acknowledged: set[str] = set()

    @property
    def is_owed_answers(self) -> bool:
        """Whether a daemon has yet to answer a request; streams of subscriptions never end."""
        return any(request.line is None for request in self._open.values())

    def remember(self, line: bytes, message: Message) -> None:
        """Note what the host says that holds for as long as it lives."""
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if method == "initialize":
            self._initialize = line
        elif method == "notifications/initialized":
            self._initialized = line
        elif method == "logging/setLevel":
            self._kept[("level", "")] = line
        elif method == "resources/subscribe":
            self._kept[("resource", str(params.get("uri")))] = line
        elif method == "resources/unsubscribe":
            self._kept.pop(("resource", str(params.get("uri"))), None)

    def to_daemon(self, line: bytes, message: Message) -> bytes | None:
        """Take a line of the host; give what the daemon shall get of it, None for nothing."""
        self.remember(line, message)
        identity, method = _identity(message), message.get("method")
        if method is None:
            return self._reply(line, message, identity)
        if identity is not None:
            self._open[identity] = _Request(line if method == "subscriptions/listen" else None)
        elif method == "notifications/cancelled":
            cancelled = (message.get("params") or {}).get("requestId")
            if isinstance(cancelled, str | int):
                self._open.pop(cancelled, None)
        return line

    def to_host(self, line: bytes, message: Message) -> bytes | None:
        """Take a line of the daemon; give what the host shall get of it, None for nothing."""
        identity, method = _identity(message), message.get("method")
        if method is None:
            if identity in self._unseen:
                self._unseen.discard(identity)
                return None
            if identity is None:
                return line
            if "result" in message and self._is_stream(identity):
                # A daemon that stops ends its streams in order; the next one takes them up.
                return None
            self._open.pop(identity, None)
            return line
        if method == "notifications/subscriptions/acknowledged":
            return self._acknowledge(line, message)
        if method == "notifications/cancelled":
            return self._taken_back(line, message)
        return line if identity is None else self._question(line, message, identity)

    def lose(self, why: str = LOST) -> list[bytes]:
        """Note that the daemon is gone; give what the host must be told.

        Each open request gets an error, each open question of the daemon is taken back. Streams
        of subscriptions stay open: `replay` takes them up again.
        """
        told = []
        for identity in [key for key, request in self._open.items() if request.line is None]:
            del self._open[identity]
            told.append(error_line(identity, INTERNAL_ERROR, why))
        for question in self._asked:
            params = {"requestId": question, "reason": why}
            told.append(
                line_of({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
            )
        self._asked.clear()
        self._unseen.clear()
        return told

    def replay(self) -> tuple[bytes | None, RequestId | None]:
        """Begin with a new daemon; give the hello that it gets, and the id of its answer.

        Both are None where the host has said none; else `rest_of_replay` follows that answer.
        """
        self._daemons += 1
        if self._initialize is None:
            return None, None
        return self._again(self._initialize)

    def rest_of_replay(self) -> list[bytes]:
        """Give what a new daemon gets after the hello: subscriptions, and streams of them."""
        lines = [self._initialized] if self._initialized else []
        lines += [self._again(line)[0] for line in self._kept.values()]
        for identity, request in self._open.items():
            if request.line is not None:
                self._acknowledged.add(str(identity))
                lines.append(request.line)
        return lines

    def _is_stream(self, identity: RequestId) -> bool:
        return identity in self._open and self._open[identity].line is not None

    def _again(self, line: bytes) -> tuple[bytes, RequestId]:
        """Give a request under an id of our own, whose answer the host does not see."""
        self._sent += 1
        identity = f"{_OWN}{self._sent}"
        self._unseen.add(identity)
        return line_of({**json.loads(line), "id": identity}), identity

    def _question(self, line: bytes, message: Message, identity: RequestId) -> bytes:
        """Pass on what a daemon asks, later ones under an id of our own.

        Each daemon counts from 0, and a late answer to one must never be taken for an answer to
        another.
        """
        shown = self._shown(identity)
        self._asked[shown] = identity
        return line if shown == identity else line_of({**message, "id": shown})

    def _taken_back(self, line: bytes, message: Message) -> bytes:
        params = message.get("params") or {}
        question = params.get("requestId")
        if not isinstance(question, str | int):
            return line
        shown = self._shown(question)
        self._asked.pop(shown, None)
        if shown == question:
            return line
        return line_of({**message, "params": {**params, "requestId": shown}})

    def _shown(self, identity: RequestId) -> RequestId:
        return identity if self._daemons <= 1 else f"{_OWN}{self._daemons}-asks-{identity}"

    def _reply(self, line: bytes, message: Message, identity: RequestId | None) -> bytes | None:
        if identity is None or identity not in self._asked:
            return None
        asked = self._asked.pop(identity)
        return line if asked == identity else line_of({**message, "id": asked})

    def _acknowledge(self, line: bytes, message: Message) -> bytes | None:
        meta = (message.get("params") or {}).get("_meta") or {}
        key = str(meta.get(_SUBSCRIPTION_ID))
        if key in self._acknowledged:
            self._acknowledged.discard(key)
            return None
        return line


def read_line(line: bytes) -> Message | None:
    """Read a JSON-RPC message; None for a line that is none."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def line_of(message: Message) -> bytes:
    """Give a message as a line, without its break."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def error_line(identity: RequestId | None, code: int, text: str) -> bytes:
    """Give a JSON-RPC error as a line."""
    return line_of({"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": text}})


def _identity(message: Message) -> RequestId | None:
    identity = message.get("id")
    return identity if isinstance(identity, str | int) else None
