"""Mistakes in a job, collected so that people hear of all of them at once."""

import json
from collections.abc import Collection, Mapping

from seedream_daemon.errors import JobInvalidError, Problem

Path = tuple[str | int, ...]


class Findings:
    """Collects what is wrong with a job, and what it waits for.

    `source` is the job.toml to find lines in, empty where there is none. `known` are mistakes
    found before, `told` the places of which they say enough; the empty one is the job as a whole.
    """

    def __init__(
        self,
        source: bytes = b"",
        *,
        file: str = "job.toml",
        known: Collection[Problem] = (),
        told: Collection[Path] = (),
    ) -> None:
        self._source = source
        self._file = file
        self._problems = dict.fromkeys(known)
        self._told = frozenset(told)
        self._hushed = 0
        self.missing: list[str] = []

    def __len__(self) -> int:
        """Count the mistakes so far, with those that only follow from known ones."""
        return len(self._problems) + self._hushed

    def add(
        self, path: Path, message: str, *, found: object = None, allowed: str | None = None
    ) -> None:
        """Note a mistake in an entry; the empty path is the job as a whole."""
        if self._is_told(path):
            self._hushed += 1
            return
        problem = Problem(
            file=self._file,
            message=message,
            line=_line_of(self._source, path),
            key=path_text(path) if path else None,
            found=None if found is None else shown(found),
            allowed=allowed,
        )
        self._problems[problem] = None

    def _is_told(self, path: Path) -> bool:
        if not path:
            return path in self._told
        return any(path[:length] in self._told for length in range(1, len(path) + 1))

    def add_file(self, name: str, message: str) -> None:
        """Note a mistake about something that lies in the drop."""
        self._problems[Problem(file=name, message=message)] = None

    def add_missing(self, path: Path, message: str, *, found: object = None) -> None:
        """Note a mistake that more files would mend."""
        self.missing.append(message)
        self.add(path, message, found=found)

    def refusal(self) -> JobInvalidError:
        """Give the error that tells everything, in the order of the file's lines."""
        return JobInvalidError(tuple(sorted(self._problems, key=lambda each: each.line or 0)))


def path_text(path: Path) -> str:
    """Give an entry's name as people read it: `variables.man.age`, `prompts[2]`."""
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def shown(value: object) -> str:
    """Give a value as it would stand in job.toml, cut short."""
    if isinstance(value, Mapping):
        return "a table"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _line_of(source: bytes, path: Path) -> int | None:
    if not source or not path:
        return None
    # Only here: the parser is heavy, and a job without mistakes needs no lines.
    from seedream_daemon.job.positions import line_of  # noqa: PLC0415

    return line_of(source, path)
