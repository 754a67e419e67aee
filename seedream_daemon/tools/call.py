"""What a tool knows of the call that it answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Progress = Callable[[float, float | None, str], Awaitable[None]]
Ask = Callable[[str], Awaitable[bool | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a tool.

    `deadline` is the time of `anyio.current_time()` by which it must end. `progress` takes ended
    shots, all shots (None before they are known) and a sentence; None where nobody listens. `ask`
    puts a question to the person and gives the answer, None where it was not answered; it is None
    where the client cannot ask. `confirmation_key` is the lasting id of a confirmation that was
    asked for: calls that bring the same one are the same wish. `task_id` is the id under which the
    client will look for the job; it is kept with it.
    """

    deadline: float
    progress: Progress | None = None
    ask: Ask | None = None
    confirmation_key: str | None = None
    task_id: str | None = None
