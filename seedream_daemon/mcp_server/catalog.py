"""The twelve tools as clients see them: titles, hints and words; and how to use them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mcp.types import Tool, ToolAnnotations

from seedream_daemon.mcp_server.schemas import before_a_model, of_answer
from seedream_daemon.tools.arguments import Schema, input_schemas, output_schemas

INSTRUCTIONS = (
    "Makes pictures with Seedream models; every request costs money. One picture: generate_image "
    "or edit_image. Many: check_job with a spec, tell the user price_usd, submit_job with a "
    "request_key, then get_job with wait_seconds 45 until state is done, failed or cancelled, and "
    "do what next_step says. view_image shows pictures, load_session what a session holds. "
    "Pictures are files: give the user their paths. Photos are named by absolute path, and must "
    "lie in folders.photos or folders.roots of get_status. A job goes on when a call ends: never "
    "submit again to find out how it stands."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hints:
    """What a host may assume of a tool."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


_LOOKS = _Hints(read_only=True, destructive=False, idempotent=True, open_world=False)
_SPENDS = _Hints(read_only=False, destructive=False, idempotent=False, open_world=True)
_ENDS = _Hints(read_only=False, destructive=True, idempotent=True, open_world=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    title: str
    text: str
    hints: _Hints = _LOOKS


_CATALOG: Mapping[str, _Words] = {
    "generate_image": _Words(
        title="Make pictures",
        hints=_SPENDS,
        text="Make pictures from a text. Costs money. If it runs on after wait_seconds, ask "
        "get_job.",
    ),
    "edit_image": _Words(
        title="Edit photos",
        hints=_SPENDS,
        text="Make pictures from a text and 1 to 10 photos. Costs money. Pictures pasted into the "
        "chat have no path: ask the user to save them into folders.photos of get_status.",
    ),
    "check_job": _Words(
        title="Check job",
        text="Plan a job, send nothing: price, shots, all mistakes. Give folder or spec.",
    ),
    "submit_job": _Words(
        title="Run job",
        hints=_SPENDS,
        text="Run a job of many pictures: give folder or spec. Costs money: check_job first. Then "
        "ask get_job.",
    ),
    "get_job": _Words(
        title="Look at job", text="How a job stands; can wait for its end or a pause."
    ),
    "cancel_job": _Words(
        title="Cancel job",
        hints=_ENDS,
        text="Send nothing more for a job that tools began. What is paid for is saved.",
    ),
    "retry_job": _Words(
        title="Retry job",
        hints=_SPENDS,
        text="Ask again for what an ended job has not saved. Costs money for that only.",
    ),
    "list_jobs": _Words(title="List jobs", text="Jobs, newest first."),
    "list_sessions": _Words(
        title="List sessions", text="Sessions (folders of pictures), newest first."
    ),
    "load_session": _Words(
        title="Open session", text="A session's prompts, groups, and an item for each picture."
    ),
    "view_image": _Words(
        title="View pictures",
        text="A small copy of a picture, or a labelled sheet, of a session or a job.",
    ),
    "get_status": _Words(
        title="Status",
        text="What runs, money left, limits, folders for photos, what is wrong.",
    ),
}


def tool_list() -> list[Tool]:
    """Give the tools in their fixed order."""
    reads, gives = input_schemas(), output_schemas()
    return [_tool(name, words, reads[name], gives.get(name)) for name, words in _CATALOG.items()]


def _tool(name: str, words: _Words, reads: Schema, gives: Schema | None) -> Tool:
    hints = words.hints
    return Tool(
        name=name,
        title=words.title,
        description=words.text,
        input_schema=before_a_model(reads),
        output_schema=None if gives is None else of_answer(gives),
        annotations=ToolAnnotations(
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
    )
