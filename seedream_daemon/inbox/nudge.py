"""Events of the inbox folder, as hints: something came, and whether it was renamed in.

The observer's threads call `wake`; what they saw is taken later, in the caller's thread.
"""

import contextlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

PROBE_S = 2.0
# watchdog keeps a departure back for so long, to be paired with an arrival, and with it all that
# came after: with its half a second, each claim of ours would hide the next drop for as long.
# The kernel queues the two halves of a rename together.
_PAIR_S = 0.05
# After lost events, or a departure that was not ours, a rename within the inbox may look like one
# from outside.
_DISTRUST_S = 1.0
_LOGGER = logging.getLogger("watchdog")
_PROBE = ".seedream-probe-"
_HEARD = [DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileCreatedEvent, FileMovedEvent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Names that were renamed in from outside the inbox, and that were renamed within it."""

    moved_in: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()


class _Overflow(logging.Handler):
    """Takes the observer's own warning that events were lost, which it tells nobody else."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._lost = lost

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._lost()


class Nudges(FileSystemEventHandler):
    """A watch on one folder, not on what lies in it.

    `wake` is called in a thread of the observer after every event. `start` and `stop` block, and
    must not be called in a thread that `wake` waits for.
    """

    def __init__(self, root: Path, wake: Callable[[], None]) -> None:
        self._overflow = _Overflow(self._note_loss)
        self._root = os.fspath(root)
        self._wake = wake
        self._guard = threading.Lock()
        self._moved_in: set[str] = set()
        self._renamed: set[str] = set()
        self._leaving: set[str] = set()
        self._distrust_until_s = 0.0
        self._probed: str | None = None
        self._probe_came = threading.Event()
        self._observer: InotifyObserver | None = None

    def start(self) -> None:
        """Begin to listen.

        Raises OSError where the kernel has no more instances or watches, or the folder is gone.
        """
        # It also logs an error whenever it is stopped; nothing it says is for people.
        _LOGGER.addHandler(self._overflow)
        _LOGGER.propagate = False
        try:
            observer = InotifyObserver(generate_full_events=True)
        except BaseException:
            self._silence()
            raise
        try:
            InotifyMoveEventGrouper.delay = _PAIR_S
            observer.start()
            observer.schedule(self, self._root, event_filter=_HEARD)
        except BaseException:
            self._end(observer)
            raise
        self._observer = observer

    def stop(self) -> None:
        """Stop listening; a second call does nothing."""
        observer, self._observer = self._observer, None
        if observer is not None:
            self._end(observer)

    def is_alive(self) -> bool:
        """Say whether the observer and its one emitter still run."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
            and bool(observer.emitters)
        )

    def probe(self) -> bool:
        """Make a file and say whether its event came within two seconds. Blocks."""
        name = _PROBE + secrets.token_hex(4)
        self._probe_came.clear()
        self._probed = name
        path = Path(self._root, name)
        try:
            path.touch(exist_ok=False)
        except OSError:
            return False
        try:
            return self._probe_came.wait(PROBE_S)
        finally:
            self._probed = None
            with contextlib.suppress(OSError):
                path.unlink()

    def expect_leave(self, name: str) -> None:
        """Say that we are about to take a name out of the folder."""
        with self._guard:
            self._leaving.add(name)

    def forget_leave(self, name: str) -> None:
        """Say that we did not take it."""
        with self._guard:
            self._leaving.discard(name)

    def take(self) -> Hints:
        """Give the hints that came since the last call."""
        with self._guard:
            hints = Hints(moved_in=frozenset(self._moved_in), renamed=frozenset(self._renamed))
            self._moved_in.clear()
            self._renamed.clear()
        return hints

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note what an event says. Called by the observer."""
        source, target = self._name(event.src_path), self._name(event.dest_path)
        if self._probed is not None and self._probed in (source, target):
            self._probe_came.set()
            return
        if isinstance(event, DirMovedEvent):
            self._note_move(source, target)
        self._wake()

    def _note_loss(self) -> None:
        with self._guard:
            self._distrust_until_s = time.monotonic() + _DISTRUST_S
            self._moved_in.clear()
        self._wake()

    def _note_move(self, source: str | None, target: str | None) -> None:
        with self._guard:
            if source is None and target is not None:
                if time.monotonic() >= self._distrust_until_s:
                    self._moved_in.add(target)
            elif target is not None:
                self._moved_in -= {source, target}
                self._renamed.add(target)
            elif source in self._leaving:
                self._leaving.discard(source)
            elif source is not None:
                self._distrust_until_s = time.monotonic() + _DISTRUST_S

    def _name(self, path: bytes | str) -> str | None:
        folder, _, name = os.fsdecode(path).rpartition("/")
        return name if name and folder == self._root else None

    def _end(self, observer: InotifyObserver) -> None:
        observer.stop()
        if observer.is_alive():
            observer.join()
        self._silence()

    def _silence(self) -> None:
        _LOGGER.removeHandler(self._overflow)
        _LOGGER.propagate = True
