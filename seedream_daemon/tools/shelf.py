"""The sessions on disk, read once and remembered as long as they do not change."""

import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from seedream_daemon.errors import SessionUnknownError
from seedream_daemon.session.document import is_session, read_document
from seedream_daemon.session.journal import BadLineError, decode
from seedream_daemon.session.layout import GRID, METADATA
from seedream_daemon.session.recall import Recalled, recall
from seedream_daemon.session.reload import session_keys
from seedream_daemon.session.segment import journal_files
from seedream_daemon.tools.words import line

MOST_RECALLED = 4
MOST_ROWS = 4_000
# The job stands in the first line of a journal; what puts a session in order may come before it.
_LINES = 5
_TICK_NS = 50_000_000
# A running session's JSON is long, and whether it still runs is not written in it.
_RUNNING_ROW_S = 1.0
_STATES = ("waiting", "running", "paused", "done", "failed", "cancelled")
_RESTING = frozenset({"done", "failed", "cancelled"})
_KINDS = ("t2i", "i2i", "bulk", "grid")

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFact:
    """What a journal says of its job, and when it said so (RFC 3339)."""

    session: str
    at: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A row as it was read, and until when (monotonic) it may be shown unread."""

    stamp: tuple[int, int]
    row: dict[str, Any]
    good_until_s: float


class Shelf:
    """The sessions below OUTPUT_BASE_DIR. All methods block, and may be called by many threads."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._base = os.fspath(base)
        self._lock = Lock()
        self._keys: tuple[int, list[Key]] = (-1, [])
        self._jobs: dict[str, tuple[JobFact, ...]] = {}
        self._of_job: dict[str, str] = {}
        self._rows: OrderedDict[str, _Known] = OrderedDict()
        self._recalled: OrderedDict[str, tuple[tuple[Any, ...], Recalled]] = OrderedDict()

    def keys(self) -> list[Key]:
        """Give (time, name) of every folder, newest first. Raises ConfigError."""
        try:
            changed = self.base.stat().st_mtime_ns
        except OSError:
            changed = -2
        with self._lock:
            if self._keys[0] == changed:
                return self._keys[1]
            keys = session_keys(self.base)
            # A folder made in the same tick of the file system's clock would not be noticed.
            settled = time.time_ns() - changed > _TICK_NS
            self._keys = (changed if settled else -1, keys)
            return keys

    def learn(self) -> tuple[JobFact, ...]:
        """Give what the journals of sessions say of their jobs that were not read before."""
        new = [name for _, name in self.keys() if name not in self._jobs]
        found: list[JobFact] = []
        for name in reversed(new):  # oldest first, as it was written
            facts = _job_facts(self.base / name)
            if facts or not journal_files(self.base / name):
                self._jobs[name] = facts
            for fact in facts:
                self._of_job.setdefault(str(fact.fields.get("job_id")), name)
            found += facts
        return tuple(found)

    def session_of(self, job_id: str) -> str | None:
        """Give the name of a job's session, if it exists."""
        if job_id not in self._of_job:
            self.learn()
        name = self._of_job.get(job_id)
        return name if name is not None and is_session(self.base / name) else None

    def find(self, name: str) -> Path:
        """Give the folder of a session by its bare name. Raises SessionUnknownError."""
        path = self.base / name
        bare = name not in {"", ".", ".."} and "/" not in name and "\0" not in name
        if not bare or path.is_symlink() or not is_session(path):
            raise SessionUnknownError(f"There is no session {line(name)!r}.")
        return path

    def kind_of(self, name: str) -> str | None:
        """Give the kind that a folder's name tells."""
        return next((kind for kind in _KINDS if name.endswith(f"_{kind}")), None)

    def row(self, name: str) -> dict[str, Any] | None:
        """Give what a list shows of a session, from its JSON; None if the folder is none."""
        stamp = _stamp(f"{self._base}/{name}")
        with self._lock:
            kept = self._rows.get(name)
        if kept is not None and kept.stamp == stamp and time.monotonic() < kept.good_until_s:
            return kept.row
        path = self.base / name
        if not is_session(path):
            return None
        try:
            content = read_document(path, exact=False).content
        except (SessionUnknownError, OSError):
            content = {"state": "failed"}
        row = _row(path, content)
        if stamp is not None:
            resting = row["state"] in _RESTING
            until_s = float("inf") if resting else time.monotonic() + _RUNNING_ROW_S
            with self._lock:
                self._rows[name] = _Known(stamp=stamp, row=row, good_until_s=until_s)
                while len(self._rows) > MOST_ROWS:
                    self._rows.popitem(last=False)
        return row

    def recall(self, path: Path) -> Recalled:
        """Give the whole history of a session that has a journal. Raises OSError."""
        files = journal_files(path)
        facts = files[-1].stat() if files else None
        mark = (len(files), facts and facts.st_size, facts and facts.st_mtime_ns)
        with self._lock:
            kept = self._recalled.get(path.name)
        if kept is not None and kept[0] == mark:
            return kept[1]
        recalled = recall(path)
        with self._lock:
            self._recalled[path.name] = (mark, recalled)
            self._recalled.move_to_end(path.name)
            while len(self._recalled) > MOST_RECALLED:
                self._recalled.popitem(last=False)
        return recalled


def _stamp(session: str) -> tuple[int, int] | None:
    """Give what changes when a session's JSON is written anew.

    A page asks this for each of its rows at each call, so it is done on plain strings, and looks
    first for the file that the folder's name speaks of.
    """
    names = (GRID, METADATA) if session.endswith("_grid") else (METADATA, GRID)
    for name in names:
        try:
            facts = os.stat(f"{session}/{name}")  # noqa: PTH116 - see above
        except OSError:
            continue
        return facts.st_mtime_ns, facts.st_size
    return None


def _job_facts(path: Path) -> tuple[JobFact, ...]:
    found: list[JobFact] = []
    try:
        for file in journal_files(path):
            with file.open("rb") as lines:
                for _, text in zip(range(_LINES), lines, strict=False):
                    try:
                        entry = decode(text)
                    except BadLineError:
                        continue
                    if entry.event == "job":
                        found.append(JobFact(session=path.name, at=entry.at, fields=entry.fields))
    except OSError:
        return ()
    return tuple(found)


def _row(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    def text(key: str) -> str | None:
        value = content.get(key)
        return line(value) if isinstance(value, str) else None

    def number(key: str) -> int:
        value = content.get(key)
        return value if isinstance(value, int) else 0

    prompts = content.get("prompts") or [content.get("prompt")]
    prompt = prompts[0] if isinstance(prompts, list) and prompts else None
    return {
        "session": path.name,
        "path": str(path),
        "kind": content["kind"] if content.get("kind") in _KINDS else None,
        "name": text("name"),
        "created": text("created"),
        "model": text("model"),
        "prompt": line(prompt) if isinstance(prompt, str) else None,
        "pictures": number("pictures"),
        "shots": number("shots"),
        "state": content["state"] if content.get("state") in _STATES else "done",
        "job_id": text("job_id"),
    }
