"""Many jobs at once: one gate, one stop, each job's failures its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from seedream_daemon.run.means import Means


class Engine:
    """Runs while its jobs run; stops them so that nothing paid for is lost."""

    def __init__(self, means: Means, *, stop_grace_s: float) -> None:
        self.means = means
        self._stop_grace_s = stop_grace_s
        self._stopping = anyio.Event()

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return len(self.means.asking)

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Send nothing new; wait for answers in flight as long as the grace allows.

        What has no answer then is journaled as in doubt. Pictures already answered are fetched.
        """
        self.means.gate.close()
        self._stopping.set()

    async def stopped(self) -> None:
        """Wait until a stop is asked for."""
        await self._stopping.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the engine's own tasks alive around the jobs."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.means.gate.presume_after_first)
            group.start_soon(self._end_grace)
            try:
                yield
            finally:
                group.cancel_scope.cancel()

    async def _end_grace(self) -> None:
        await self._stopping.wait()
        await anyio.sleep(self._stop_grace_s)
        for scope in tuple(self.means.asking):
            scope.cancel()
