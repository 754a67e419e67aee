"""The edge: one session folder -> its JSON as people and programs see it. Reads only, no lock."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seedream_daemon.durable import is_locked
from seedream_daemon.errors import SessionUnknownError
from seedream_daemon.session.deleted import advice, deleted_pictures
from seedream_daemon.session.foreign import PictureFinder, kind_of, mend_grid, mend_metadata
from seedream_daemon.session.history import History
from seedream_daemon.session.journal import BadLineError, Entry, decode
from seedream_daemon.session.layout import GRID, LOCK, METADATA, stamp, stamp_of
from seedream_daemon.session.recall import Recalled, recall
from seedream_daemon.session.segment import journal_files
from seedream_daemon.session.view_files import find_thumbnails
from seedream_daemon.session.views import view

_TAIL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a session says of itself; `content` has the fields of its JSON file and those of a row.

    `bad_lines` are sentences about journal lines that were skipped.
    """

    content: dict[str, Any]
    has_journal: bool
    bad_lines: tuple[str, ...] = ()


def is_session(folder: Path) -> bool:
    """Tell whether a folder has a journal, grid.json or metadata.json. Blocks."""
    names = ("journal-0001.jsonl", GRID, METADATA)
    try:
        return any((folder / name).is_file() for name in names) or bool(journal_files(folder))
    except OSError:
        return False


def read_document(session: Path, *, exact: bool = True) -> Document:
    """Read a session; where it has a journal, what that says. Blocks.

    Without `exact` it is read for a row: by a view that tells where the journal ended, if there
    is one. While the session runs its counts may be a little old; its state is the journal's. Its
    paths are as they were written.

    Raises SessionUnknownError if it is none, or if its only JSON file cannot be read; OSError.
    """
    if not is_session(session):
        raise SessionUnknownError(
            f"{session} is no session: it has no journal, grid.json or metadata.json."
        )
    journals = journal_files(session)
    if not journals:
        return Document(content=_foreign(session), has_journal=False)
    is_running = is_locked(session / LOCK)
    content = _view_of(session)
    if not exact and content is not None:
        last = _last_entry(journals[-1])
        is_fresh = last is not None and content["journal_seq"] == last.seq
        if is_running and not is_fresh:
            content = {**content, **_state_after(last)}
        if is_running or is_fresh:
            content = _with_true_state(content, is_running=is_running)
            return Document(content=content, has_journal=True)
    return _from_journal(session, content, is_running=is_running)


def _foreign(session: Path) -> dict[str, Any]:
    path = session / GRID if (session / GRID).is_file() else session / METADATA
    content = _read_json(path)
    finder = PictureFinder(session)
    kind = kind_of(content, session, is_grid=path.name == GRID)
    mended = _mend(content, finder, kind)
    pictures = _pictures(mended)
    shots = _planned(mended)
    created = stamp_of(session.name) or stamp(datetime.fromtimestamp(path.stat().st_mtime))  # noqa: DTZ006 -- `created` is local time
    failed = bool(mended.get("failed"))
    return {
        "created": created,
        "name": session.name,
        **mended,
        "kind": kind,
        "state": "failed" if failed else "done",
        "pictures": pictures,
        "shots": shots,
        "complete": not failed and not finder.missing and pictures >= shots,
        "missing": finder.missing,
    }


def _from_journal(session: Path, old: dict[str, Any] | None, *, is_running: bool) -> Document:
    recalled = recall(session)
    history = recalled.history
    if history.plan is None:
        content = {**(old or {}), **_bare(session, recalled)}
    else:
        content = view(history.plan, history, find_thumbnails(session, history.plan))
        content = _with_true_paths(session, content, history.plan.kind)
        if content["missing"]:
            deleted = deleted_pictures(session, history, datetime.now(UTC))
            content["missing_advice"] = list(advice(session.name, deleted))
    return Document(
        content=_with_true_state(content, is_running=is_running),
        has_journal=True,
        bad_lines=(*recalled.bad_lines, *history.problems),
    )


def _bare(session: Path, recalled: Recalled) -> dict[str, Any]:
    """Describe a session that was killed before its plan was written: nothing was sent."""
    job = recalled.history.job
    return {
        "kind": job.get("kind"),
        "name": job.get("name", session.name),
        "job_id": job.get("job_id"),
        "created": job.get("created") or stamp_of(session.name),
        "model": None,
        "state": "running",
        "shots": 0,
        "pictures": 0,
        "complete": False,
    }


def _with_true_paths(session: Path, content: dict[str, Any], kind: str) -> dict[str, Any]:
    finder = PictureFinder(session)
    mended = _mend(content, finder, kind)
    # Where the journal tells no picture there is none, whatever lies in the folder.
    told = {key: mended[key] for key in ("items", "cells", "refs") if content.get(key)}
    return {**content, **told, "missing": finder.missing}


def _mend(content: dict[str, Any], finder: PictureFinder, kind: str) -> dict[str, Any]:
    return mend_grid(content, finder) if kind == "grid" else mend_metadata(content, finder, kind)


def _with_true_state(content: dict[str, Any], *, is_running: bool) -> dict[str, Any]:
    if content.get("state") == "running" and not is_running:
        return {**content, "state": "paused", "reason": "interrupted"}
    return content


def _view_of(session: Path) -> dict[str, Any] | None:
    path = session / GRID if (session / GRID).is_file() else session / METADATA
    try:
        content = _read_json(path)
    except (SessionUnknownError, OSError):
        return None
    return content if isinstance(content.get("journal_seq"), int) else None


def _state_after(last: Entry | None) -> dict[str, Any]:
    """Give the state of a session that is being written: its view may be from before it began."""
    history = History()
    if last is None or last.event not in ("paused", "end"):
        return {"state": "running", "reason": None}
    history.apply(last)
    return {"state": history.state, "reason": history.reason}


def _last_entry(journal: Path) -> Entry | None:
    """Give the last good line that ends in the file's tail."""
    with journal.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    for line in reversed(tail.splitlines()):
        try:
            return decode(line)
        except BadLineError:
            continue
    return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SessionUnknownError(
            f"{path} cannot be read as JSON ({error}). Repair it or take it away; "
            "the pictures beside it are not touched."
        ) from error
    if not isinstance(content, dict):
        raise SessionUnknownError(f"{path} does not hold a JSON object, so it tells no session.")
    return content


def _pictures(content: dict[str, Any]) -> int:
    if content.get("type") == "grid":
        return sum(len(cell["files"]) for cell in content["cells"].values())
    return sum(item["saved"] is not None for item in content["items"])


def _planned(content: dict[str, Any]) -> int:
    if content.get("type") == "grid":
        planned = len(content["prompts"]) * len(content["group_names"])
        return planned or len(content["cells"])
    return len(content["items"])
