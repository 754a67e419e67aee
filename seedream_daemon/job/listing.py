"""What lies in a drop, as a value: names, kinds and sizes, no contents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from seedream_daemon.job.names import natural_key

EntryKind = Literal["file", "dir", "link", "fifo", "device", "socket", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or folder.

    `name` is NFC with "/" between folders, relative to the drop; for a photo that a job names by
    absolute path it is that path. `path` is where it lies, spelt as on disk: relative to the
    drop, or absolute with every link resolved. `size` is in bytes, 0 for anything but a file.
    `trouble` says why a folder could not be read.
    """

    name: str
    path: str
    kind: EntryKind
    size: int = 0
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A drop's tree: the root, its subfolders and theirs, and what a job names beyond.

    `entries` leaves out what a drop ignores. Their order does not matter.
    """

    root: Path
    entries: tuple[Entry, ...]
    _inside: Mapping[str, tuple[Entry, ...]] = field(init=False, repr=False, compare=False)
    _named: Mapping[str, tuple[Entry, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the entries by folder and by name."""
        inside: dict[str, list[Entry]] = {}
        named: dict[str, list[Entry]] = {}
        for entry in self.entries:
            inside.setdefault(entry.name.rpartition("/")[0], []).append(entry)
            named.setdefault(entry.name, []).append(entry)
        for entries in inside.values():
            entries.sort(key=lambda entry: natural_key(entry.name))
        object.__setattr__(self, "_inside", _frozen(inside))
        object.__setattr__(self, "_named", _frozen(named))

    def inside(self, folder: str) -> tuple[Entry, ...]:
        """Give what lies directly in a folder, in natural order; "" is the drop itself."""
        return self._inside.get(folder, ())

    def named(self, name: str) -> tuple[Entry, ...]:
        """Give the entries of this NFC name: none, one, or several that fold to one."""
        return self._named.get(name, ())

    def disk_path(self, entry: Entry) -> Path:
        """Give where an entry lies, absolute if the root is."""
        return self.root / entry.path


def _frozen(lists: dict[str, list[Entry]]) -> Mapping[str, tuple[Entry, ...]]:
    return MappingProxyType({key: tuple(entries) for key, entries in lists.items()})
