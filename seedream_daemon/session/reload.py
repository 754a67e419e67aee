"""The edge: looks sessions up, old and new, ours and a desktop app's. Reads only, takes no lock."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from seedream_daemon.errors import ConfigError, SessionUnknownError, UsageError
from seedream_daemon.session.document import Document, is_session, read_document
from seedream_daemon.session.layout import stamp, stamp_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as a list shows it; None where an old one does not say.

    `created` is local time as 2025-09-12_14-30-12, `session` the folder's name, `path` absolute.
    """

    session: str
    path: str
    kind: str | None
    created: str | None
    name: str | None
    model: str | None
    pictures: int
    shots: int
    state: str
    complete: bool
    has_journal: bool


def list_sessions(
    base: Path, *, limit: int, before: str | None = None
) -> tuple[tuple[SessionRow, ...], str | None]:
    """List the sessions under `base`, newest first, and where the next page begins.

    `before` is what an earlier call gave for that. Only the sessions of the page are opened, so
    a page costs about the same among ten thousand. A folder that cannot be read is a row in
    state "failed". Blocks. Raises UsageError for a `before` that nobody gave, ConfigError if
    `base` cannot be read; a `base` that is not there has no sessions.
    """
    keys = session_keys(base)
    if before is not None:
        first = _parsed(before)
        keys = [key for key in keys if key < first]
    rows: list[SessionRow] = []
    last = ""
    for moment, name in keys:
        if len(rows) == limit:
            return tuple(rows), last
        if is_session(base / name):
            rows.append(_row(base / name))
            last = f"{moment}/{name}"
    return tuple(rows), None


def load_session(path: Path) -> dict[str, Any]:
    """Give a whole session: its JSON as saved, and session, path, state, failures, problems.

    Where there is a journal it alone is believed, and `problems` tells of its bad lines.
    Paths inside lead to files of the session, or are null and named in `missing`. Blocks. Raises
    SessionUnknownError if it is none or its JSON cannot be read, OSError.
    """
    document = read_document(path)
    row = _row_of(path, document)
    return {
        **document.content,
        "session": row.session,
        "path": row.path,
        "kind": row.kind,
        "state": row.state,
        "failures": _failures(document.content),
        "has_journal": row.has_journal,
        "problems": list(document.bad_lines),
    }


def find_session(base: Path, name_or_path: str) -> Path:
    """Give the folder of a session by its name under `base` or by its path. Blocks.

    Raises SessionUnknownError, naming the nearest sessions there are, and ConfigError if `base`
    cannot be read.
    """
    candidates = [Path(name_or_path)]
    if "/" not in name_or_path and name_or_path not in ("", ".", ".."):
        candidates.insert(0, base / name_or_path)
    for path in candidates:
        if name_or_path and "\0" not in name_or_path and is_session(path):
            return Path(os.path.abspath(path))  # noqa: PTH100 -- resolve() would follow links
    names = [name for _, name in session_keys(base)]
    near = difflib.get_close_matches(Path(name_or_path).name, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else " `sessions` lists those there are."
    raise SessionUnknownError(f"There is no session {name_or_path!r} in {base}.{hint}")


def session_keys(base: Path) -> list[tuple[str, str]]:
    """Give (time, name) of every folder under `base`, newest first, by names where they tell.

    Opens none of them, so some may be no session. Blocks. Raises ConfigError.
    """
    try:
        with os.scandir(base) as entries:
            folders = [entry for entry in entries if entry.name[0] != "." and entry.is_dir()]
            found = [(stamp_of(entry.name) or _changed(entry), entry.name) for entry in folders]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(
            f"The sessions in {base} cannot be listed: {error.strerror}. Look at OUTPUT_BASE_DIR."
        ) from error
    return sorted(found, reverse=True)


def _changed(entry: "os.DirEntry[str]") -> str:
    return stamp(datetime.fromtimestamp(entry.stat().st_mtime))  # noqa: DTZ006 -- as names tell it


def _parsed(before: str) -> tuple[str, str]:
    moment, slash, name = before.partition("/")
    if not slash or stamp_of(moment) != moment:
        raise UsageError(f"{before!r} is not where a page of sessions begins.")
    return moment, name


def _row(path: Path) -> SessionRow:
    try:
        return _row_of(path, read_document(path, exact=False))
    except (SessionUnknownError, OSError):
        unread = {"state": "failed", "created": stamp_of(path.name), "name": path.name}
        return _row_of(path, Document(content=unread, has_journal=False))


def _row_of(path: Path, document: Document) -> SessionRow:
    content = document.content
    return SessionRow(
        session=path.name,
        path=os.path.abspath(path),  # noqa: PTH100 -- resolve() would follow links
        kind=_text(content, "kind"),
        created=_text(content, "created"),
        name=_text(content, "name"),
        model=_text(content, "model"),
        pictures=_number(content, "pictures"),
        shots=_number(content, "shots"),
        state=_text(content, "state") or "done",
        complete=content.get("complete") is True,
        has_journal=document.has_journal,
    )


def _failures(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    failed = content.get("failed")
    if not isinstance(failed, dict):
        return []
    told = {
        place: why if isinstance(why, dict) else {"message": why} for place, why in failed.items()
    }
    return [
        {
            "shot": why.get("shot", place),
            "name": why.get("name", place),
            "code": why.get("code"),
            "message": why.get("message"),
            "retryable": why.get("retryable"),
            "request_id": why.get("request_id"),
        }
        for place, why in told.items()
    ]


def _text(content: Mapping[str, Any], key: str) -> str | None:
    value = content.get(key)
    return value if isinstance(value, str) else None


def _number(content: Mapping[str, Any], key: str) -> int:
    value = content.get(key)
    return value if isinstance(value, int) else 0
