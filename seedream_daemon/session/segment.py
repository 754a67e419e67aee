"""The edge: one journal file at a time, appended to so that no line is ever torn by us."""

import contextlib
import os
from pathlib import Path

from seedream_daemon.durable import fsync_dir
from seedream_daemon.session.layout import journal_name, journal_number


def journal_files(session: Path) -> tuple[Path, ...]:
    """Give a session's journal files in order; raises OSError if the folder cannot be read."""
    numbered = ((journal_number(path.name), path) for path in session.iterdir())
    found = sorted((number, path) for number, path in numbered if number is not None)
    return tuple(path for _, path in found)


class JournalFile:
    """Appends lines to a journal file of its own, begun with the first of them.

    Only one call at a time. `written_bytes` is what stands in files of this process.
    """

    def __init__(self, session: Path, *, last_number: int) -> None:
        self._session = session
        self._number = last_number
        self._descriptor: int | None = None
        self._good_bytes = 0
        self.written_bytes = 0

    def write(self, lines: bytes, *, durable: bool) -> None:
        """Append whole lines; with `durable` they are on disk when this returns. Blocks.

        Raises OSError, and then none of `lines` stands in the file; a later call may succeed.
        """
        descriptor = self._begin() if self._descriptor is None else self._descriptor
        try:
            _write_all(descriptor, lines)
        except OSError:
            # A full disk takes part of a line and says so only at the next piece.
            self._take_back(descriptor)
            raise
        if durable:
            try:
                os.fdatasync(descriptor)
            except OSError:
                # What the kernel could not write it may have forgotten: nothing that is added to
                # this file could be trusted, so the next line begins another.
                self._take_back(descriptor)
                self.close()
                raise
        self._good_bytes += len(lines)
        self.written_bytes += len(lines)

    def close(self) -> None:
        """Close the file; the next line begins another one."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _take_back(self, descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, self._good_bytes)
        except OSError:
            self.close()

    def _begin(self) -> int:
        while True:
            self._number += 1
            path = self._session / journal_name(self._number)
            with contextlib.suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW
                descriptor = os.open(path, flags, 0o666)
                break
        try:
            fsync_dir(self._session)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            self._number -= 1
            raise
        self._descriptor, self._good_bytes = descriptor, 0
        return descriptor


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
