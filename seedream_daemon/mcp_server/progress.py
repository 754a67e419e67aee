"""How a call that waits tells that it is alive."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext

MOST_CHARACTERS = 200

Send = Callable[[float, float | None, str | None], Awaitable[None]]
Tell = Callable[[float, float | None, str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When to send, in seconds: first, at most so often, and at least so often."""

    first_s: float = 0.8
    pause_s: float = 1.0
    heartbeat_s: float = 9.0


class Progress:
    """Sends rising numbers: what has ended, and a fraction below 1 that grows with each beat.

    `tell` only notes how things stand; `beat` sends it: first within a second, then on change at
    most once a second, and every 9 seconds where nothing changes.
    """

    def __init__(self, send: Send, rhythm: Rhythm) -> None:
        self._send = send
        self._rhythm = rhythm
        self._now: tuple[float, float | None, str | None] = (0.0, None, None)
        self._news = anyio.Event()
        self._ended = -1.0
        self._beats = 0

    async def tell(self, done: float, total: float | None, message: str) -> None:
        """Note how things stand."""
        stands = (done, total, message[:MOST_CHARACTERS])
        if stands != self._now:
            self._now = stands
            self._news.set()

    async def beat(self) -> None:
        """Send until cancelled."""
        await self._wait(self._rhythm.first_s)
        while True:
            done, total, message = self._now
            await self._send(self._rising(done), total, message)
            await anyio.sleep(self._rhythm.pause_s)
            await self._wait(self._rhythm.heartbeat_s - self._rhythm.pause_s)

    async def _wait(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._news.wait()
        self._news = anyio.Event()

    def _rising(self, done: float) -> float:
        if done > self._ended:
            self._ended, self._beats = done, 0
            return done
        self._beats += 1
        return self._ended + self._beats / (self._beats + 1)


@asynccontextmanager
async def telling(ctx: ServerRequestContext[Any, Any]) -> AsyncIterator[Tell | None]:
    """Send progress while the block runs, if the client asked for it; else give None."""
    if ctx.meta is None or ctx.meta.get("progress_token") is None:
        yield None
        return
    progress = Progress(ctx.session.report_progress, Rhythm())
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(progress.beat)
        try:
            yield progress.tell
        except Exception as error:  # noqa: BLE001 # raised below, bare instead of in a group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
