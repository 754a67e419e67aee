"""What a job names -> the photos that lie there, or why they cannot be used."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from seedream_daemon.job.listing import Entry, Listing
from seedream_daemon.job.mistakes import Findings, path_text
from seedream_daemon.job.mistakes import Path as Place
from seedream_daemon.job.names import is_ignored, is_photo_name, nearest, nfc
from seedream_daemon.job.plan import Photo
from seedream_daemon.job.schema import JobSpec

_REFUSED = {
    "link": "this is a symbolic link; put the file itself there",
    "fifo": "this is a named pipe, not a file; take it out",
    "device": "this is a device, not a file; take it out",
    "socket": "this is a socket, not a file; take it out",
    "other": "this is no ordinary file; take it out",
}
_TYPES = "jpg, jpeg, png, webp, heic, heif"


class Gatherer:
    """Turns what entries of a job name into photos, and keeps count of what was used."""

    def __init__(self, listing: Listing, findings: Findings, roots: Sequence[Path]) -> None:
        self._listing = listing
        self._findings = findings
        self._roots = tuple(roots)
        self.used: set[str] = set()
        self._asked: set[str] = set()

    def refuse_strangers(self) -> None:
        """Note everything in the drop that no job may hold, and names that fold to one."""
        seen: set[str] = set()
        for entry in self._listing.entries:
            if entry.kind in _REFUSED:
                self._findings.add_file(entry.name, _REFUSED[entry.kind])
            readable = entry.name.encode("utf-8", "replace").decode("utf-8")
            if readable != entry.name:
                self._findings.add_file(readable, "this name is not UTF-8; rename the file")
            if entry.name in seen:
                self._findings.add_file(
                    entry.name,
                    "two names here differ only in how Unicode spells them; rename one",
                )
            seen.add(entry.name)

    def photos(self, place: Place, asked: str | Sequence[str]) -> tuple[Photo, ...]:
        """Give the photos of a folder (a text, or a list of just one folder) or of a list."""
        if isinstance(asked, str):
            if not _listed_name(asked):
                return self.beside("")
            folder = self._entry(place, asked, kind="dir")
            return self._in_folder(folder) if folder else ()
        if len(asked) == 1 and (only := self._known(asked[0])) and only.kind == "dir":
            return self.photos(place, asked[0])
        return self._listed(place, asked)

    def beside(self, folder: str) -> tuple[Photo, ...]:
        """Give the photos directly in a folder of the drop; "" is the drop."""
        return self._keep(entry for entry in self._listing.inside(folder) if _is_photo(entry))

    def folders(self, folder: str) -> tuple[str, ...]:
        """Give the names of the folders directly in a folder, in natural order."""
        return tuple(entry.name for entry in self._listing.inside(folder) if entry.kind == "dir")

    def folder(self, place: Place, name: str) -> str | None:
        """Give a folder's name as listed, or note why there is none; "" is the drop."""
        if not _listed_name(name):
            return ""
        entry = self._entry(place, name, kind="dir")
        return entry.name if entry else None

    def has_folder(self, name: str) -> bool:
        """Say whether the drop has this folder."""
        return any(entry.kind == "dir" for entry in self._listing.named(name))

    def check_named(self, spec: JobSpec) -> None:
        """Note what entries name that is not there, whatever kind of job they belong to."""
        for key, asked in (("photos", spec.photos), ("common", spec.common)):
            if asked is not None:
                self.photos((key,), asked)
        if isinstance(spec.groups, str):
            self.folder(("groups",), spec.groups)
        for name, asked in spec.groups.items() if isinstance(spec.groups, dict) else ():
            self.photos(("groups", name), asked)

    def unused(self) -> int:
        """Count the photos in the drop that nothing asked for."""
        return sum(
            _is_photo(entry) and entry.name not in self.used for entry in self._listing.entries
        )

    def _listed(self, place: Place, asked: Sequence[str]) -> tuple[Photo, ...]:
        found: dict[str, Entry] = {}
        self._asked.update(_listed_name(name) for name in asked)
        for number, name in enumerate(asked):
            entry = self._entry((*place, number), name, kind="file")
            if entry is None:
                continue
            if entry.name in found:
                self._findings.add(
                    (*place, number), f'{path_text(place)} names "{name}" twice', found=name
                )
            elif not is_photo_name(entry.name):
                self._findings.add(
                    (*place, number),
                    f'{path_text(place)} names "{name}", which is not a photo ({_TYPES})',
                    found=name,
                    allowed=_TYPES,
                )
            found[entry.name] = entry
        return self._keep(found.values())

    def _in_folder(self, folder: Entry) -> tuple[Photo, ...]:
        if folder.trouble is not None:
            self._findings.add_file(folder.name, f"this folder cannot be read: {folder.trouble}")
        return self._keep(entry for entry in self._listing.inside(folder.name) if _is_photo(entry))

    def _keep(self, entries: Iterable[Entry]) -> tuple[Photo, ...]:
        kept = tuple(entries)
        self.used.update(entry.name for entry in kept)
        root = self._listing.root
        return tuple(Photo(name=entry.name, path=root / entry.path) for entry in kept)

    def _known(self, name: str) -> Entry | None:
        entries = self._listing.named(_listed_name(name))
        return entries[0] if entries else None

    def _entry(self, place: Place, name: str, *, kind: str) -> Entry | None:
        trouble = self._trouble(name)
        entry = self._known(name)
        if trouble is not None:
            self._findings.add(place, f'{path_text(place)} names "{name}", {trouble}', found=name)
        elif entry is None:
            self._missing(place, name)
        elif entry.kind in _REFUSED:
            self._findings.add_file(entry.name, _REFUSED[entry.kind])
        elif entry.kind != kind:
            is_, wanted = ("file", "folder") if kind == "dir" else ("folder", "photo")
            self._findings.add(
                place, f'{path_text(place)} names "{name}", a {is_} and no {wanted}', found=name
            )
        else:
            return entry
        return None

    def _trouble(self, name: str) -> str | None:
        path = PurePosixPath(nfc(name))
        if "\0" in name:
            return "which no file can be called"
        if ".." in path.parts:
            return 'which leads out of its folder; write it without ".."'
        if not path.is_absolute():
            ignored = any(is_ignored(part) for part in path.parts)
            return "which is a name that drops ignore; rename it" if ignored else None
        known = self._known(name)
        real = path if known is None else PurePosixPath(known.path)
        if not all(any(p.is_relative_to(root) for root in self._roots) for p in (path, real)):
            return "which lies outside this folder and outside ALLOWED_ROOTS"
        return None

    def _missing(self, place: Place, name: str) -> None:
        wanted = _listed_name(name)
        folder, _, last = wanted.rpartition("/")
        beside = (
            entry.name.rpartition("/")[2]
            for entry in self._listing.inside(folder)
            if entry.name not in self._asked
        )
        near = nearest(last, beside)
        hint = f'; did you mean "{f"{folder}/{near}" if folder else near}"?' if near else ""
        self._findings.add_missing(
            place, f'{path_text(place)} names "{name}", which is not there{hint}', found=name
        )


def named_paths(spec: JobSpec) -> tuple[str, ...]:
    """Give every path that a job names, for a look at those which a plain look leaves out."""
    asked = [spec.photos, spec.common]
    asked += spec.groups.values() if isinstance(spec.groups, dict) else [spec.groups]
    names: list[str] = []
    for one in asked:
        names += [one] if isinstance(one, str) else one or ()
    return tuple(dict.fromkeys(names))


def cropped(photos: Iterable[Photo]) -> tuple[Photo, ...]:
    """Give the photos, to be cut to the face."""
    return tuple(replace(photo, prepare="crop") for photo in photos)


def _is_photo(entry: Entry) -> bool:
    return entry.kind == "file" and is_photo_name(entry.name)


def _listed_name(name: str) -> str:
    """Give a path as listings spell it: NFC, without "./" and doubled or final slashes."""
    path = str(PurePosixPath(nfc(name)))
    return "" if path == "." else path
