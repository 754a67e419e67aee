"""The edge: a session's journal files -> its history. Reads only, takes no lock."""

from dataclasses import dataclass
from pathlib import Path

from seedream_daemon.session.history import History
from seedream_daemon.session.journal import read_journal
from seedream_daemon.session.layout import journal_number
from seedream_daemon.session.segment import journal_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What the journal says; `bad_lines` are sentences about lines that were skipped."""

    history: History
    bad_lines: tuple[str, ...]
    last_number: int


def recall(session: Path) -> Recalled:
    """Fold all journal files of a session, one line in memory at a time. Blocks.

    Raises OSError if one cannot be read. Without any, the history is empty and the last number 0.
    """
    history, bad, last_number = History(), [], 0
    for path in journal_files(session):
        with path.open("rb") as lines:
            skipped = read_journal(lines, history.apply)
        history.process_ended()
        bad += [f"{path.name}:{one.line}: skipped, because {one.why}." for one in skipped]
        last_number = journal_number(path.name) or last_number
    return Recalled(history=history, bad_lines=tuple(bad), last_number=last_number)
