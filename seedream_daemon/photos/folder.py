"""Look at a drop's tree, once, without opening a file or following a link."""

import os
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from seedream_daemon.job.listing import Entry, EntryKind, Listing
from seedream_daemon.job.names import is_ignored, nfc

_DEPTH = 3  # groups/<group>/<photo>
_Found = dict[tuple[str, str], Entry]  # by name and path: two spellings of one name are two entries


def look(folder: Path, *, also: Sequence[str] = ()) -> Listing:
    """List a drop: its root, its subfolders and theirs; names that a drop ignores are left out.

    `also` are the paths that a job names: those which lie deeper, or are absolute, are listed
    with what is directly in them. Whether a job may use them is for the planner to say. Raises
    OSError if the drop itself cannot be read; a folder inside that cannot is an Entry with
    `trouble`.
    """
    root = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would change the spelling
    found: _Found = {}
    _walk(str(root), "", "", _DEPTH, found)
    for name in also:
        if "\0" in name:
            continue
        if PurePosixPath(name).is_absolute():
            _look_outside(name, found)
        else:
            _look_deeper(root, name, found)
    return Listing(root=root, entries=tuple(found.values()))


def _walk(disk: str, path: str, name: str, depth: int, found: _Found) -> None:
    with os.scandir(disk) as entries:
        children = [entry for entry in entries if not is_ignored(entry.name)]
    for child in children:
        child_path = f"{path}/{child.name}" if path else child.name
        child_name = f"{name}/{nfc(child.name)}" if name else nfc(child.name)
        entry = _entry(child_name, child_path, child.stat(follow_symlinks=False))
        if entry.kind == "dir" and depth > 1:
            entry = _enter(entry, child.path, depth - 1, found)
        _add(entry, found)


def _enter(entry: Entry, disk: str, depth: int, found: _Found) -> Entry:
    try:
        _walk(disk, entry.path, entry.name, depth, found)
    except OSError as error:
        reason = error.strerror or str(error)
        return Entry(name=entry.name, path=entry.path, kind="dir", trouble=reason)
    return entry


def _look_deeper(root: Path, name: str, found: _Found) -> None:
    """Go down a relative path step by step, so that no link on the way is followed."""
    path = ""
    for part in PurePosixPath(name).parts:
        if part == "..":
            return
        actual = _spelt_as_on_disk(root / path, part)
        if actual is None:
            return
        path = f"{path}/{actual}" if path else actual
        status = os.lstat(root / path)
        known = found.get((nfc(path), path)) or _entry(nfc(path), path, status)
        if known.kind == "dir" and known.trouble is None:
            known = _enter(known, str(root / path), 1, found)
        _add(known, found)
        if known.kind != "dir":
            return


def _spelt_as_on_disk(folder: Path, part: str) -> str | None:
    # The two usual spellings first: a job may name thousands of photos in one folder.
    for spelling in (nfc(part), unicodedata.normalize("NFD", part)):
        if os.path.lexists(folder / spelling):
            return spelling
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are all we want
    except OSError:
        return None
    return next((name for name in names if nfc(name) == nfc(part)), None)


def _look_outside(name: str, found: _Found) -> None:
    """Add an absolute path, its folder's links resolved, and what lies in it."""
    asked = Path(os.path.normpath(name))
    try:
        real = asked.parent.resolve(strict=True) / asked.name
        status = os.lstat(real)
    except (OSError, RuntimeError):
        return
    entry = _entry(nfc(str(asked)), str(real), status)
    if entry.kind == "dir":
        entry = _enter(entry, str(real), 1, found)
    _add(entry, found)


def _add(entry: Entry, found: _Found) -> None:
    found[entry.name, entry.path] = entry


def _entry(name: str, path: str, status: os.stat_result) -> Entry:
    kind = _kind(status.st_mode)
    return Entry(name=name, path=path, kind=kind, size=status.st_size if kind == "file" else 0)


def _kind(mode: int) -> EntryKind:
    kinds: tuple[tuple[EntryKind, bool], ...] = (
        ("file", stat.S_ISREG(mode)),
        ("dir", stat.S_ISDIR(mode)),
        ("link", stat.S_ISLNK(mode)),
        ("fifo", stat.S_ISFIFO(mode)),
        ("device", stat.S_ISBLK(mode) or stat.S_ISCHR(mode)),
        ("socket", stat.S_ISSOCK(mode)),
    )
    return next((kind for kind, holds in kinds if holds), "other")
