"""Pictures that a person took out of a session, and what brings them back."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from seedream_daemon.session.history import History
from seedream_daemon.session.shot_facts import KeptPicture

# An address is good for 24 hours (ModelArk/1541523); then the service has erased the picture.
URL_LIFE = timedelta(hours=24)
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedPicture:
    """A picture that the journal calls saved and that has no file any more.

    `can_be_fetched` says whether its address still lives, `is_last` whether nothing of its shot
    is left, so that the shot can be asked for anew.
    """

    shot: str
    picture: KeptPicture
    can_be_fetched: bool
    is_last: bool


def deleted_pictures(session: Path, history: History, now: datetime) -> tuple[DeletedPicture, ...]:
    """Look which saved pictures are gone from the disk. Blocks."""
    found: list[DeletedPicture] = []
    for shot in history.shots.values():
        gone = [kept for kept in shot.kept if not os.path.lexists(session / kept.file)]
        found += [
            DeletedPicture(
                shot=shot.id,
                picture=kept,
                can_be_fetched=_lives(kept, now),
                is_last=len(gone) == len(shot.kept),
            )
            for kept in gone
        ]
    return tuple(found)


def advice(session: str, deleted: Sequence[DeletedPicture]) -> tuple[str, ...]:
    """Say in a sentence each what can be fetched again and what is to be paid anew."""
    free = [one.picture.file for one in deleted if one.can_be_fetched]
    paid = [one.picture.file for one in deleted if not one.can_be_fetched]
    said = []
    if free:
        said.append(
            f"{_names(free)}: deleted, but the service still has what is paid for; "
            f"seedream-daemon resume {session!r} fetches it at no cost."
        )
    if paid:
        said.append(
            f"{_names(paid)}: deleted, and the service does not have it any more; "
            f"seedream-daemon retry {session!r} has it made anew, which costs money."
        )
    return tuple(said)


def _names(files: Collection[str]) -> str:
    some = ", ".join(list(files)[:_NAMED])
    return some if len(files) <= _NAMED else f"{some} and {len(files) - _NAMED} more"


def _lives(kept: KeptPicture, now: datetime) -> bool:
    if kept.url is None or kept.answered_at is None:
        return False
    return now - datetime.fromisoformat(kept.answered_at) < URL_LIFE
