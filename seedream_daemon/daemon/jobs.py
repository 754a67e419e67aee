"""The jobs that the service knows: those in its hands, and those that ended lately."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seedream_daemon.daemon.wishes import Wish
from seedream_daemon.jsontext import json_bytes
from seedream_daemon.run.job import JobRun
from seedream_daemon.run.result import dollars

KEPT = 1000
FIELDS = (
    "job_id",
    "name",
    "kind",
    "state",
    "reason",
    "session",
    "shots",
    "saved",
    "failed",
    "cost_usd",
)


@dataclass(slots=True, kw_only=True)
class LiveJob:
    """A job that waits or runs. `folder` is its drop; `run` is None until its shots begin.

    `wish` is what a tool asked for, None for a drop that a person made.
    """

    job_id: str
    name: str
    folder: Path | None
    origin: str
    created: str
    kind: str | None = None
    state: str = "waiting"
    reason: str | None = None
    run: JobRun | None = None
    cancelled: bool = False
    wish: Wish | None = None

    def row(self) -> dict[str, Any]:
        """Give the job as lists show it."""
        counts = self.run.context.session.history.counts() if self.run else None
        return {
            "job_id": self.job_id,
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "reason": self.reason,
            "session": self.run.context.session.path.name if self.run else None,
            "shots": counts.shots if counts else None,
            "saved": counts.saved if counts else 0,
            "failed": counts.failed + counts.in_doubt + counts.lost if counts else 0,
            "cost_usd": dollars(counts.cost_micro_usd) if counts else 0.0,
        }


@dataclass(slots=True)
class Jobs:
    """All jobs by id. What ended is kept in a file of STATE_DIR, so that a restart knows it."""

    file: Path
    live: OrderedDict[str, LiveJob] = field(default_factory=OrderedDict)
    ended: OrderedDict[str, dict[str, Any]] = field(default_factory=OrderedDict)

    def load(self) -> None:
        """Read the jobs that ended before; blocks."""
        try:
            lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for line in lines[-KEPT:]:
            try:
                row = json.loads(line)
                self.ended[row["job_id"]] = row
            except (ValueError, TypeError, KeyError):
                continue
        if len(lines) > 2 * KEPT:
            self.file.write_bytes(b"".join(_line(row) for row in self.ended.values()))

    def begin(self, job: LiveJob) -> None:
        """Take a job into hand, new or once more."""
        self.ended.pop(job.job_id, None)
        self.live[job.job_id] = job

    def end(self, job: LiveJob, result: Mapping[str, Any]) -> None:
        """Note how a job ended; blocks for one short write."""
        self.live.pop(job.job_id, None)
        row = {
            **{name: result.get(name) for name in FIELDS},
            "failed": sum(result.get(name) or 0 for name in ("failed", "in_doubt", "lost")),
            "in_doubt": result.get("in_doubt"),
            "origin": job.origin,
            "folder": None if job.folder is None else str(job.folder),
            "created": job.created,
            "finished": result.get("finished"),
        }
        self.ended[job.job_id] = row
        self.ended.move_to_end(job.job_id)
        while len(self.ended) > KEPT:
            self.ended.popitem(last=False)
        with self.file.open("ab") as file:
            file.write(_line(row))

    def ended_rows(self) -> list[dict[str, Any]]:
        """Give the jobs that ended, the latest first."""
        return [{name: row.get(name) for name in FIELDS} for row in reversed(self.ended.values())]


def _line(row: Mapping[str, Any]) -> bytes:
    return json_bytes(row) + b"\n"
