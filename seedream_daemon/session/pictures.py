"""The edge: a received draft -> a picture under its final name, which replaces nothing."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from seedream_daemon.durable import fsync_dir
from seedream_daemon.failpoints import failpoint
from seedream_daemon.imagefile import EXTENSION, is_whole, sniff
from seedream_daemon.session.dimensions import dimensions
from seedream_daemon.session.layout import picture_file

_RECEIVED = ("jpeg", "png", "webp")

# What link() answers where a file system (exFAT, some network and FUSE mounts) has no hard links,
# or has no more of them for this file.
_CANNOT_LINK = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES}
)

Link = Callable[[Path, Path], None]


class PictureBrokenError(Exception):
    """What was received is cut short or is no picture; the draft is gone, nothing was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A picture that is on disk: `file` is relative to the session, sides are in pixels."""

    file: str
    path: Path
    bytes: int
    sha256: str
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureName:
    """What a picture's file is named by: the job's kind, the shot's stem, its number from 1."""

    kind: str
    stem: str
    number: int


def publish(
    draft: Path,
    session: Path,
    name: PictureName,
    *,
    is_known: Callable[[str], bool],
    link: Link = os.link,
) -> Kept:
    """Give a whole draft its final name, durably; the draft stays where links are possible.

    An equal file that no journal entry names (`is_known`) is what a crash left of this very
    picture, and is taken for it; beside a different one the next free name is used. Blocks.
    Raises PictureBrokenError, or OSError with the draft still there.
    """
    image_format = _checked_format(draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = file.tell()
    sides = dimensions(draft, image_format) or (None, None)
    facts = _Facts(image_format=image_format, bytes=size_bytes, sha256=sha256)
    file_name = _place_somewhere(draft, session, name, facts, is_known=is_known, link=link)
    final = session / file_name
    failpoint("after_link")
    fsync_dir(final.parent)
    return Kept(
        file=file_name,
        path=final,
        bytes=size_bytes,
        sha256=sha256,
        width=sides[0],
        height=sides[1],
    )


def withdraw(draft: Path, final: Path) -> None:
    """Undo `publish` after the journal could not be told, so that it can be tried again.

    Without this, the next download into the draft would write into the final file. Blocks.
    """
    if not draft.exists():
        final.rename(draft)
    elif draft.samefile(final):
        final.unlink()


def borrow(source: Path, draft: Path, link: Link = os.link) -> None:
    """Make `draft` the same picture as `source`, by a hard link or else a copy. Blocks.

    Raises OSError.
    """
    draft.unlink(missing_ok=True)
    try:
        link(source, draft)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        shutil.copyfile(source, draft)


def was_published(draft: Path) -> bool:
    """Tell whether a process died between giving this draft its final name and saying so.

    A draft gets its second name only when it is whole and synced. Blocks.
    """
    try:
        return draft.stat().st_nlink > 1
    except OSError:
        return False


def _checked_format(draft: Path) -> str:
    image_format = sniff(draft)
    if image_format not in _RECEIVED:
        draft.unlink()
        raise PictureBrokenError("What was received is not a JPEG, PNG or WebP picture.")
    if not is_whole(draft, image_format):
        received = draft.stat().st_size
        draft.unlink()
        raise PictureBrokenError(
            f"The picture was received only in part: {received} bytes of a {image_format} that "
            "has no end."
        )
    return image_format


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    image_format: str
    bytes: int
    sha256: str


def _place_somewhere(
    draft: Path,
    session: Path,
    name: PictureName,
    facts: _Facts,
    *,
    is_known: Callable[[str], bool],
    link: Link,
) -> str:
    extension = EXTENSION[facts.image_format]
    for nth in count(1):
        file_name = picture_file(name.kind, name.stem, name.number, extension, nth)
        final = session / file_name
        _make_folder(final.parent)
        if _place(draft, final, link) or (
            not is_known(file_name) and _is_equal(final, facts.bytes, facts.sha256)
        ):
            return file_name
    raise AssertionError("count never ends")


def _place(draft: Path, final: Path, link: Link) -> bool:
    """Give the draft its final name; False if the name is taken."""
    try:
        link(draft, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
    else:
        return True
    # Without links: take the name by an empty file, which nobody else can then take, and rename
    # over that. An empty file found there is one that a crash left of this step.
    try:
        os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    except FileExistsError:
        if final.is_symlink() or final.stat().st_size:
            return False
    draft.rename(final)
    return True


def _is_equal(final: Path, size_bytes: int, sha256: str) -> bool:
    if final.is_symlink() or not final.is_file() or final.stat().st_size != size_bytes:
        return False
    with final.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        fsync_dir(folder.parent)
