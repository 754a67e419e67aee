"""Pages of sessions, and of what one session holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedream_daemon.errors import SessionUnknownError
from seedream_daemon.job.plan import Group, Plan
from seedream_daemon.session.history import History
from seedream_daemon.session.layout import thumbnail_file
from seedream_daemon.session.reload import load_session
from seedream_daemon.session.segment import journal_files
from seedream_daemon.tools.jobs import PAGE_BYTES, fitting, read_cursor, size_of, write_cursor
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.shelf import Shelf
from seedream_daemon.tools.shots import Item, items_of
from seedream_daemon.tools.words import MOST_PROMPT, clean, code_of, line, message_of

# What stands above the items of a page; prompts in Korean take three bytes a letter.
MOST_HEAD_BYTES = 15_000
_SHORTER = (MOST_PROMPT, 1000, 400, 100)

LiveHistory = Callable[[str], tuple[Plan, History] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session as tools see it. `items` are as load_session lists them, without paging.

    Each item also holds `path`, where its picture lies, and `prompt`.
    """

    path: Path
    head: Mapping[str, Any]
    items: tuple[dict[str, Any], ...]
    columns: int = 0


class SessionDesk:
    """Tells of sessions. `live` gives plan and history of a session that a job here fills.

    All methods but `refusal` block.
    """

    def __init__(self, shelf: Shelf, live: LiveHistory) -> None:
        self._shelf = shelf
        self._live = live

    def page(self, kind: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
        """Give a page of sessions, newest first. Raises ToolRefusedError bad_cursor."""
        keys = self._shelf.keys()
        if cursor is not None:
            moment, name = read_cursor(cursor, "sessions", str, str)
            keys = [key for key in keys if key < (moment, name)]
        rows: list[dict[str, Any]] = []
        places: list[tuple[str, str]] = []
        for key in keys:
            told = self._shelf.kind_of(key[1])
            if kind is not None and told not in (None, kind):
                continue
            row = self._shelf.row(key[1])
            if row is None or (kind is not None and row["kind"] != kind):
                continue
            rows.append(row)
            places.append(key)
            if len(rows) > limit:
                break
        shown = fitting(rows[:limit], PAGE_BYTES)
        more = len(shown) < len(rows)
        last = write_cursor("sessions", *places[len(shown) - 1]) if more else None
        return {"sessions": shown, "next_cursor": last}

    def load(self, name: str, limit: int, cursor: str | None) -> dict[str, Any]:
        """Give a page of one session.

        Raises ToolRefusedError unknown_session, bad_cursor. A page goes on after the shot and the
        picture where the one before ended, so that pictures that come meanwhile move nothing.
        """
        place, number = (0, 0) if cursor is None else read_cursor(cursor, f"in {name}", int, int)
        opened = self.open(name)
        head = dict(_cut(opened.head))
        left = [item for item in opened.items if _place(item) > (place, number)]
        rows = [_shown(item) for item in left[:limit]]
        shown = fitting(rows, PAGE_BYTES - size_of(head)) if rows else []
        more = len(shown) < len(left)
        last = write_cursor(f"in {name}", *_place(left[len(shown) - 1])) if more else None
        return {**head, "items": shown, "total": len(opened.items), "next_cursor": last}

    def open(self, name: str) -> Opened:
        """Give a whole session. Raises ToolRefusedError unknown_session."""
        try:
            path = self._shelf.find(name)
            known = self._live(path.name)
            if known is None and journal_files(path):
                history = self._shelf.recall(path).history
                known = (history.plan, history) if history.plan else None
            row = self._shelf.row(path.name) or {}
            if known is None:
                return _foreign(path, load_session(path), row)
        except (SessionUnknownError, OSError) as error:
            raise self.unknown(name) from error
        return _own(path, *known, row)

    @staticmethod
    def unknown(name: str) -> ToolRefusedError:
        """Give the refusal of a session that is not there."""
        return ToolRefusedError(
            "unknown_session",
            f"There is no session {line(name, 120)!r}. list_sessions tells those there are, by "
            "the names to use.",
        )


def _own(path: Path, plan: Plan, history: History, row: Mapping[str, Any]) -> Opened:
    places = {shot.id: number for number, shot in enumerate(plan.shots, start=1)}
    head = {
        "session": path.name,
        "path": str(path),
        "kind": plan.kind,
        "name": line(plan.name),
        "created": history.job.get("created"),
        "model": line(plan.model),
        "size": plan.size,
        "state": row.get("state") or history.state,
        "job_id": history.job.get("job_id"),
        "prompts": [clean(prompt, MOST_PROMPT) for prompt in plan.prompts],
        "groups": [_group(path, group) for group in plan.groups],
        "common": [line(photo.name) for photo in plan.common],
    }
    items = tuple(_item(path, item, places[item.shot.id]) for item in items_of(plan, history))
    return Opened(path=path, head=head, items=items, columns=len(plan.groups))


def _group(path: Path, group: Group) -> dict[str, Any]:
    refs = [thumbnail_file(group.name, number) for number in range(1, len(group.photos) + 1)]
    return {
        "name": line(group.name),
        "label": line(group.label),
        "variables": {line(name): clean(value) for name, value in group.variables},
        "refs": [clean(ref) for ref in refs if (path / ref).exists()],
        "left_out": [line(name) for name in group.left_out],
    }


def _item(path: Path, item: Item, place: int) -> dict[str, Any]:
    picture = item.picture
    size = None
    if picture is not None:
        whole = picture.width and picture.height
        size = f"{picture.width}x{picture.height}" if whole else picture.size
    return {
        "key": line(item.key),
        "shot": line(item.shot.id),
        "file": None if picture is None else clean(picture.file, 300),
        "size": size,
        "state": item.state,
        "reason": None if item.code is None else message_of(item.code),
        "place": place,
        "number": item.number,
        "path": None if picture is None else path / picture.file,
        "prompt": item.shot.prompt,
    }


def _foreign(path: Path, content: Mapping[str, Any], row: Mapping[str, Any]) -> Opened:
    """Read a session by its JSON alone, as another program wrote it."""
    is_grid = content.get("type") == "grid"
    prompts = content.get("prompts") if is_grid else [content.get("prompt")]
    head = {
        "session": path.name,
        "path": str(path),
        "kind": row.get("kind"),
        "name": row.get("name"),
        "created": row.get("created"),
        "model": row.get("model"),
        "size": _text(content.get("size")),
        "state": row.get("state") or "done",
        "job_id": row.get("job_id"),
        "prompts": [clean(each, MOST_PROMPT) for each in prompts or () if each],
        "groups": _foreign_groups(content) if is_grid else [],
        "common": [],
    }
    found = _cells(content) if is_grid else _entries(content)
    items = [
        {**item, "place": place, "path": path / item["file"] if item["file"] else None}
        for place, item in enumerate((*found, *_failed(content)), start=1)
    ]
    columns = len(content.get("group_names") or ()) if is_grid else 0
    return Opened(path=path, head=head, items=tuple(items), columns=columns)


def _foreign_groups(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    variables = content.get("variables") or []
    refs: Any = content.get("refs") or {}
    groups = []
    for number, label in enumerate(content.get("group_names") or (), start=1):
        table = variables[number - 1] if number <= len(variables) else {}
        ref = refs.get(str(number)) or {}
        groups.append(
            {
                "name": line(ref.get("group") or label),
                "label": line(label),
                "variables": {line(name): clean(value) for name, value in dict(table).items()},
                "refs": [clean(name) for name in ref.get("files") or ()],
                "left_out": [],
            }
        )
    return groups


def _cells(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    cells = sorted((content.get("cells") or {}).items(), key=lambda cell: _by_number(cell[0]))
    return [
        _made(f"{key}_{number}" if number > 1 else key, file, cell, number)
        for key, cell in cells
        for number, file in enumerate(cell.get("files") or [cell.get("file")], start=1)
        if file
    ]


def _entries(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    is_bulk = content.get("kind") == "bulk"
    made = []
    for number, entry in enumerate(content.get("items") or (), start=1):
        saved = entry.get("saved")
        name = Path(saved).name if saved else str(entry.get("name") or number)
        key = name if is_bulk else f"{number:02d}"
        made.append(_made(key, saved, {**entry, "prompt": content.get("prompt")}, 1))
    return made


def _made(key: str, file: str | None, facts: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {
        "key": line(key),
        "shot": _text(facts.get("shot")) or line(key),
        "file": file,
        "size": _text(facts.get("size")),
        "state": "saved" if file else "lost",
        "reason": None,
        "number": number,
        "prompt": facts.get("prompt") or "",
    }


def _failed(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for failure in content.get("failures") or ():
        code = code_of(failure.get("code"))
        key = str(failure.get("shot"))
        told = {**_made(key, None, failure, 1), "state": "failed", "reason": message_of(code)}
        rows.append(told)
    return rows


def _by_number(key: str) -> tuple[int, ...]:
    return tuple(int(part) for part in key.split("_") if part.isdecimal())


def _text(value: object) -> str | None:
    return line(value) if isinstance(value, str) else None


def _place(item: Mapping[str, Any]) -> tuple[int, int]:
    return item["place"], item["number"]


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: item[name] for name in ("key", "shot", "file", "size", "state", "reason")}
    return shown | {"file": None if item["file"] is None else clean(item["file"], 300)}


def _cut(head: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what stands above the items, so short that a page has room for them."""
    shorter = dict(head)
    for most in _SHORTER:
        shorter["prompts"] = [prompt[:most] for prompt in head["prompts"]]
        if most < MOST_PROMPT:
            shorter["groups"] = [_cut_group(group, most // 20) for group in head["groups"]]
        if size_of(shorter) <= MOST_HEAD_BYTES:
            break
    return shorter


def _cut_group(group: Mapping[str, Any], most: int) -> dict[str, Any]:
    variables = list(group["variables"].items())[:most]
    return {
        **group,
        "variables": {name[:most]: value[:most] for name, value in variables},
        "left_out": [name[:60] for name in group["left_out"][:most]],
        "refs": [name[:100] for name in group["refs"][:most]],
    }
