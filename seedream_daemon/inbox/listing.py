"""What lies in the inbox itself: drops, and what is none."""

import os
from dataclasses import dataclass
from pathlib import Path

from seedream_daemon.job.names import is_ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """Something in the inbox that is no drop, and why; it is never touched."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxListing:
    """The names of the drops, and what lies about beside them."""

    drops: tuple[str, ...]
    loose: tuple[Loose, ...]


def list_inbox(root: Path) -> InboxListing:
    """List the inbox by name. Blocks; raises OSError if it cannot be read."""
    drops, loose = [], []
    with os.scandir(root) as found:
        for entry in sorted(found, key=lambda entry: entry.name):
            if entry.name.startswith(("_", ".")):
                continue
            why = _why_loose(entry)
            if why is None:
                drops.append(entry.name)
            elif why and entry.name != "READ-ME-FIRST.txt":
                loose.append(Loose(name=entry.name, why=why))
    return InboxListing(drops=tuple(drops), loose=tuple(loose))


def _why_loose(entry: os.DirEntry[str]) -> str | None:
    """Say why an entry is no drop: None if it is one, "" if nobody needs to know."""
    if entry.is_symlink():
        return "a symbolic link; put the folder itself into the inbox"
    if entry.is_dir(follow_symlinks=False):
        if is_ignored(entry.name) and not entry.name.startswith("@"):
            return "a folder whose name says that it is unfinished; rename it when it is complete"
        return "" if is_ignored(entry.name) else None
    return "" if is_ignored(entry.name) else "a loose file; put it into a folder with a job.toml"
