"""What a client can read by its address: the status, sessions, pictures, thumbnails."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    BlobResourceContents,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from seedream_daemon.mcp_server.prompts import refuse_cursor
from seedream_daemon.mcp_server.replies import compact
from seedream_daemon.mcp_server.toolbox import Toolbox
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.refusal import ToolRefusedError

STATUS = "seedream://status"
SESSIONS = "seedream://sessions/"
LISTED = 20
READ_S = 40.0
JSON = "application/json"

Context = ServerRequestContext[Any, Any]

_TEMPLATES = (
    ResourceTemplate(
        name="session",
        title="Session",
        uri_template=SESSIONS + "{session}",
        description="What a session holds, as load_session tells it.",
        mime_type=JSON,
    ),
    ResourceTemplate(
        name="picture",
        title="Picture",
        uri_template=SESSIONS + "{session}/pictures/{key}",
        description="A picture: the file itself up to 700,000 bytes, else a smaller JPEG.",
    ),
    ResourceTemplate(
        name="thumbnail",
        title="Thumbnail",
        uri_template=SESSIONS + "{session}/thumbnails/{key}",
        description="A picture, small.",
        mime_type="image/jpeg",
    ),
)
_ADDRESS = re.compile(
    re.escape(SESSIONS) + r"(?P<session>[^/]+)(?:/(?P<what>pictures|thumbnails)/(?P<key>[^/]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What the URI of a session or of one of its pictures names."""

    session: str
    what: str | None
    key: str | None


def address_of(uri: str) -> Address | None:
    """Take a URI apart; None if it is none of a session's."""
    found = _ADDRESS.fullmatch(uri)
    if found is None:
        return None
    key = found["key"]
    return Address(
        session=unquote(found["session"]),
        what=found["what"],
        key=None if key is None else unquote(key),
    )


def session_uri(session: str) -> str:
    """Give the URI of a session."""
    return SESSIONS + quote(session, safe="", errors="surrogateescape")


def is_template(uri: str) -> bool:
    """Whether this is one of our templates, or the address of something in one."""
    known = {template.uri_template for template in _TEMPLATES}
    return uri in known or address_of(uri) is not None


class Resources:
    """Serves resources/list, resources/templates/list and resources/read."""

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools

    async def list(self, _: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        """Give the status and the newest sessions, on one page."""
        refuse_cursor(params)
        page = await self._tools.list_sessions({"limit": LISTED}, _call())
        status = Resource(
            name="status",
            title="Status",
            uri=STATUS,
            description="What runs, what may be spent and what is wrong, as get_status tells it.",
            mime_type=JSON,
        )
        return ListResourcesResult(resources=[status, *map(_listed, page["sessions"])])

    async def templates(
        self, _: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """Give the templates, on one page."""
        refuse_cursor(params)
        return ListResourceTemplatesResult(resource_templates=list(_TEMPLATES))

    async def read(self, _: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """Give what lies at an address. Raises MCPError if nothing does."""
        try:
            content = await self._content(params.uri)
        except ToolRefusedError as refused:
            text = f"{refused.code}: {refused.message}"
            raise MCPError(INVALID_PARAMS, text, {"uri": params.uri}) from refused
        return ReadResourceResult(contents=[content])

    async def _content(self, uri: str) -> TextResourceContents | BlobResourceContents:
        if uri == STATUS:
            return _json(uri, await self._tools.get_status({}, _call()))
        address = address_of(uri)
        if address is None:
            raise MCPError(INVALID_PARAMS, f"Unknown resource: {uri}", {"uri": uri})
        if address.what is None or address.key is None:
            found = await self._tools.load_session({"session": address.session}, _call())
            return _json(uri, found)
        if address.what == "thumbnails":
            wish = {"session": address.session, "key": address.key}
            _, jpeg = await self._tools.view_image(wish, _call())
            return _blob(uri, "image/jpeg", jpeg)
        kind, content = await self._tools.picture_file(address.session, address.key)
        return _blob(uri, kind, content)


def _listed(row: Mapping[str, Any]) -> Resource:
    return Resource(
        name=row["session"],
        title=row["name"],
        uri=session_uri(row["session"]),
        description=f"{row['kind']}, {row['pictures']} pictures",
        mime_type=JSON,
    )


def _json(uri: str, document: Mapping[str, Any]) -> TextResourceContents:
    return TextResourceContents(uri=uri, mime_type=JSON, text=compact(document))


def _blob(uri: str, kind: str, content: bytes) -> BlobResourceContents:
    return BlobResourceContents(
        uri=uri, mime_type=kind, blob=base64.b64encode(content).decode("ascii")
    )


def _call() -> Call:
    return Call(deadline=anyio.current_time() + READ_S)
