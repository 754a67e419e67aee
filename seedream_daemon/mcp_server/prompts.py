"""Ready questions that a user can pick, with the user's own words in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

MOST_CHARACTERS = 4000

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    title: str
    description: str
    arguments: tuple[tuple[str, str, bool], ...]
    text: str


_PRICE_FIRST = (
    "Call check_job, show me the mistakes or the price, and wait for my yes. Then submit_job with "
    "a request_key, get_job with wait_seconds 45 until it ends, and view_image."
)
_READY: Mapping[str, _Ready] = {
    "id_photo_grid": _Ready(
        title="ID photos of many people",
        description="A table of ID photos: one column per person, one row per outfit.",
        arguments=(
            ("folder", "Absolute path of a folder with one subfolder of photos per person", True),
            ("outfits", "Outfits, separated by commas", False),
            ("background", "The background of every picture", False),
        ),
        text="Make ID photos with a grid job. One group per subfolder of this folder, one prompt "
        "per outfit, aspect 3:4, keep each face.\nfolder: {folder}\noutfits: {outfits}\n"
        "background: {background}\n" + _PRICE_FIRST,
    ),
    "bulk_retouch": _Ready(
        title="The same edit for every photo",
        description="Edits each photo of a folder in the same way.",
        arguments=(
            ("folder", "Absolute path of a folder of photos", True),
            ("instruction", "What to change in every photo", True),
        ),
        text="Make the same edit of every photo in this folder with a bulk job.\n"
        "folder: {folder}\ninstruction: {instruction}\n" + _PRICE_FIRST,
    ),
    "review_session": _Ready(
        title="Review a session",
        description="Looks through a session's pictures and names those to make again.",
        arguments=(("session", "The session's name, as in list_sessions", True),),
        text="Review the pictures of this session: load_session, then view_image without a key "
        "for the sheet, and single pictures where you need to look closer. Tell me which ones "
        "differ from their prompt or look wrong, by key, and what you would retry. Retry "
        "nothing yourself.\nsession: {session}",
    ),
}
_DEFAULTS = {"outfits": "a dark suit, a white shirt", "background": "plain light grey"}


async def list_prompts(_: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
    """Serve prompts/list, on one page."""
    refuse_cursor(params)
    return ListPromptsResult(prompts=[_prompt(name, ready) for name, ready in _READY.items()])


async def get_prompt(_: Context, params: GetPromptRequestParams) -> GetPromptResult:
    """Serve prompts/get. Raises MCPError for an unknown prompt or a missing argument."""
    ready = _READY.get(params.name)
    if ready is None:
        raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name}")
    given = {name: value[:MOST_CHARACTERS] for name, value in (params.arguments or {}).items()}
    missing = [name for name, _, required in ready.arguments if required and not given.get(name)]
    if missing:
        raise MCPError(INVALID_PARAMS, f"Missing argument of {params.name}: {', '.join(missing)}")
    names = [name for name, _, _ in ready.arguments]
    values = {name: given.get(name) or _DEFAULTS.get(name, "") for name in names}
    text = TextContent(type="text", text=ready.text.format_map(values))
    return GetPromptResult(
        description=ready.description, messages=[PromptMessage(role="user", content=text)]
    )


def is_prompt(name: str) -> bool:
    """Whether there is a prompt of this name."""
    return name in _READY


def refuse_cursor(params: PaginatedRequestParams | None) -> None:
    """Raise MCPError for a cursor: these lists have one page."""
    if params is not None and params.cursor is not None:
        raise MCPError(INVALID_PARAMS, "Invalid cursor: this list has one page.")


def _prompt(name: str, ready: _Ready) -> Prompt:
    return Prompt(
        name=name,
        title=ready.title,
        description=ready.description,
        arguments=[
            PromptArgument(name=argument, description=description, required=required)
            for argument, description, required in ready.arguments
        ],
    )
