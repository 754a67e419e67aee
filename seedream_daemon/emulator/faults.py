"""Scripted trouble: which request meets which fault.

A file of faults is TOML:

    [[fault]]
    match = { nth = 3, model = "seedream-4-0-250828", prompt = "portrait" }
    fault = "429"
    retry_after = 2
    times = 1

Entries may be called [[faults]] as well, all of a file alike.

`match` counts the requests that it fits: `nth` is one of them, `every` each so-manieth, neither
all. `prompt` is a part of the prompt. `times` is how often the fault happens at most. Requests
with mistakes of their own meet no fault but ModelNotOpen, which is told before any other mistake.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from seedream_daemon.errors import ConfigError

FaultName = Literal[
    "429",
    "500",
    "reset",
    "stall",
    "cut_stream",
    "cut_download",
    "expired_url",
    "moderation",
    "partial",
    "ModelNotOpen",
    "SetLimitExceeded",
]
_MATCH_KEYS = {"nth": int, "every": int, "model": str, "prompt": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of the file; `retry_after_s` goes with 429 and 500."""

    name: FaultName
    nth: int | None = None
    every: int | None = None
    model: str | None = None
    prompt: str | None = None
    retry_after_s: float | None = None
    times: int | None = None

    def fits(self, model: str, prompt: str) -> bool:
        """Say whether a request is of the kind that this fault counts."""
        return self.model in (None, model) and (self.prompt or "") in prompt

    def strikes(self, count: int) -> bool:
        """Say whether it happens at the `count`th such request."""
        if self.nth is not None and count != self.nth:
            return False
        return self.every is None or count % self.every == 0


class Faults:
    """Deals out faults to requests in the order in which they are asked about."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self._faults = faults
        self._counts = [0] * len(faults)
        self._struck = [0] * len(faults)

    def of_model(self, model: str, prompt: str) -> Fault | None:
        """Give the ModelNotOpen that this request meets, if any."""
        return self._pick(model, prompt, of_model=True)

    def of_request(self, model: str, prompt: str) -> Fault | None:
        """Give the first other fault that this request meets, if any."""
        return self._pick(model, prompt, of_model=False)

    def _pick(self, model: str, prompt: str, *, of_model: bool) -> Fault | None:
        picked: Fault | None = None
        for number, fault in enumerate(self._faults):
            if (fault.name == "ModelNotOpen") != of_model or not fault.fits(model, prompt):
                continue
            self._counts[number] += 1
            is_spent = fault.times is not None and self._struck[number] >= fault.times
            if picked is None and not is_spent and fault.strikes(self._counts[number]):
                self._struck[number] += 1
                picked = fault
        return picked


def read_faults(path: Path) -> Faults:
    """Read a file of faults. Raises ConfigError that names the entry and what is allowed."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"The file of faults {path} cannot be read: {error}.") from error
    entries = next(iter(document.values()), None)
    is_known = set(document) in ({"fault"}, {"faults"})
    if not (is_known and isinstance(entries, list) and all(isinstance(e, dict) for e in entries)):
        raise ConfigError(
            f"The file of faults {path} must hold [[fault]] or [[faults]] entries, nothing else."
        )
    return Faults(tuple(_fault(entry, f"{path}, fault {n}") for n, entry in enumerate(entries, 1)))


def _fault(entry: dict[str, Any], where: str) -> Fault:
    match = entry.get("match", {})
    unknown = {*entry} - {"match", "fault", "retry_after", "times"}
    unknown |= {key for key in match if not isinstance(match[key], _MATCH_KEYS.get(key, ()))}
    if unknown:
        raise ConfigError(
            f"{where}: cannot use {', '.join(sorted(unknown))}. Allowed are fault, retry_after, "
            "times, and match with nth, every (numbers), model, prompt (texts)."
        )
    name = str(entry.get("fault"))
    if name not in get_args(FaultName):
        raise ConfigError(f"{where}: fault {name!r} is none of {', '.join(get_args(FaultName))}.")
    # Compared with every name just above, which mypy does not see.
    return Fault(
        name=name,  # type: ignore[arg-type]
        **match,
        retry_after_s=entry.get("retry_after"),
        times=entry.get("times"),
    )
