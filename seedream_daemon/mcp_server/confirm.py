"""How a client is asked whether money may be spent, in both eras of the protocol.

Until 2025-11-25 the server asks while the call waits; what is answered after the call has ended
counts for the next equal call. From 2026-07-28 the call ends with the question, and comes again
with the answer and a sealed state that only we can have written.
"""

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from seedream_daemon.mcp_server.private import connection_of

ANSWER_S = 120.0
FIELD = "confirm"
FORM = {
    "type": "object",
    "properties": {
        FIELD: {
            "type": "boolean",
            "title": "Spend it",
            "description": "Whether this may be spent.",
            "default": False,
        }
    },
    "required": [FIELD],
}

Ask = Callable[[str], Awaitable[bool | None]]


class AnswerNeededError(Exception):
    """The call must end with this question, and come again with its answer."""

    def __init__(self, question: str, key: str) -> None:
        super().__init__(question)
        self.question = question
        self.key = key

    def result(self) -> InputRequiredResult:
        """Give the reply that asks."""
        state = {"key": self.key, "question": _digest(self.question)}
        params = ElicitRequestFormParams(message=self.question, requested_schema=FORM)
        return InputRequiredResult(
            input_requests={FIELD: ElicitRequest(params=params)},
            request_state=json.dumps(state),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How one call asks: `ask` is None where the client cannot; `key` names a confirmation."""

    ask: Ask | None
    key: str | None


@dataclass(slots=True)
class _Question:
    text: str
    answered: anyio.Event = field(default_factory=anyio.Event)
    answer: bool | None = None


class Questions:
    """Asks clients; its questions live in `tasks`, longer than the calls that put them."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        self._open: dict[tuple[int, str], _Question] = {}

    def for_call(
        self, ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams, deadline: float
    ) -> Asking:
        """Give how this call asks, until `deadline` on the clock of the event loop."""
        if not _takes_forms(ctx):
            return Asking(ask=None, key=None)
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return _asking_by_return(params)
        if not ctx.session.can_send_request:
            return Asking(ask=None, key=None)

        async def ask(text: str) -> bool | None:
            return await self._ask_now(ctx, params, text, deadline)

        return Asking(ask=ask, key=None)

    async def _ask_now(
        self,
        ctx: ServerRequestContext[Any, Any],
        params: CallToolRequestParams,
        text: str,
        deadline: float,
    ) -> bool | None:
        connection = connection_of(ctx)
        place = (id(connection), _digest([params.name, _wish(params.arguments)]))
        question = self._open.get(place)
        if question is None or question.text != text:
            question = self._open[place] = _Question(text)
            connection.exit_stack.callback(self._drop, place, question)
            self._tasks.start_soon(self._put, ctx, place, question)
        # The reply needs a moment of its own before the deadline.
        with anyio.move_on_at(deadline - 1):
            await question.answered.wait()
            self._drop(place, question)
        return question.answer

    async def _put(
        self, ctx: ServerRequestContext[Any, Any], place: tuple[int, str], question: _Question
    ) -> None:
        """Put a question. What is not answered, or not used, in two minutes is forgotten."""
        with anyio.move_on_after(ANSWER_S):
            try:
                found = await ctx.session.elicit_form(question.text, FORM, ctx.request_id)
                question.answer = _is_yes(found)
            except (MCPError, ValueError):
                question.answer = None
            question.answered.set()
            await anyio.sleep_forever()
        self._drop(place, question)

    def _drop(self, place: tuple[int, str], question: _Question) -> None:
        if self._open.get(place) is question:
            del self._open[place]


def _asking_by_return(params: CallToolRequestParams) -> Asking:
    state = _state(params)
    key = state.get("key") or secrets.token_hex(16)
    given = (params.input_responses or {}).get(FIELD) if state else None

    async def ask(text: str) -> bool | None:
        # Another price is another question, and must be put anew.
        if given is None or state.get("question") != _digest(text):
            raise AnswerNeededError(text, key)
        return _is_yes(given)

    return Asking(ask=ask, key=state.get("key"))


def _state(params: CallToolRequestParams) -> dict[str, str]:
    """Give what we sealed into the question; the boundary has checked that it is ours."""
    if params.request_state is None:
        return {}
    found: dict[str, str] = json.loads(params.request_state)
    return found


def _is_yes(found: object) -> bool:
    """Only an explicit yes is one: some clients accept without asking anybody."""
    return (
        isinstance(found, ElicitResult)
        and found.action == "accept"
        and found.content is not None
        and found.content.get(FIELD) is True
    )


def _takes_forms(ctx: ServerRequestContext[Any, Any]) -> bool:
    declared = ctx.session.client_capabilities
    elicitation = declared.elicitation if declared else None
    # An empty object means forms: it is older than the other mode.
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def _wish(arguments: dict[str, Any] | None) -> dict[str, Any]:
    """Give what two calls must share to be the same wish."""
    left_out = {"wait_seconds", "confirm_usd"}
    return {name: value for name, value in (arguments or {}).items() if name not in left_out}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
