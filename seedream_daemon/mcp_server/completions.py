"""What a user may mean who has begun to type: models, aspects, sessions, keys."""

from collections.abc import Iterable
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    PromptReference,
)

from seedream_daemon.job.models import FAMILIES
from seedream_daemon.job.sizes import ASPECTS, LABELS
from seedream_daemon.mcp_server.prompts import is_prompt
from seedream_daemon.mcp_server.resources import is_template
from seedream_daemon.mcp_server.toolbox import Toolbox
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.refusal import ToolRefusedError

MOST_VALUES = 100
LOOK_S = 5.0


class Completions:
    """Serves completion/complete."""

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools

    async def complete(
        self, _: ServerRequestContext[Any, Any], params: CompleteRequestParams
    ) -> CompleteResult:
        """Give the values that begin as the user's does."""
        if isinstance(params.ref, PromptReference):
            if not is_prompt(params.ref.name):
                raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.ref.name}")
        elif not is_template(params.ref.uri):
            raise MCPError(INVALID_PARAMS, f"Unknown resource template: {params.ref.uri}")
        begun = params.argument.value
        known = (params.context.arguments if params.context else None) or {}
        values = await self._values(params.argument.name, known)
        return CompleteResult(completion=_fitting(values, begun))

    async def _values(self, name: str, known: dict[str, str]) -> Iterable[str]:
        match name:
            case "model":
                return [model for family in FAMILIES for model in family.ids]
            case "aspect":
                return dict.fromkeys((*ASPECTS, *LABELS))
            case "session":
                return await self._sessions()
            case "key":
                return await self._keys(known.get("session", ""))
            case _:
                return ()

    async def _sessions(self) -> list[str]:
        page = await self._tools.list_sessions({"limit": MOST_VALUES}, _call())
        return [row["session"] for row in page["sessions"]]

    async def _keys(self, session: str) -> list[str]:
        try:
            page = await self._tools.load_session(
                {"session": session, "limit": MOST_VALUES}, _call()
            )
        except ToolRefusedError:
            return []
        return [item["key"] for item in page["items"]]


def _fitting(values: Iterable[str], begun: str) -> Completion:
    folded = begun.casefold()
    fitting = [value for value in values if value.casefold().startswith(folded)]
    return Completion(
        values=fitting[:MOST_VALUES],
        total=len(fitting),
        has_more=len(fitting) > MOST_VALUES,
    )


def _call() -> Call:
    return Call(deadline=anyio.current_time() + LOOK_S)
