"""The edge: what a JSON file says of pictures -> what really lies in the folder.

A desktop app wrote sessions of this form: without a journal, with absolute paths of a machine
long gone, with fields missing. All of it is read as well as it can be.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seedream_daemon.job.names import extension, is_photo_name, natural_key
from seedream_daemon.session.layout import CELLS, thumbnail_folder

_CELL = re.compile(r"r(\d+)_c(\d+)(?:_\d+)?\.\w+")
_KINDS = ("t2i", "i2i", "bulk", "grid")


class PictureFinder:
    """Finds the files of a session that its JSON file names; `missing` gathers the others."""

    def __init__(self, session: Path) -> None:
        self._session = session.resolve()
        self.missing: list[str] = []

    def find(self, said: object, *folders: str) -> str | None:
        """Give the path inside the session of what was `said`, None if it is not there.

        A path that does not lead to a file inside is tried by base name, in the session and in
        its `folders`.
        """
        if not isinstance(said, str) or not said or "\0" in said:
            return None
        # The app ran on Windows too.
        base = re.split(r"[/\\]", said)[-1]
        candidates = (said, base, *(f"{folder}/{base}" for folder in folders))
        found = next((one for one in candidates if one and self._is_inside(one)), None)
        if found is None:
            self.missing.append(said)
            return None
        if found == said and Path(said).is_absolute():
            return Path(said).resolve().relative_to(self._session).as_posix()
        return found

    def pictures_in(self, folder: str = ".") -> list[str]:
        """List the picture files of a folder of the session, in natural order."""
        try:
            names = [path.name for path in (self._session / folder).iterdir() if path.is_file()]
        except OSError:
            return []
        pictures = sorted((name for name in names if is_photo_name(name)), key=natural_key)
        return [name if folder == "." else f"{folder}/{name}" for name in pictures]

    def _is_inside(self, path: str) -> bool:
        try:
            real = (self._session / path).resolve()
            return real.is_file() and real.is_relative_to(self._session)
        except (OSError, ValueError, RuntimeError):
            return False


def kind_of(content: Mapping[str, Any], folder: Path, *, is_grid: bool) -> str:
    """Tell the kind of a session: by what it says, by its folder's name, by what lies in it."""
    if is_grid:
        return "grid"
    said = content.get("kind")
    if said in _KINDS:
        return str(said)
    named = folder.name.rpartition("_")[2]
    if named in _KINDS:
        return named
    if (folder / "references").is_dir():
        return "i2i"
    has_names = any(isinstance(item, dict) and item.get("name") for item in _list(content, "items"))
    return "bulk" if has_names else "t2i"


def mend_metadata(content: Mapping[str, Any], finder: PictureFinder, kind: str) -> dict[str, Any]:
    """Give the fields of metadata.json with paths that lead to files, and none missing."""
    items = _items(content, finder)
    if not items:
        items = [{"name": name, "saved": name, "size": None, "url": None} for name in
                 finder.pictures_in()]  # fmt: skip
    return {
        "prompt": "",
        "model": None,
        "num_images": len(items),
        **({} if kind == "bulk" else _columns(items)),
        **content,
        "items": items,
    }


def mend_grid(content: Mapping[str, Any], finder: PictureFinder) -> dict[str, Any]:
    """Give the fields of grid.json with paths that lead to files, and none missing."""
    cells = {
        str(place): _cell(cell, finder)
        for place, cell in _dict(content, "cells").items()
        if isinstance(cell, dict)
    }
    refs = {
        str(place): _refs(ref, finder)
        for place, ref in _dict(content, "refs").items()
        if isinstance(ref, dict)
    }
    absent = {"model": None, "width": None, "height": None, "seed": None, "apply_crop": None}
    return {
        **absent,
        **content,
        "type": "grid",
        "group_names": _list(content, "group_names"),
        "prompts": _list(content, "prompts"),
        "variables": _list(content, "variables"),
        "cells": cells or _cells_in(finder),
        "refs": refs,
        "failed": _dict(content, "failed"),
    }


def _columns(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"sizes": [item["size"] for item in items], "urls": [item["url"] for item in items]}


def _items(content: Mapping[str, Any], finder: PictureFinder) -> list[dict[str, Any]]:
    lying = {_stem(name): name for name in finder.pictures_in()}
    items: list[dict[str, Any]] = []
    for number, said in enumerate(_list(content, "items"), start=1):
        item = dict(said) if isinstance(said, dict) else {"saved": said}
        name = item.get("name")
        saved = item.get("saved")
        if isinstance(saved, str):
            item["saved"] = finder.find(saved)
        else:
            by_name = lying.get(_stem(name)) if isinstance(name, str) else None
            item["saved"] = by_name or lying.get(f"{number:02d}")
        items.append({"name": str(number), "size": None, "url": None, **item})
    return items


def _cell(said: Mapping[str, Any], finder: PictureFinder) -> dict[str, Any]:
    files = _found(finder, _list(said, "files") or [said.get("file")], CELLS)
    first = files[0] if files else None
    return {"prompt": None, "size": None, "url": None, **said, "file": first, "files": files}


def _refs(said: Mapping[str, Any], finder: PictureFinder) -> dict[str, Any]:
    group = said.get("group")
    folder = thumbnail_folder(group) if isinstance(group, str) and group else "refs"
    files = _found(finder, _list(said, "files"), folder)
    return {"group": None, "crops": {}, **said, "files": files}


def _found(finder: PictureFinder, said: Iterable[object], folder: str) -> list[str]:
    return [path for one in said if (path := finder.find(one, folder)) is not None]


def _cells_in(finder: PictureFinder) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for path in finder.pictures_in(CELLS):
        place = _CELL.fullmatch(path.rpartition("/")[2])
        if place is not None:
            key = f"{int(place[1])}_{int(place[2])}"
            empty: dict[str, Any] = {
                "file": path,
                "files": [],
                "prompt": None,
                "size": None,
                "url": None,
            }
            cells.setdefault(key, empty)["files"].append(path)
    return cells


def _stem(name: str) -> str:
    ending = extension(name)
    return name[: -len(ending) - 1] if ending else name


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    found = content.get(key)
    return found if isinstance(found, list) else []


def _dict(content: Mapping[str, Any], key: str) -> dict[Any, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}
