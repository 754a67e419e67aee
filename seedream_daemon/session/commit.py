"""The edge: entries that arrive together go to the disk together.

A sync costs the same for one line as for fifty; whoever comes first writes for all that wait.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import anyio
from anyio import CancelScope, CapacityLimiter, to_thread

from seedream_daemon.session.history import History
from seedream_daemon.session.journal import Entry, encode
from seedream_daemon.session.segment import JournalFile


@dataclass(slots=True, kw_only=True)
class _Waiting:
    entry: Entry
    line: bytes
    durable: bool
    is_written: bool = False
    error: OSError | None = None


class GroupCommit:
    """Appends entries to a journal file and to the history, in one order for both."""

    def __init__(self, journal: JournalFile, history: History, now: Callable[[], datetime]) -> None:
        self._journal = journal
        self._history = history
        self._now = now
        self._last_seq = history.last_seq
        self._waiting: list[_Waiting] = []
        self._turn = anyio.Lock(fast_acquire=True)
        self._thread = CapacityLimiter(1)

    async def append(self, event: str, fields: Mapping[str, Any], *, durable: bool) -> None:
        """Write an entry, as SessionWriter.append says."""
        entry = Entry(seq=self._last_seq + 1, at=self._time(), event=event, fields=fields)
        waiting = _Waiting(entry=entry, line=encode(entry), durable=durable)
        self._last_seq += 1
        self._waiting.append(waiting)
        # What a request's record says must be on disk even if its task is being cancelled.
        with CancelScope(shield=True):
            async with self._turn:
                if not waiting.is_written and waiting.error is None:
                    await self._write_all()
        if waiting.error is not None:
            # An exception of its own for each caller: a shared one would gather all tracebacks.
            raise OSError(waiting.error.errno, waiting.error.strerror) from waiting.error

    async def _write_all(self) -> None:
        batch, self._waiting = self._waiting, []
        lines = b"".join(one.line for one in batch)
        durable = any(one.durable for one in batch)
        write = partial(self._journal.write, lines, durable=durable)
        try:
            await to_thread.run_sync(write, limiter=self._thread)
        except OSError as error:
            for one in batch:
                one.error = error
            return
        for one in batch:
            one.is_written = True
            self._history.apply(one.entry)

    def _time(self) -> str:
        return self._now().isoformat(timespec="milliseconds")
