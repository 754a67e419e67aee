"""Which wish became which job, so that none is paid for twice.

A key that a client gave is journaled with its job, before the first request, and is found there
again after a restart. A call without a key whose answer never arrived leaves its job unclaimed for
half an hour: the next equal call gets it.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seedream_daemon.durable import write_atomically
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.shapes import unpacked

UNCLAIMED_S = 1800.0
# So long may a reply be on its way to the transport; equal calls in that time are another wish.
ON_ITS_WAY_S = 1.0
MOST_ANSWERED = 500
_ASIDE = frozenset({"wait_seconds", "confirm_usd", "request_key"})


def call_digest(arguments: Mapping[str, Any]) -> str:
    """Give what is the same for calls that wish for the same."""
    wish = _plain({name: value for name, value in arguments.items() if name not in _ASIDE})
    text = json.dumps(wish, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    """Give the one spelling of what may be said in several: null, 30.0, JSON within a text."""
    match unpacked(value):
        case dict() as table:
            return {name: _plain(each) for name, each in table.items() if each is not None}
        case list() | tuple() as each_of:
            return [_plain(each) for each in each_of]
        case float() as number if number.is_integer():
            return int(number)
        case plain:
            return plain


@dataclass(slots=True, kw_only=True)
class _Delivery:
    """A call that made or found a job; times are of the calendar, in seconds."""

    tool: str
    call: str
    job_id: str
    began: float
    ended: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    tool: str
    call: str
    job_id: str


class Claims:
    """The wishes of all clients. `file` holds which jobs were answered, over a restart."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys: dict[str, _Claim] = {}
        self._tasks: dict[str, tuple[str, str]] = {}
        self._deliveries: list[_Delivery] = []
        self._answered: dict[str, None] = {}

    def load(self) -> None:
        """Read which jobs were answered; blocks."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
            self._answered = dict.fromkeys(map(str, found))

    def learn(self, fact: Mapping[str, Any], *, at: str) -> None:
        """Take in what a journal says of a job."""
        tool, call, job_id = fact.get("tool"), fact.get("call"), fact.get("job_id")
        if not (isinstance(tool, str) and isinstance(call, str) and isinstance(job_id, str)):
            return
        self._note(tool, call, job_id, fact)
        if fact.get("request_key") is None and job_id not in self._answered:
            with contextlib.suppress(ValueError):
                began = datetime.fromisoformat(at).timestamp()
                self._deliveries.append(
                    _Delivery(tool=tool, call=call, job_id=job_id, began=began, ended=began)
                )

    def find(self, tool: str, call: str, *keys: str | None) -> str | None:
        """Give the job of an equal wish. Raises ToolRefusedError key_reused for another one."""
        for key in filter(None, keys):
            claim = self._keys.get(key)
            if claim is None:
                continue
            if (claim.tool, claim.call) != (tool, call):
                raise ToolRefusedError(
                    "key_reused",
                    f"This request_key belongs to job {claim.job_id}, which was asked for with "
                    f"other arguments by {claim.tool}. Look at that job with get_job, or use a "
                    "new key for a new wish.",
                )
            return claim.job_id
        return None if any(keys) else self._unclaimed(tool, call)

    def forget(self, job_id: str) -> None:
        """Let go of a job whose session is gone."""
        self._keys = {key: claim for key, claim in self._keys.items() if claim.job_id != job_id}
        self._deliveries = [each for each in self._deliveries if each.job_id != job_id]

    def begin(self, tool: str, call: str, job_id: str, fact: Mapping[str, Any]) -> object:
        """Note that a call has made a job or found it; give what `end` takes."""
        self._note(tool, call, job_id, fact)
        delivery = _Delivery(tool=tool, call=call, job_id=job_id, began=_now())
        self._answered.pop(job_id, None)
        self._deliveries.append(delivery)
        return delivery

    def end(self, delivery: object, *, cut: bool) -> None:
        """Note that a call ended: with a reply that is on its way, or `cut` off before one."""
        if isinstance(delivery, _Delivery):
            delivery.ended = 0.0 if cut else _now()

    def answered(self, job_id: str) -> bool:
        """Note that a client was told of a job: equal calls from now on are new wishes.

        False if that was known.
        """
        if not any(each.job_id == job_id for each in self._deliveries):
            return False
        waiting = [each for each in self._deliveries if each.job_id == job_id]
        done = [each for each in waiting if each.ended is not None] or waiting[:1]
        self._deliveries = [each for each in self._deliveries if each not in done]
        self._answered[job_id] = None
        while len(self._answered) > MOST_ANSWERED:
            del self._answered[next(iter(self._answered))]
        return True

    def save(self) -> None:
        """Write which jobs were answered; blocks. A lost write only keeps a job unclaimed."""
        with contextlib.suppress(OSError):
            write_atomically(self._file, json.dumps(list(self._answered)).encode(), mode=0o600)

    def job_of_task(self, task_id: str) -> tuple[str, str] | None:
        """Give job and tool of a task."""
        return self._tasks.get(task_id)

    def _note(self, tool: str, call: str, job_id: str, fact: Mapping[str, Any]) -> None:
        claim = _Claim(tool=tool, call=call, job_id=job_id)
        for name, sort in (("request_key", "key"), ("confirmation_key", "confirmation")):
            if (value := fact.get(name)) is not None:
                self._keys[f"{sort} {value}"] = claim
        if (task := fact.get("task_id")) is not None:
            self._tasks[str(task)] = (job_id, tool)

    def _unclaimed(self, tool: str, call: str) -> str | None:
        now = _now()
        self._deliveries = [each for each in self._deliveries if now - each.began < UNCLAIMED_S]
        for each in self._deliveries:
            is_over = each.ended is not None and now - each.ended > ON_ITS_WAY_S
            if is_over and (each.tool, each.call) == (tool, call):
                return each.job_id
        return None


def _now() -> float:
    return datetime.now(UTC).timestamp()
