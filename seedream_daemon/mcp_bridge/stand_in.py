"""What the bridge itself answers while there is no daemon.

The lists are recorded from the server (packaging/record_answers.py), so that a host that starts
before the daemon sees the same tools.
"""

import json
from pathlib import Path
from typing import Any

from seedream_daemon import __version__
from seedream_daemon.mcp_bridge.conversation import (
    INTERNAL_ERROR,
    Message,
    RequestId,
    error_line,
    line_of,
)

INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
UNSUPPORTED_VERSION = -32022
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_RECORDED = Path(__file__).with_name("recorded.json")
# The eras of which a handshake chooses one, and the last of them for those who ask for another.
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


class Trouble:
    """Why there is no daemon: an error code of the tools, and what a person must do.

    `has_rival` says that another daemon is why ours is not there; it may yet answer.
    """

    __slots__ = ("code", "has_rival", "sentence")

    def __init__(self, code: str, sentence: str, *, has_rival: bool = False) -> None:
        self.code = code
        self.sentence = sentence
        self.has_rival = has_rival


class StandIn:
    """Answers hosts of both eras from what was recorded."""

    def __init__(self) -> None:
        self._loaded: dict[str, dict[str, Any]] | None = None

    def greet(self, message: Message) -> bytes | None:
        """Answer what needs no daemon at all: hello and ping; None for anything else."""
        identity, method = message.get("id"), message.get("method")
        if identity is None:
            return None
        params = _params(message)
        if method == "initialize":
            wanted = params.get("protocolVersion")
            chosen = wanted if wanted in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
            hello = self._of("handshake")["initialize"]
            return _result(identity, {**hello, "protocolVersion": chosen})
        if method == "server/discover":
            return self._stateless(identity, message) or _result(
                identity, self._of("stateless")["server/discover"]
            )
        if method == "ping" and not _is_stateless(message):
            return _result(identity, {})
        return None

    def answer(self, message: Message, trouble: Trouble) -> bytes | None:
        """Answer anything while there is no daemon; None for what wants no answer."""
        identity, method = message.get("id"), message.get("method")
        if identity is None or method is None:
            return None
        refused = self._stateless(identity, message) if _is_stateless(message) else None
        if refused is not None:
            return refused
        if greeting := self.greet(message):
            return greeting
        era = "stateless" if _is_stateless(message) else "handshake"
        if method == "tools/call":
            return self._call(identity, message, era, trouble)
        if method in self._of(era):
            return _result(identity, self._of(era)[method])
        if method == "resources/list":
            return _result(identity, {"resources": [], **self._envelope(era)})
        return error_line(identity, INTERNAL_ERROR, f"{trouble.code}: {trouble.sentence}")

    def _call(self, identity: RequestId, message: Message, era: str, trouble: Trouble) -> bytes:
        name = _params(message).get("name")
        if name not in {tool["name"] for tool in self._of(era)["tools/list"]["tools"]}:
            return error_line(identity, INVALID_PARAMS, f"Unknown tool: {name}")
        result: dict[str, Any]
        if name == "get_status":
            document = status_document(trouble)
            text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            result = {"isError": False, "structuredContent": document}
        else:
            text = f"{trouble.code}: {trouble.sentence}"
            result = {"isError": True}
        result["content"] = [{"type": "text", "text": text}]
        envelope = self._envelope(era)
        for caching in ("cacheScope", "ttlMs"):
            envelope.pop(caching, None)
        return _result(identity, {**result, **envelope})

    def _envelope(self, era: str) -> dict[str, Any]:
        """Give what every list of an era says beside its rows; nothing in the handshake eras."""
        listed = self._of(era)["tools/list"]
        envelope = {name: value for name, value in listed.items() if name != "tools"}
        return {**envelope, "ttlMs": 0} if envelope else {}

    def _stateless(self, identity: RequestId, message: Message) -> bytes | None:
        """Refuse a version that no era of ours has."""
        supported = self._of("stateless")["server/discover"]["supportedVersions"]
        wanted = _version(message)
        if wanted in supported or wanted is None:
            return None
        error = {
            "code": UNSUPPORTED_VERSION,
            "message": f"Unsupported protocol version: {wanted}",
            "data": {"supported": supported, "requested": wanted},
        }
        return line_of({"jsonrpc": "2.0", "id": identity, "error": error})

    def _of(self, era: str) -> dict[str, Any]:
        if self._loaded is None:
            self._loaded = json.loads(_RECORDED.read_text(encoding="utf-8"))
        return self._loaded[era]


def status_document(trouble: Trouble) -> dict[str, Any]:
    """Give get_status where no daemon could be asked: all there is to say is what is wrong."""
    return {
        "state": "attention",
        "version": __version__,
        "queue": {"waiting": 0, "running": 0, "paused": 0, "in_flight": 0},
        "images_per_minute": 0,
        "spend": {
            "today_usd": None,
            "in_doubt_usd": None,
            "left_usd": None,
            "tools_today_usd": None,
            "tools_left_usd": None,
        },
        "limits": {
            "confirm_above_usd": None,
            "max_job_usd": None,
            "job_budget_usd": None,
            "model": None,
        },
        "folders": {"inbox": None, "photos": None, "output": None, "roots": []},
        "problems": [{"what": trouble.code, "mend": trouble.sentence}],
    }


def _params(message: Message) -> dict[str, Any]:
    params = message.get("params")
    return params if isinstance(params, dict) else {}


def _version(message: Message) -> Any:
    meta = _params(message).get("_meta")
    return meta.get(_VERSION_KEY) if isinstance(meta, dict) else None


def _is_stateless(message: Message) -> bool:
    return _version(message) is not None


def _result(identity: RequestId, result: dict[str, Any]) -> bytes:
    return line_of({"jsonrpc": "2.0", "id": identity, "result": result})
