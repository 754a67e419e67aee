"""Inbox -> _running -> _done or _failed, each by one rename that never replaces anything."""

import contextlib
import ctypes
import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedream_daemon.durable import fsync_dir, write_atomically
from seedream_daemon.inbox import rights, sight
from seedream_daemon.inbox.place import Place
from seedream_daemon.inbox.settle import Sight
from seedream_daemon.job.names import NAME_MAX_BYTES, cut
from seedream_daemon.jsontext import json_bytes

RESULT, ERROR = "result.json", "error.txt"
_RESULT_MAX_BYTES = 64_000_000
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The drop is ours: it lies in `folder`, below _running. `name` is what it was called."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StillMoving:
    """Somebody wrote to the drop while it was claimed; it lies in the inbox again as `name`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """The drop stays where it is, for a reason that a person has to mend."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The drop was taken away before it could be claimed."""


def claim(place: Place, name: str, seen: Sight) -> Claimed | StillMoving | Blocked | Gone:
    """Take a drop that was whole when it was `seen`. Blocks; raises OSError if the disk fails."""
    drop = place.root / name
    try:
        reason = rights.trouble(drop)
        if reason is not None:
            return Blocked(reason=reason)
        folder = move(drop, place.running, name)
    except FileNotFoundError:
        if not drop.exists():
            return Gone()
        return Blocked(reason=f"{place.running} was taken away; start the daemon anew")
    except PermissionError as error:
        return Blocked(reason=f"cannot be moved into {place.running} ({error.strerror})")
    now = sight.look(folder)
    if now is not None and (now.identity, now.tree) == (seen.identity, seen.tree):
        return Claimed(name=name, folder=folder)
    return StillMoving(name=move(folder, place.root, name).name)


def running(place: Place) -> tuple[Path, ...]:
    """Give the drops that an earlier process left in _running, by name. Blocks."""
    found = (path for path in place.running.iterdir() if not path.name.startswith("."))
    return tuple(sorted(path for path in found if path.is_dir() and not path.is_symlink()))


def has_started(place: Place, name: str) -> bool:
    """Say whether a drop of this name runs or has run. Blocks."""
    return any(os.path.lexists(f / name) for f in (place.running, place.done, place.failed))


def write_result(folder: Path, result: Mapping[str, Any], error: str | None) -> None:
    """Leave the result in a drop, and what went wrong; without an error, error.txt goes away.

    Raises OSError, with the old files intact, if the disk is full. Blocks.
    """
    write_atomically(folder / RESULT, json_bytes(result, indent=2) + b"\n")
    if error is not None:
        write_atomically(folder / ERROR, error.encode("utf-8", "backslashreplace"))
        return
    with contextlib.suppress(FileNotFoundError):
        (folder / ERROR).unlink()
        fsync_dir(folder)


def read_result(folder: Path) -> Mapping[str, Any] | None:
    """Give what an earlier run left in a drop; None if there is nothing that can be one. Blocks."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(folder / RESULT, flags), "rb") as file:
            found = json.loads(file.read(_RESULT_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def put_away(folder: Path, into: Path) -> Path:
    """Move a drop into _done or _failed under its name, or that with " (2)" where it is taken.

    Gives where it lies now; raises OSError with the drop where it was. Blocks.
    """
    into.mkdir(exist_ok=True)
    there = move(folder, into, folder.name)
    fsync_dir(into)
    fsync_dir(folder.parent)
    return there


def move(folder: Path, into: Path, name: str) -> Path:
    """Rename a folder into another under a free name, and give its new path. Blocks.

    Raises FileNotFoundError if the folder is gone, other OSErrors if it may not be moved.
    """
    number = 1
    while True:
        there = into / _numbered(name, number)
        try:
            _rename_to_free(folder, there)
        except FileExistsError:
            number += 1
        else:
            return there


def _numbered(name: str, number: int) -> str:
    if number == 1:
        return name
    suffix = f" ({number})"
    return cut(name, max_bytes=NAME_MAX_BYTES - len(suffix)) + suffix


def _rename_to_free(source: Path, target: Path) -> None:
    # rename() silently replaces an empty folder, and somebody may make one at any moment.
    failed = _renameat2(os.fsencode(source), os.fsencode(target))
    if failed in {errno.ENOSYS, errno.EINVAL}:  # an old kernel, or a file system without it
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        source.rename(target)
    elif failed:
        raise OSError(failed, os.strerror(failed), str(source), None, str(target))


def _renameat2(source: bytes, target: bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        call = libc.renameat2
    except AttributeError:
        return errno.ENOSYS
    if call(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_NOREPLACE) == 0:
        return 0
    return ctypes.get_errno()
