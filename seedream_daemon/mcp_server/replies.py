"""The replies to a tool call: a document, a picture with its words, a refusal."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from mcp.types import CallToolResult, ImageContent, TextContent

# A name on disk need not be text; what is not becomes the character that says so.
_NOT_TEXT = "surrogateescape"


def compact(document: Any) -> str:
    """Give JSON without spaces, in characters that every client can take."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", _NOT_TEXT).decode("utf-8", "replace")


def data_reply(document: Mapping[str, Any]) -> CallToolResult:
    """Reply with a document, as data and as the same JSON in text."""
    text = compact(document)
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=json.loads(text)
    )


def picture_reply(text: str, jpeg: bytes) -> CallToolResult:
    """Reply with a picture. No structured content: several hosts would show only that."""
    picture = ImageContent(
        type="image", data=base64.b64encode(jpeg).decode("ascii"), mime_type="image/jpeg"
    )
    return CallToolResult(content=[TextContent(type="text", text=text), picture])


def refusal_reply(code: str, text: str) -> CallToolResult:
    """Reply that a call was refused, and what to do."""
    return CallToolResult(content=[TextContent(type="text", text=f"{code}: {text}")], is_error=True)
