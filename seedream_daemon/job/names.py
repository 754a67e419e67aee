"""Names of photos, pictures and sessions: compared in NFC, sorted as people count."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

NAME_MAX_BYTES = 255  # what ext4, XFS, Btrfs, APFS and NTFS let a name have

PHOTO_EXTENSIONS = frozenset({"jpg", "jpeg", "png", "webp", "heic", "heif"})

_IGNORED_NAMES = frozenset({"thumbs.db", "desktop.ini", "@eadir", "__macosx"})
_IGNORED_SUFFIXES = (".part", ".partial", ".crdownload", ".filepart", ".tmp")
_DIGITS = re.compile(r"(\d+)")
_PICTURE_EXTENSION_BYTES = 4  # the service answers with .jpg or .png
_SET_SUFFIX_BYTES = 3  # _2 ... _15
_JOINER = "\u200d"


def nfc(name: str) -> str:
    """Give the form in which names are compared and written."""
    return unicodedata.normalize("NFC", name)


def fold(name: str) -> str:
    """Give the form in which two names are one on a file system that ignores case."""
    return nfc(nfc(name).casefold())


def natural_key(name: str) -> tuple[tuple[tuple[str | int, ...], ...], str]:
    """Sort key: digit runs by value, the rest without case, ties by code point.

    Folders are compared one after the other, so that `a/2` lies before `a b/1`.
    """
    composed = nfc(name)
    return tuple(_folder_key(part) for part in composed.split("/")), composed


def _folder_key(part: str) -> tuple[str | int, ...]:
    # Splitting gives text, digits, text, ...: equal places always hold equal types.
    pieces = _DIGITS.split(part)
    return tuple(int(piece) if place % 2 else fold(piece) for place, piece in enumerate(pieces))


def is_ignored(name: str) -> bool:
    """Say whether a file or folder of this name in a drop is none of our business."""
    folded = name.casefold()
    return (
        folded.startswith((".", "~"))
        or folded in _IGNORED_NAMES
        or folded.endswith(_IGNORED_SUFFIXES)
    )


def extension(name: str) -> str:
    """Give what stands after the last dot of a path's last name, in lower case, else ""."""
    last = name.rpartition("/")[2]
    stem, dot, end = last.rpartition(".")
    return end.lower() if dot and stem else ""


def is_photo_name(name: str) -> bool:
    """Say whether the extension is one of a photo."""
    return extension(name) in PHOTO_EXTENSIONS


def cut(text: str, *, max_bytes: int, max_characters: int | None = None) -> str:
    """Give the longest start of `text` within the limits, never half a character."""
    short = text if max_characters is None else text[:max_characters]
    encoded = short.encode("utf-8", "surrogateescape")
    if len(encoded) > max_bytes:
        short = encoded[:max_bytes].decode("utf-8", "ignore")
    return short.rstrip(_JOINER) if len(short) < len(text) else short


def snippet(prompt: str) -> str:
    """Give the part of a session's folder name that recalls the prompt."""
    words = "".join(
        letter if unicodedata.category(letter)[0] in "LM" or letter.isdecimal() else "_"
        for letter in nfc(prompt).replace("{", "").replace("}", "")
    )
    joined = re.sub("_+", "_", words).strip("_")
    return cut(joined, max_bytes=120, max_characters=40).rstrip("_") or "job"


def picture_stems(photos: Sequence[str], *, count: int) -> tuple[str, ...]:
    """Give the stem of each photo's pictures, in order, so that no two pictures share a name.

    Stems that collide all take their photo's extension (`a_jpg`, `a_png`); what collides even
    then is numbered. `count` is the number of pictures a photo may get: with more than one, the
    names `<stem>_2` ... are taken too. Every name fits a file system with its extension.
    """
    room = NAME_MAX_BYTES - _PICTURE_EXTENSION_BYTES - (_SET_SUFFIX_BYTES if count > 1 else 0)
    lasts = [nfc(photo).rpartition("/")[2] for photo in photos]
    plain = [cut(last[: len(last) - len(extension(last)) - 1], max_bytes=room) for last in lasts]
    taken = _taken(plain, count)
    apart = [
        _with_suffix(stem, f"_{nfc(last).rpartition('.')[2]}", room)
        if _collides(stem, taken, count)
        else stem
        for stem, last in zip(plain, lasts, strict=True)
    ]
    return _numbered(apart, count, room)


def _numbered(stems: Sequence[str], count: int, room: int) -> tuple[str, ...]:
    used: set[str] = set()
    wanted = _taken(stems, count)
    free: list[str] = []
    for stem in stems:
        choice, number = stem, 1
        while used.intersection(_pictures_of(choice, count)) or (
            number > 1 and any(name in wanted for name in _pictures_of(choice, count))
        ):
            number += 1
            choice = _with_suffix(stem, f"-{number}", room)
        used.update(_pictures_of(choice, count))
        free.append(choice)
    return tuple(free)


def _with_suffix(stem: str, suffix: str, room: int) -> str:
    return cut(stem, max_bytes=room - len(suffix.encode("utf-8", "surrogateescape"))) + suffix


def _pictures_of(stem: str, count: int) -> tuple[str, ...]:
    folded = fold(stem)
    return (folded, *(f"{folded}_{number}" for number in range(2, count + 1)))


def _taken(stems: Sequence[str], count: int) -> Counter[str]:
    return Counter(name for stem in stems for name in _pictures_of(stem, count))


def _collides(stem: str, taken: Counter[str], count: int) -> bool:
    return any(taken[name] > 1 for name in _pictures_of(stem, count))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that somebody most likely meant, if one is near."""
    by_fold = {fold(name): name for name in known}
    matches = get_close_matches(fold(word), by_fold, n=1, cutoff=0.6)
    return by_fold[matches[0]] if matches else None
