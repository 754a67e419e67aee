"""Events -> a progress bar on a terminal, plain lines elsewhere. All on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from seedream_daemon.cli.settled import counted
from seedream_daemon.events import (
    DropPutAway,
    Emit,
    Event,
    FetchRetrying,
    JobEnded,
    JobStarted,
    PictureSaved,
    QueuePaused,
    QueueReopened,
    ShotEnded,
    ShotRefused,
    Warned,
)
from seedream_daemon.run.tally import Tally


@contextmanager
def progress_of(*, quiet: bool = False) -> Iterator[Emit]:
    """Show how jobs go on while the context lasts; `quiet` shows nothing but warnings."""
    console = Console(stderr=True, highlight=False)
    if quiet or not console.is_terminal:
        yield _Lines(quiet=quiet).take
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, transient=False) as bar:
        yield _Bar(bar).take


class _Lines:
    """One line for each thing that happened."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._tally = Tally()

    def take(self, event: Event) -> None:
        self._tally.take(event, monotonic())
        line = sentence(event)
        if line and not (self._quiet and isinstance(event, JobStarted | PictureSaved | JobEnded)):
            clock = datetime.now().strftime("%H:%M:%S")  # noqa: DTZ005 - for a person beside it
            place = f" [{self._tally.saved}/{self._tally.shots}]" if self._tally.shots else ""
            print(f"{clock}{place} {line}", file=sys.stderr, flush=True)


class _Bar:
    """One bar for all jobs, with what goes wrong above it."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tally = Tally()
        self._task: TaskID | None = None

    def take(self, event: Event) -> None:
        now = monotonic()
        self._tally.take(event, now)
        if isinstance(event, JobStarted) and self._task is None:
            self._task = self._bar.add_task(event.name, total=event.shots, figures="")
        if self._task is not None:
            self._bar.update(
                self._task,
                total=self._tally.shots,
                completed=self._tally.saved + self._tally.failed,
                figures=figures(self._tally, now),
            )
        line = sentence(event)
        if line and not isinstance(event, JobStarted | PictureSaved):
            self._bar.console.print(line, markup=False)


def figures(tally: Tally, now: float) -> str:
    """Say how it goes in one line: `41 saved, 2 failed, 8 in flight, 96/min, $1.23, 0:00:50`."""
    eta_s = tally.eta_s(now)
    left = "" if eta_s is None else f", {timedelta(seconds=round(eta_s))} left"
    return (
        f"{tally.saved} saved, {tally.failed} failed, {tally.in_flight} in flight, "
        f"{tally.per_minute(now):.0f}/min, ${tally.cost_micro_usd / 1e6:.2f}{left}"
    )


def sentence(event: Event) -> str | None:  # noqa: C901 - one case each
    """Say what an event means to a person; None for those that only move the bar."""
    match event:
        case JobStarted(name=name, shots=shots, todo=todo, session=session):
            rest = "" if todo == shots else f", {todo} to do"
            return f"{name}: {counted(shots, 'shot')}{rest} -> {session}"
        case PictureSaved(shot=shot, path=path):
            return f"saved {shot} -> {Path(path).name}"
        case ShotRefused(shot=shot, code=code, message=message, wait_s=wait_s):
            return None if wait_s is None else f"{shot}: {code}: {_ended(message)} {_again(wait_s)}"
        case FetchRetrying(shot=shot, message=message, wait_s=wait_s):
            return f"{shot}: its picture cannot be fetched yet: {_ended(message)} {_again(wait_s)}"
        case ShotEnded(shot=shot, state=state, code=code, message=message) if state != "saved":
            return f"{shot}: {state.replace('_', ' ')} ({code}): {message}"
        case QueuePaused(message=message):
            return f"Paused: {message}"
        case QueueReopened():
            return "Going on."
        case JobEnded(name=name, state=state, reason=reason, pictures=pictures):
            return f"{name}: {state}, {counted(pictures, 'picture')}. {reason or ''}".rstrip()
        case DropPutAway(name=name, state=state, folder=folder):
            return f"{name}: {state}; its folder is now {folder}"
        case Warned(message=message):
            return f"Note: {message}"
    return None


def _ended(message: str) -> str:
    return message if message.endswith((".", "!", "?", ")")) else f"{message}."


def _again(wait_s: float) -> str:
    return f"Again in {wait_s:.0f} s."
