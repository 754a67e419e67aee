"""Files that survive a crash: replaced whole or not at all, and locked by one process at a time."""

import contextlib
import errno
import fcntl
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

DRAFT_PREFIX = ".seedream-draft-"

# What file systems answer that have nothing to sync for a folder (some network and FUSE mounts).
_CANNOT_SYNC_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Replace `path` by `content`, so that a crash leaves the old file or the new one.

    `mode` is that of the new file, before the umask. Blocks; raises OSError with the old file
    intact if the disk is full or the folder is gone.
    """
    # A short name of its own: a suffix to a name of 255 bytes would not fit.
    draft = path.parent / f"{DRAFT_PREFIX}{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


def fsync_dir(path: Path) -> None:
    """Make the names in the folder `path` durable: what was created, renamed or linked there.

    Blocks; raises OSError. Does nothing where a file system cannot sync folders.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOwner:
    """The process that holds a lock, or held it when it died."""

    host: str
    pid: int


class LockedFile:
    """A lock that is held until `release()`, the end of the `with` block or of the process."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others have the lock; a second call does nothing.

        The file stays: removing it could take away the lock of whoever has just opened it.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def lock_file(path: Path) -> LockedFile:
    """Take the lock of `path`, making the file if need be, and write host and pid into it.

    Never waits: raises BlockingIOError if another process (or another part of this one) holds
    it; `lock_owner` then says who. Raises OSError if the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    # The words are for people; a full disk must not keep anybody from the lock itself.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
    return LockedFile(path, descriptor)


def lock_owner(path: Path) -> LockOwner | None:
    """Say who wrote itself into the lock `path`; None if nobody did or it cannot be read.

    A process that was killed is still named; whether it lives is another question.
    """
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return None
    if len(words) != 2 or not words[1].isdecimal():
        return None
    return LockOwner(host=words[0], pid=int(words[1]))


def is_locked(path: Path) -> bool:
    """Tell whether a living process holds the lock `path`, without touching it. Blocks.

    Trying the lock would, for that moment, keep away whoever wants it.
    """
    try:
        inode = str(path.stat().st_ino)
        locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return lock_owner(path) is not None
    # "1: FLOCK  ADVISORY  WRITE 708 00:18:123 0 EOF". The device is not compared: Btrfs tells
    # another one to stat() than to the kernel's own list.
    held = (line.split() for line in locks if " FLOCK " in line and "->" not in line)
    return any(words[-3].rpartition(":")[2] == inode for words in held)
