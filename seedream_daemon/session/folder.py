"""The edge: session folders are made, taken over, and rid of what a killed process left."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from seedream_daemon.durable import LockedFile, fsync_dir, lock_file, lock_owner
from seedream_daemon.errors import SessionBusyError, SessionUnknownError
from seedream_daemon.job.names import snippet
from seedream_daemon.job.plan import Plan
from seedream_daemon.session.history import History
from seedream_daemon.session.layout import (
    CELLS,
    DRAFT_PREFIX,
    LOCK,
    REFERENCES,
    session_name,
    stamp,
)
from seedream_daemon.session.recall import Recalled, recall
from seedream_daemon.session.segment import journal_files

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSession:
    """A new, empty session folder, locked; `job` is what its first entry says of it."""

    path: Path
    lock: LockedFile
    recalled: Recalled
    job: Mapping[str, Any]

    def remove(self) -> None:
        """Take the folder away again, because nothing could be written into it. Blocks."""
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSession:
    """A session folder that was there, locked."""

    lock: LockedFile
    recalled: Recalled
    plan: Plan


def make_session(base: Path, plan: Plan, now: datetime) -> MadeSession:
    """Make the folder of a new session, `now` being local time. Blocks; raises OSError."""
    base.mkdir(parents=True, exist_ok=True)
    created = stamp(now)
    words = snippet(plan.prompts[0] if plan.prompts else plan.name)
    path = _make_free(base, created, words, plan)
    for folder in {"grid": (CELLS,), "i2i": (REFERENCES,)}.get(plan.kind, ()):
        (path / folder).mkdir()
    lock = lock_file(path / LOCK)
    fsync_dir(path)
    fsync_dir(base)
    job = {
        "schema": SCHEMA,
        "name": plan.name,
        "kind": plan.kind,
        "created": created,
        "snippet": words,
    }
    empty = Recalled(history=History(), bad_lines=(), last_number=0)
    return MadeSession(path=path, lock=lock, recalled=empty, job=job)


def take_session(path: Path) -> TakenSession:
    """Lock an existing session and read its journal. Blocks.

    Raises SessionBusyError, SessionUnknownError or OSError.
    """
    if not path.is_dir():
        raise SessionUnknownError(f"There is no session folder {path}.")
    if not journal_files(path):
        raise SessionUnknownError(
            f"{path} has no journal, so it can be looked at but not gone on with."
        )
    lock = _lock(path)
    try:
        recalled = recall(path)
        plan = _plan_of(recalled, path)
    except BaseException:
        lock.release()
        raise
    return TakenSession(lock=lock, recalled=recalled, plan=plan)


def _plan_of(recalled: Recalled, path: Path) -> Plan:
    plan = recalled.history.plan
    if plan is None:
        raise SessionUnknownError(
            f"The journal in {path} holds no plan, so nothing was sent from it. Run the job again."
        )
    return plan


def remove_drafts(session: Path) -> None:
    """Delete pictures that were being received when a process died. Blocks; raises OSError.

    Only names with our own prefix, and only while the session's lock is held.
    """
    for path in session.iterdir():
        if path.name.startswith(DRAFT_PREFIX):
            path.unlink(missing_ok=True)


def _make_free(base: Path, created: str, words: str, plan: Plan) -> Path:
    for nth in count(1):
        path = base / session_name(created=created, snippet=words, kind=plan.kind, nth=nth)
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("count never ends")


def _lock(path: Path) -> LockedFile:
    try:
        return lock_file(path / LOCK)
    except BlockingIOError as error:
        owner = lock_owner(path / LOCK)
        who = f"process {owner.pid} on {owner.host}" if owner else "another process"
        raise SessionBusyError(
            f"The session {path.name} is being written by {who}. Wait until it is done, or stop it."
        ) from error
