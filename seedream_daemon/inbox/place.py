"""The inbox itself: its marker, its own folders, and whether it is still there."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from seedream_daemon.durable import LockedFile, lock_file, lock_owner, write_atomically
from seedream_daemon.errors import ConfigError
from seedream_daemon.inbox.probe import WAY, try_to_move
from seedream_daemon.jsontext import json_bytes

MARKER = ".seedream-inbox"
_KNOWN = "inboxes.json"
_PHOTOS = "_photos"
_MARKER_MAX_BYTES = 4096
_MARKER_TEXT = (
    "This folder is an inbox of seedream-daemon. Without this file it is taken for a disk that\n"
    "is not mounted, and left alone.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """The inbox that this daemon knows is gone: its disk is not mounted, or was swapped."""

    reason: str


@dataclass(slots=True, kw_only=True)
class Hold:
    """What changes when the disk of an inbox is mounted anew: its device, and our lock there.

    `marker` is what its marker says, which differs from inbox to inbox. Released by `with`.
    """

    device: int
    marker: bytes
    lock: LockedFile | None = None

    def __enter__(self) -> None:
        """Hold it until the end of the block."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.lock is not None:
            self.lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An inbox with its own folders, all on one file system."""

    root: Path
    hold: Hold

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
        return self.root / _PHOTOS

    def missing(self) -> NotThere | None:
        """Say whether the inbox went away: nothing may be made in its place then. Blocks."""
        try:
            same = self.root.stat().st_dev == self.hold.device
        except OSError as error:
            return NotThere(reason=f"inbox not there: {self.root}: {error.strerror}")
        if same and (self.root / MARKER).exists():
            return None
        return NotThere(reason=f"inbox not there: {self.root} has no {MARKER}; mount its disk")

    def lacks(self, drop: Path) -> bool:
        """Say whether a drop was taken out of _running, while the inbox itself is there. Blocks."""
        try:
            with _opened(self.root) as root:
                if os.fstat(root).st_dev != self.hold.device:
                    return False
                os.stat(MARKER, dir_fd=root)
                return not _exists(root, drop.relative_to(self.root))
        except OSError:
            return False

    def come_back(self) -> NotThere | None:
        """Go on with the inbox where it was mounted anew on another device; give why not.

        Its marker must be the one we know, and all must hold that is asked for at a start; the
        lock is taken there before that of the old device is let go. In a folder without the
        marker, such as lies below a disk, nothing is made. Only one thread may call it. Blocks.
        """
        missing = self.missing()
        if missing is None:
            return None
        try:
            with _opened(self.root) as root:
                return self._move_to(root, missing)
        except ConfigError as error:
            return NotThere(reason=f"inbox not there: {error.message}")
        except OSError as error:
            return NotThere(reason=f"inbox not there: {self.root}: {error.strerror or error}")

    def _move_to(self, root: int, missing: NotThere) -> NotThere | None:
        device = os.fstat(root).st_dev
        try:
            marker = _read_marker(root)
        except FileNotFoundError:
            return missing
        if device == self.hold.device:
            return None
        if marker != self.hold.marker:
            why = "another inbox lies there; start the daemon anew to serve it"
            return NotThere(reason=f"inbox not there: {self.root}: {why}")
        # All by the opened folder: what lies at the path may be another one at any moment.
        _make_folders(root)
        lock = None if self.hold.lock is None else _lock(self)
        try:
            try_to_move(root, self.root)
            if lock is not None and lock.path.stat().st_dev != device:
                return missing
            old, self.hold.lock, lock = self.hold.lock, lock, None
            self.hold.device = device
        finally:
            if lock is not None:
                lock.release()
        if old is not None:
            old.release()
        return None


def make_inbox(root: Path) -> None:
    """Make a folder an inbox: the folder itself, its marker, and where drops are put away.

    Overwrites nothing. Raises OSError. Blocks.
    """
    root.mkdir(parents=True, exist_ok=True)
    if not (root / MARKER).exists():
        text = f"{_MARKER_TEXT}{secrets.token_hex(8)}\n"
        write_atomically(root / MARKER, text.encode())
    with _opened(root) as opened:
        _make_folders(opened)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _exists(root: int, path: Path) -> bool:
    try:
        os.stat(path, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _read_marker(root: int) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(MARKER, flags, dir_fd=root), "rb") as file:
        return file.read(_MARKER_MAX_BYTES)


def _make_folders(root: int) -> None:
    for name in (*WAY, _PHOTOS):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=root)
            if name == _PHOTOS:
                # Whoever may drop folders may put photos there.
                for_all = os.stat(name, dir_fd=root).st_mode & 0o007
                os.chmod(name, 0o2775 if for_all else 0o2770, dir_fd=root)


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
        with _opened(root) as opened:
            hold = Hold(device=os.fstat(opened).st_dev, marker=_read_marker(opened))
            try_to_move(opened, root)
        place = Place(root=root, hold=hold)
        _remember(state_dir, _known(state_dir) | {str(root)})
    except OSError as error:
        raise _unusable(root, error) from error
    return place


def try_inbox(root: Path) -> None:
    """Raise ConfigError if a folder that exists could not be made an inbox; makes nothing of it.

    Only an empty folder is moved through those of its own folders that it has already. Blocks.
    """
    try:
        with _opened(root) as opened:
            try_to_move(opened, root, [name for name in WAY if os.path.lexists(root / name)])
    except OSError as error:
        raise _unusable(root, error) from error


def _unusable(root: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"The inbox {root} cannot be used ({error.strerror or error}). Let the user of the "
        "daemon write to it, or set INBOX_DIR to another folder."
    )


def missing_inbox(root: Path, *, state_dir: Path) -> NotThere | None:
    """Say whether an inbox that this STATE_DIR knows is gone; makes nothing. Blocks."""
    if str(root) in _known(state_dir) and not (root / MARKER).exists():
        return NotThere(reason=f"inbox not there: {root} has no {MARKER}; mount its disk")
    return None


def lock_inbox(place: Place) -> Hold:
    """Take the inbox for this process, so that two daemons never tend the same drops.

    Raises ConfigError, naming host and process, if another holds it. Blocks.
    """
    place.hold.lock = _lock(place)
    return place.hold


def _lock(place: Place) -> LockedFile:
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
    write_atomically(state_dir / _KNOWN, json_bytes({"inboxes": sorted(known)}), mode=0o600)
