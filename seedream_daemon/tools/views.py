"""Pictures and sheets for a model to look at, with words that fit beside them."""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from seedream_daemon.errors import SeedreamError
from seedream_daemon.imagefile import sniff
from seedream_daemon.job.names import cut
from seedream_daemon.photos.steps import Tile
from seedream_daemon.photos.workers import PhotoWorkers
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.sessions import Opened
from seedream_daemon.tools.words import clean, line

PICTURE_BYTES = 46_000
SHEET_BYTES = 300_000
FILE_BYTES = 700_000
FILE_SIDE = 2048
MOST_ON_SHEET = 25
# What fits beside a picture, and beside a sheet.
_WORDS_BYTES, _LEGEND_BYTES = 1_200, 12_000
_CHUNK = 4
_TILE_SIDES = (160, 320, 640, 1568)
MOST_TILES = 2_000
_LEAST_CELL = 40
_STRIP = 20
_MIME = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "heic": "image/heic"}

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a sheet shows: items with their labels row by row, and the words beside it."""

    cells: tuple[tuple[Item | None, str], ...]
    columns: int
    legend: Mapping[str, Any]


class ViewDesk:
    """Makes pictures small in the photo workers; `scratch` is where they write."""

    def __init__(self, workers: PhotoWorkers, scratch: Path) -> None:
        self._workers = workers
        self._scratch = scratch

    async def look(self, opened: Opened, key: str | None, max_side: int) -> tuple[str, bytes]:
        """Give the words and the JPEG of a picture or a sheet.

        Raises ToolRefusedError unknown_key, no_picture_yet.
        """
        if key is None and len(opened.items) == 1:
            key = str(opened.items[0]["key"])
        if key is not None and not _is_pattern(opened, key):
            return await self._picture(opened, _find(opened, key), max_side)
        return await self._sheet(opened, key, _sheet_of(opened, key), max_side)

    async def file(self, opened: Opened, key: str) -> tuple[str, bytes]:
        """Give the MIME type and the bytes of a picture: the file itself, or a smaller JPEG."""
        path = _path(opened, _find(opened, key))
        if (await anyio.Path(path).stat()).st_size <= FILE_BYTES:
            kind = await anyio.to_thread.run_sync(sniff, path)
            return _MIME.get(kind or "", "image/jpeg"), await anyio.Path(path).read_bytes()
        _, data = await self._small(path, FILE_SIDE, FILE_BYTES)
        return "image/jpeg", data

    async def _picture(self, opened: Opened, item: Item, max_side: int) -> tuple[str, bytes]:
        path = _path(opened, item)
        size, data = await self._small(path, max_side, PICTURE_BYTES)
        words = {
            "session": opened.path.name,
            "key": item["key"],
            "path": clean(path, 4096),
            "width": size[2],
            "height": size[3],
            "shown": list(size[:2]),
            "legend": {"prompt": cut(clean(item["prompt"]), max_bytes=_WORDS_BYTES // 2)},
        }
        return _compact(words), data

    async def _small(
        self, path: Path, max_side: int, max_bytes: int
    ) -> tuple[tuple[int, int, int, int], bytes]:
        folder = await anyio.to_thread.run_sync(self._make_scratch)
        with folder as scratch:
            to = Path(scratch) / "view.jpg"
            try:
                size = await self._workers.view(path, to, max_side=max_side, max_bytes=max_bytes)
            except SeedreamError as error:
                raise _unseen() from error
            return size, await anyio.Path(to).read_bytes()

    async def _sheet(
        self, opened: Opened, key: str | None, sheet: Sheet, max_side: int
    ) -> tuple[str, bytes]:
        rows = -(-len(sheet.cells) // sheet.columns)
        side = max(_LEAST_CELL, max_side // max(sheet.columns, rows) - 4)
        cell = (side, max(_LEAST_CELL - _STRIP // 2, side - _STRIP) if rows > 1 else side)
        folder = await anyio.to_thread.run_sync(self._make_scratch)
        with folder as scratch:
            found = await anyio.to_thread.run_sync(_there, opened, sheet)
            made = await self._tiles(found, max(cell))
            to = Path(scratch) / "sheet.jpg"
            labelled = [(path, label) for path, (_, label) in zip(made, sheet.cells, strict=True)]
            width, height = await self._workers.mosaic(
                labelled, to, columns=sheet.columns, cell=cell, max_bytes=SHEET_BYTES
            )
            data = await anyio.Path(to).read_bytes()
        words = {
            "session": opened.path.name,
            "key": key,
            "path": None,
            "width": None,
            "height": None,
            "shown": [width, height],
            "legend": sheet.legend,
        }
        return _compact(words), data

    async def _tiles(self, pictures: Sequence[Path | None], needed: int) -> list[Path | None]:
        side = next(side for side in _TILE_SIDES if side >= needed or side == _TILE_SIDES[-1])
        made = await anyio.to_thread.run_sync(self._kept_tiles, pictures, side)
        if not any(made):
            raise _nothing_yet()
        wanted = [
            Tile(picture=picture, to=to, side=side)
            for picture, to in zip(pictures, made, strict=True)
            if picture is not None and to is not None and not to.exists()
        ]

        async def some(chunk: Sequence[Tile]) -> None:
            try:
                await self._workers.tiles(chunk)
            except SeedreamError:
                # One that cannot be decoded: those beside it shall be seen all the same.
                if len(chunk) > 1:
                    for one in chunk:
                        await some([one])

        async with anyio.create_task_group() as group:
            for start in range(0, len(wanted), _CHUNK):
                group.start_soon(some, wanted[start : start + _CHUNK])
        return [to if to is not None and to.exists() else None for to in made]

    def _kept_tiles(self, pictures: Sequence[Path | None], side: int) -> list[Path | None]:
        """Give where the tile of each picture lies, or is to be made; the oldest are let go."""
        folder = self._scratch / "tiles"
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = sorted(folder.iterdir(), key=_age)
        for old in kept[: max(0, len(kept) - MOST_TILES)]:
            old.unlink(missing_ok=True)
        return [None if path is None else folder / _tile_name(path, side) for path in pictures]

    def _make_scratch(self) -> "tempfile.TemporaryDirectory[str]":
        return tempfile.TemporaryDirectory(prefix="view-", dir=self._scratch)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _tile_name(path: Path, side: int) -> str:
    """Name a tile by what it was made of."""
    try:
        facts = path.stat()
    except OSError:
        return "gone.jpg"
    made_of = f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\0{side}"
    return hashlib.sha256(made_of.encode("utf-8", "surrogateescape")).hexdigest()[:32] + ".jpg"


def _is_pattern(opened: Opened, key: str) -> bool:
    return opened.columns > 0 and "*" in key


def _find(opened: Opened, key: str) -> Item:
    for item in opened.items:
        if item["key"] == key:
            return item
    for item in opened.items:
        if item["shot"] == key:
            return item
    raise ToolRefusedError(
        "unknown_key",
        f"The session has no picture {line(key, 80)!r}. Take the key of an item of load_session.",
    )


def _there(opened: Opened, sheet: Sheet) -> list[Path | None]:
    """Give the pictures of a sheet, None where there is none; blocks."""
    found: list[Path | None] = []
    for item, _ in sheet.cells:
        try:
            found.append(None if item is None else _path(opened, item))
        except ToolRefusedError:
            found.append(None)
    return found


def _path(opened: Opened, item: Item) -> Path:
    path = item["path"]
    if path is None:
        raise _nothing_yet()
    found = Path(path)
    if not found.resolve().is_relative_to(opened.path.resolve()) or not found.is_file():
        raise _unseen()
    return found


def _nothing_yet() -> ToolRefusedError:
    return ToolRefusedError(
        "no_picture_yet",
        "There is no picture there (yet). get_job tells how its job stands.",
    )


def _unseen() -> ToolRefusedError:
    return ToolRefusedError(
        "no_picture_yet",
        "The picture is not there or cannot be shown. load_session tells its file; look at it "
        "there.",
    )


def _sheet_of(opened: Opened, key: str | None) -> Sheet:
    return _grid_sheet(opened, key) if opened.columns else _list_sheet(opened)


def _list_sheet(opened: Opened) -> Sheet:
    shown = opened.items[:MOST_ON_SHEET]
    labels = [f"{number:02d}" for number in range(1, len(shown) + 1)]
    columns = next(side for side in range(1, 6) if side * side >= len(shown))
    keys = {label: item["key"] for label, item in zip(labels, shown, strict=True)}
    prompts = [cut(text, max_bytes=2_000) for text in opened.head["prompts"][:1]]
    legend = {
        "prompt": prompts[0] if prompts else None,
        "pictures": keys,
        "more": len(opened.items) - len(shown),
    }
    return Sheet(cells=tuple(zip(shown, labels, strict=True)), columns=columns, legend=legend)


def _grid_sheet(opened: Opened, key: str | None) -> Sheet:
    by_key = {str(item["key"]): item for item in opened.items}
    rows = range(1, len(opened.head["prompts"]) + 1)
    columns = range(1, opened.columns + 1)
    if key is not None:
        row, _, column = key.partition("_")
        rows, columns = _only(rows, row, key), _only(columns, column, key)
    cells = tuple(
        (by_key.get(f"{row}_{column}"), f"{row}_{column}") for row in rows for column in columns
    )
    share = _LEGEND_BYTES // (2 * max(1, len(rows) + len(columns)))
    groups = opened.head["groups"]
    legend = {
        "rows": {str(n): cut(opened.head["prompts"][n - 1], max_bytes=share) for n in rows},
        "columns": {
            str(n): cut(groups[n - 1]["label"], max_bytes=share)
            for n in columns
            if n <= len(groups)
        },
    }
    return Sheet(cells=cells, columns=len(columns), legend=legend)


def _only(numbers: range, said: str, key: str) -> range:
    if said == "*":
        return numbers
    number = int(said) if said.isascii() and said.isdecimal() else 0
    if number not in numbers:
        raise ToolRefusedError(
            "unknown_key",
            f"The grid has no row or column {line(key, 40)!r}. Use 2_3 for a cell, 2_* for a row, "
            "*_3 for a column, counted from 1.",
        )
    return range(number, number + 1)


def _compact(words: Mapping[str, Any]) -> str:
    return json.dumps(words, ensure_ascii=False, separators=(",", ":"))
