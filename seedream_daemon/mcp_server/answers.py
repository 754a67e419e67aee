"""Which reply brings the news of which job, until it is handed to the transport."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.types import RequestId

# Where a reply over HTTP is noted: in the scope of its own request.
SCOPE_KEY = "seedream.answer"


@dataclass(slots=True)
class Answers:
    """The replies of one connection that are not yet sent; `answered` is told of each that was."""

    answered: Callable[[str], None]
    _jobs: dict[RequestId, str] = field(default_factory=dict)

    def note(self, ctx: ServerRequestContext[Any, Any], job_id: str) -> None:
        """Note that the reply to this request tells of a job."""
        if ctx.request is not None:
            ctx.request.scope[SCOPE_KEY] = job_id
        elif ctx.request_id is not None:
            self._jobs[ctx.request_id] = job_id

    def sent(self, request_id: RequestId | None) -> None:
        """Tell that the reply to a request was handed to the transport."""
        job_id = self._jobs.pop(request_id, None) if request_id is not None else None
        if job_id is not None:
            self.answered(job_id)


_held: ContextVar[Answers | None] = ContextVar("answers", default=None)


def hold_answers(answers: Answers) -> None:
    """Say whose answers the connection served by this task notes."""
    _held.set(answers)


def held_answers(answered: Callable[[str], None]) -> Answers:
    """Give the answers of this task's connection; those of a port are noted in its requests."""
    return _held.get() or Answers(answered)
