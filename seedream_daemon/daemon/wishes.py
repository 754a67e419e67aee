"""What tools asked for, kept while its drop lies in _running, so that a restart knows it.

A drop is data from anyone who can write to the inbox; who pays for it must not stand in it. So it
stands in STATE_DIR, by the name of the drop's folder below _running.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from seedream_daemon.durable import write_atomically
from seedream_daemon.inbox.place import Place
from seedream_daemon.settings import Settings

FILE = "tool-drops.json"
FACTS = ("tool", "call", "request_key", "confirmation_key", "task_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One wish of a tool that became a job, or goes on with one.

    `call` is the digest of the arguments. `request_key`, `confirmation_key` and `task_id` are ids
    that a client gave it. `price_micro_usd` is the most that it was said to cost. `made` says
    that we wrote the job.toml. With `session` the wish goes on in that session: `again` are shots
    to be asked for though they ended badly, and with `only` nothing but these is asked for.
    """

    tool: str
    call: str
    price_micro_usd: int
    request_key: str | None = None
    confirmation_key: str | None = None
    task_id: str | None = None
    made: bool = False
    session: str | None = None
    again: tuple[str, ...] = ()
    only: bool = False

    def facts(self) -> dict[str, Any]:
        """Give what is journaled with the job, before its first request."""
        return {name: getattr(self, name) for name in FACTS if getattr(self, name) is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `asdict` gave."""
        return cls(**{**data, "again": tuple(data["again"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A wish with the job that it became."""

    job_id: str
    origin: str
    created: str
    wish: Wish


@dataclass(slots=True)
class Wishes:
    """The wishes whose drops lie in _running, by the name of the folder. Methods block."""

    file: Path
    _known: dict[str, Noted] = field(default_factory=dict)
    _expected: dict[str, Wish] = field(default_factory=dict)

    def load(self, running: Path) -> None:
        """Read what an earlier process noted, as far as its drops are still there."""
        try:
            rows = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for name, row in rows.items():
            with contextlib.suppress(TypeError, KeyError, AttributeError):
                if (running / name).is_dir():
                    wish = Wish.from_json(row.pop("wish"))
                    self._known[name] = Noted(**row, wish=wish)

    def of(self, name: str) -> Noted | None:
        """Give the wish of a drop; None if a person dropped it."""
        return self._known.get(name)

    def note(self, name: str, noted: Noted) -> None:
        """Note a wish, durably. Raises OSError."""
        self._known[name] = noted
        self._write()

    def expect(self, job_id: str, wish: Wish) -> None:
        """Remember whose wish a drop is that still settles in the inbox."""
        self._expected[job_id] = wish

    def expected(self, job_id: str) -> Wish | None:
        """Give what `expect` was told of a drop."""
        return self._expected.get(job_id)

    def met(self, job_id: str) -> None:
        """Note that a drop that was expected has become a job."""
        self._expected.pop(job_id, None)

    def forget(self, name: str) -> None:
        """Let go of a drop that has left _running. Raises OSError."""
        if self._known.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        text = json.dumps({name: asdict(noted) for name, noted in self._known.items()})
        write_atomically(self.file, text.encode("ascii"), mode=0o600)


def settings_for(settings: Settings, place: Place, wish: Wish | None) -> Settings:
    """Let a job.toml that we wrote name what tools may read; its paths were looked at. Blocks."""
    if wish is None or not wish.made:
        return settings
    base = settings.output_base_dir.resolve()
    roots = (*settings.allowed_roots, place.photos.resolve(), base)
    return settings.model_copy(update={"allowed_roots": roots})
