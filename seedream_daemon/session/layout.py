"""The name of every file in a session folder. Pure."""

import hashlib
import re
from datetime import datetime

from seedream_daemon.job.names import NAME_MAX_BYTES, cut
from seedream_daemon.job.plan import Kind

LOCK = ".lock"
METADATA = "metadata.json"
GRID = "grid.json"
REFERENCES = "references"
CELLS = "cells"
THUMBNAILS = "refs"
DRAFT_PREFIX = ".seedream-draft-"

_STAMP = "%Y-%m-%d_%H-%M-%S"
_STAMPED = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(?=_|$)")
_JOURNAL = re.compile(r"journal-(\d{4,})\.jsonl")


def stamp(moment: datetime) -> str:
    """Give the local time as folders and `created` spell it: 2025-09-12_14-30-12."""
    return moment.strftime(_STAMP)


def stamp_of(folder: str) -> str | None:
    """Give the time that a session folder's name begins with, None if it does not."""
    found = _STAMPED.match(folder)
    return found.group() if found else None


def session_name(*, created: str, snippet: str, kind: Kind, nth: int = 1) -> str:
    """Name a session folder; `nth` from 2 tells it from folders that have the name already."""
    again = "" if nth == 1 else f"-{nth}"
    return f"{created}_{snippet}{again}_{kind}"


def journal_name(number: int) -> str:
    """Name the journal of the `number`-th start, from 1."""
    return f"journal-{number:04d}.jsonl"


def journal_number(name: str) -> int | None:
    """Give the number of a journal by its name, None if it is another file."""
    found = _JOURNAL.fullmatch(name)
    return int(found.group(1)) if found else None


def view_name(kind: str) -> str:
    """Name the JSON file in which people and programs look a session up."""
    return GRID if kind == "grid" else METADATA


def draft_name(shot: str, number: int) -> str:
    """Name the file that a picture grows in; the same for the same picture after a crash."""
    place = hashlib.sha256(f"{number} {shot}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{DRAFT_PREFIX}{place[:32]}"


def picture_file(kind: str, stem: str, number: int, extension: str, nth: int = 1) -> str:
    """Name a picture's file, relative to the session, by the shot's stem and its number from 1.

    `nth` from 2 tells it from a file that has the name already. The last part is cut to what a
    file system takes.
    """
    folder, slash, name = stem.rpartition("/")
    if kind in ("t2i", "i2i"):
        name, suffix = f"{number:02d}", ""
    else:
        suffix = "" if number == 1 else f"_{number}"
    again = "" if nth == 1 else f"-{nth}"
    ending = f"{suffix}{again}.{extension}"
    name = cut(name, max_bytes=NAME_MAX_BYTES - len(ending))
    return f"{folder}{slash}{name}{ending}"


def reference_file(number: int, extension: str) -> str:
    """Name the `number`-th photo of an i2i, as it was sent."""
    return f"{REFERENCES}/{number:02d}.{extension}"


def thumbnail_folder(group: str) -> str:
    """Name the folder of a group's thumbnails."""
    name = group.replace("/", "_").replace("\0", "_")
    return f"{THUMBNAILS}/{'_' + name[1:] if name.startswith('.') else name}"


def thumbnail_file(group: str, number: int) -> str:
    """Name the thumbnail of a group's `number`-th photo, from 1."""
    return f"{thumbnail_folder(group)}/{number:02d}.jpg"
