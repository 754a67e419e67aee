"""The inbox itself: its marker, its own folders, and whether it is still there."""

import contextlib
import errno
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from seedream_daemon.durable import LockedFile, lock_file, lock_owner, write_atomically
from seedream_daemon.errors import ConfigError

MARKER = ".seedream-inbox"
_KNOWN = "inboxes.json"
_MARKER_TEXT = (
    "This folder is an inbox of seedream-daemon. Without this file it is taken for a disk that\n"
    "is not mounted, and left alone.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """The inbox that this daemon knows is gone: its disk is not mounted, or was swapped."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An inbox with its own folders, all on one file system; `device` is that file system."""

    root: Path
    device: int

    @property
    def running(self) -> Path:
        """Where drops lie while their jobs run."""
        return self.root / "_running"

    @property
    def done(self) -> Path:
        """Where drops lie whose shots were all saved."""
        return self.root / "_done"

    @property
    def failed(self) -> Path:
        """Where all other drops end."""
        return self.root / "_failed"

    @property
    def photos(self) -> Path:
        """Where people put photos that tools may read."""
        return self.root / "_photos"

    def missing(self) -> NotThere | None:
        """Say whether the inbox went away: nothing may be made in its place then. Blocks."""
        try:
            same = self.root.stat().st_dev == self.device
        except OSError as error:
            return NotThere(reason=f"inbox not there: {self.root}: {error.strerror}")
        if same and (self.root / MARKER).exists():
            return None
        return NotThere(reason=f"inbox not there: {self.root} has no {MARKER}; mount its disk")


def make_inbox(root: Path) -> None:
    """Make a folder an inbox: the folder itself, its marker, and where drops are put away.

    Overwrites nothing. Raises OSError. Blocks.
    """
    root.mkdir(parents=True, exist_ok=True)
    if not (root / MARKER).exists():
        write_atomically(root / MARKER, _MARKER_TEXT.encode())
    for name in ("_running", "_done", "_failed"):
        with contextlib.suppress(FileExistsError):
            (root / name).mkdir()
    _make_photos(root / "_photos")


def _make_photos(folder: Path) -> None:
    """Make the folder for photos; whoever may drop folders may put photos there."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o2770 if folder.stat().st_mode & 0o007 == 0 else 0o2775)


def open_inbox(root: Path, *, state_dir: Path) -> Place | NotThere:
    """Open the inbox, making it if this STATE_DIR has never known it.

    Raises ConfigError if it cannot be made or used: no rights, or folders on several file
    systems. Blocks.
    """
    gone = missing_inbox(root, state_dir=state_dir)
    if gone is not None:
        return gone
    try:
        make_inbox(root)
        place = Place(root=root, device=root.stat().st_dev)
        _try_to_move(place)
        _remember(state_dir, _known(state_dir) | {str(root)})
    except OSError as error:
        raise ConfigError(
            f"The inbox {root} cannot be used ({error.strerror or error}). Let the user of the "
            "daemon write to it, or set INBOX_DIR to another folder."
        ) from error
    return place


def missing_inbox(root: Path, *, state_dir: Path) -> NotThere | None:
    """Say whether an inbox that this STATE_DIR knows is gone; makes nothing. Blocks."""
    if str(root) in _known(state_dir) and not (root / MARKER).exists():
        return NotThere(reason=f"inbox not there: {root} has no {MARKER}; mount its disk")
    return None


def lock_inbox(place: Place) -> LockedFile:
    """Take the inbox for this process, so that two daemons never tend the same drops.

    Raises ConfigError, naming host and process, if another holds it. Blocks.
    """
    path = place.running / ".lock"
    try:
        return lock_file(path)
    except BlockingIOError:
        owner = lock_owner(path)
        who = "another daemon" if owner is None else f"process {owner.pid} on {owner.host}"
        raise ConfigError(
            f"The inbox {place.root} is already served by {who}. Stop that one first, or set "
            "INBOX_DIR to another folder."
        ) from None


def _try_to_move(place: Place) -> None:
    """Move an empty folder through all of them: equal device numbers alone promise nothing."""
    here = place.root / f".seedream-probe-{secrets.token_hex(4)}"
    here.mkdir()
    try:
        for folder in (place.running, place.done, place.failed):
            there = folder / here.name
            _move_or_explain(here, there, place.root)
            here = there
    finally:
        here.rmdir()


def _move_or_explain(here: Path, there: Path, root: Path) -> None:
    try:
        here.rename(there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise ConfigError(
            f"{there.parent} lies on another file system than {root}, so that drops cannot be "
            "moved there. Make it an ordinary folder of the inbox."
        ) from error


def _known(state_dir: Path) -> frozenset[str]:
    try:
        known = json.loads((state_dir / _KNOWN).read_text(encoding="utf-8"))
        return frozenset(str(path) for path in known["inboxes"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def _remember(state_dir: Path, known: frozenset[str]) -> None:
    if known == _known(state_dir):
        return
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps({"inboxes": sorted(known)}, ensure_ascii=False)
    write_atomically(state_dir / _KNOWN, text.encode("utf-8", "surrogateescape"), mode=0o600)
