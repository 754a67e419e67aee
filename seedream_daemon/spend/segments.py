"""The ledger on disk: numbered files of lines, shared by processes under one lock.

    STATE_DIR/ledger.lock               held for each look and each line
    STATE_DIR/ledger/ledger-0001.jsonl  full: never written again
    STATE_DIR/ledger/ledger-0002.jsonl  the one that grows
    STATE_DIR/ledger/checkpoint.json    all full files added up, so that a start stays cheap

A line that was torn by a kill is closed by the next writer and skipped by every reader. The files
are the truth; a checkpoint that is gone or broken only means reading them all.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seedream_daemon.durable import fsync_dir, write_atomically
from seedream_daemon.spend.line import decode, encode

SEGMENT_BYTES = 1_000_000


class Segments:
    """One process's place in the ledger's files. Blocking, and for one thread at a time."""

    def __init__(self, state_dir: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = state_dir / "ledger"
        self._lock_path = state_dir / "ledger.lock"
        self._segment_bytes = segment_bytes
        self._lock_fd: int | None = None
        self._fd: int | None = None
        self._number = 0
        self._offset = 0
        self.bad_lines = 0

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the ledger against all other processes; waits for its turn.

        Raises OSError where STATE_DIR cannot be made or written.
        """
        if self._lock_fd is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def checkpoint(self) -> dict[str, Any] | None:
        """Give what the last checkpoint saved and go on behind it; None: read from the start."""
        try:
            saved = decode((self._folder / "checkpoint.json").read_bytes().rstrip(b"\n"))
        except FileNotFoundError:
            saved = None
        self._open(1 if saved is None else int(saved["through"]) + 1)
        return saved

    def unread(self) -> list[dict[str, Any]]:
        """Give the lines that were written since the last call, by whomever. Needs the lock."""
        lines = self._rest()
        while self._path(self._number + 1).exists():
            self._open(self._number + 1)
            lines += self._rest()
        if self._is_torn():
            # Nobody writes while we hold the lock: this is what a killed writer left.
            with contextlib.suppress(OSError):
                os.write(self._descriptor(), b"\n")
                lines += self._rest()
        return lines

    def append(self, fields: Mapping[str, Any]) -> None:
        """Write one line and bring it to the disk. Needs the lock, and nothing unread.

        Raises OSError, with the line taken back, where the disk is full or broken.
        """
        if self._is_torn():
            raise OSError(errno.ENOSPC, "the last line of the ledger could not be closed")
        line = encode(fields)
        fd = self._descriptor()
        try:
            _write_all(fd, line)
            os.fdatasync(fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, self._offset)
            raise
        self._offset += len(line)

    def is_full(self) -> bool:
        """Say whether it is time for a checkpoint and a new file."""
        return self._offset >= self._segment_bytes

    def roll(self, saved: Mapping[str, Any]) -> None:
        """Save what all files up to this one add up to, and begin the next. Needs the lock."""
        checkpoint = encode({"through": self._number, **saved})
        write_atomically(self._folder / "checkpoint.json", checkpoint, mode=0o600)
        self._open(self._number + 1)

    def close(self) -> None:
        """Let go of the files."""
        for fd in (self._fd, self._lock_fd):
            if fd is not None:
                os.close(fd)
        self._fd = self._lock_fd = None

    def _path(self, number: int) -> Path:
        return self._folder / f"ledger-{number:04d}.jsonl"

    def _open(self, number: int) -> None:
        if self._fd is not None:
            os.close(self._fd)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._path(number), flags, 0o600)
        self._number, self._offset = number, 0
        # The name of a new file must be on the disk before its first line counts.
        fsync_dir(self._folder)

    def _descriptor(self) -> int:
        if self._fd is None:
            msg = "the ledger was read before it was opened"
            raise RuntimeError(msg)
        return self._fd

    def _is_torn(self) -> bool:
        return os.fstat(self._descriptor()).st_size > self._offset

    def _rest(self) -> list[dict[str, Any]]:
        fd = self._descriptor()
        missing = os.fstat(fd).st_size - self._offset
        if missing <= 0:
            return []
        whole, newline, _torn = os.pread(fd, missing, self._offset).rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        lines = [decode(line) for line in whole.split(b"\n") if line]
        self.bad_lines += lines.count(None)
        return [line for line in lines if line is not None]


def _write_all(fd: int, content: bytes) -> None:
    # A nearly full disk takes a part without an error and fails only at the next write.
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
