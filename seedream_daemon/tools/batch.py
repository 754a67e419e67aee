"""One look at the disk for all who ask the same at the same time."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class _Look:
    """A look that has not begun. `found` is None until it has ended well."""

    __slots__ = ("ended", "found")

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.found: tuple[Any] | None = None


class Batch:
    """Has at most one thread look at a time, however many callers wait for what it sees.

    A hundred threads that each look for a tenth of a millisecond wait ten times as long for each
    other and for the event loop.
    """

    def __init__(self) -> None:
        self._turn = anyio.Lock()
        self._next: dict[Hashable, _Look] = {}

    async def look(self, key: Hashable, read: Callable[[], T]) -> T:
        """Give what `read` returns in a thread; callers with the same key share one look.

        The look begins after the call, so it sees all that was there at the call. Raises what
        `read` raises, to the one caller whose `read` was called; the others look themselves.
        """
        while (known := self._next.get(key)) is not None:
            await known.ended.wait()
            if known.found is not None:
                found: T = known.found[0]
                return found
        look = self._next[key] = _Look()
        try:
            async with self._turn:
                del self._next[key]
                found = await anyio.to_thread.run_sync(read)
                look.found = (found,)
                return found
        finally:
            if self._next.get(key) is look:
                del self._next[key]
            look.ended.set()
