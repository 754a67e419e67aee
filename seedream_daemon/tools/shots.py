"""Plan and history -> what a person calls each picture, and what is missing. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seedream_daemon.job.models import family_of
from seedream_daemon.job.plan import Plan, Shot
from seedream_daemon.run.pricing import shot_price
from seedream_daemon.session.history import History
from seedream_daemon.session.shot_facts import KeptPicture, ShotState
from seedream_daemon.tools.words import code_of, message_of, was_refused_for_content

_MISSING = (ShotState.FAILED, ShotState.IN_DOUBT, ShotState.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One place of a session: a picture, or a shot that has none.

    `number` is the picture's in its shot, from 1. `code` is why it failed.
    """

    key: str
    shot: Shot
    number: int
    state: str
    picture: KeptPicture | None = None
    code: str | None = None


def key_of(plan: Plan, shot: Shot, number: int = 1, file: str | None = None) -> str:
    """Give what a picture is called: `2_3`, the file's name in bulk, `01`."""
    if plan.kind == "grid":
        return f"{shot.row}_{shot.col}" + (f"_{number}" if number > 1 else "")
    if plan.kind == "bulk":
        if file is not None:
            return file.rpartition("/")[2]
        return f"{shot.stem}.jpg" if number == 1 else f"{shot.stem}_{number}.jpg"
    return f"{number:02d}"


def items_of(plan: Plan, history: History) -> Iterator[Item]:
    """Give every picture in the order of the plan, and a place for each shot without one."""
    for shot in plan.shots:
        lived = history.shots.get(shot.id)
        kept = lived.kept if lived else ()
        for picture in kept:
            key = key_of(plan, shot, picture.number, picture.file)
            yield Item(key=key, shot=shot, number=picture.number, state="saved", picture=picture)
        if not kept:
            state = lived.state if lived else ShotState.PLANNED
            yield Item(
                key=key_of(plan, shot),
                shot=shot,
                number=1,
                state=state.value,
                code=failure_code(history, shot),
            )


def failure_code(history: History, shot: Shot) -> str | None:
    """Give why a shot has no picture; None if it has one or may still get it."""
    lived = history.shots.get(shot.id)
    if lived is None or lived.state not in _MISSING:
        return None
    if lived.state is ShotState.IN_DOUBT:
        return "in_doubt"
    return code_of(lived.failure.code) if lived.failure else lived.state.value


def failure_rows(plan: Plan, history: History) -> list[dict[str, Any]]:
    """Give every shot that did not end well, with our own sentence for its code."""
    rows = []
    for shot in plan.shots:
        code = failure_code(history, shot)
        if code is not None:
            lived = history.shots[shot.id]
            rows.append(
                {
                    "shot": shot.id,
                    "key": key_of(plan, shot),
                    "code": code,
                    "message": message_of(code),
                    "retryable": lived.state is not ShotState.FAILED
                    or bool(lived.failure and lived.failure.retryable),
                }
            )
    return rows


def missing(plan: Plan, history: History) -> tuple[tuple[Shot, ...], tuple[Shot, ...]]:
    """Give the shots that a retry asks for, and those refused for their content."""
    again: list[Shot] = []
    refused: list[Shot] = []
    for shot in plan.shots:
        lived = history.shots.get(shot.id)
        if lived is not None and lived.state in (ShotState.SAVED, ShotState.ANSWERED):
            continue
        code = failure_code(history, shot)
        (refused if code and was_refused_for_content(code) else again).append(shot)
    return tuple(again), tuple(refused)


def price_of(plan: Plan, shots: tuple[Shot, ...], per_image_micro_usd: int | None) -> int | None:
    """Give the most that these shots cost, in micro-dollars; None if nobody knows."""
    if plan.price_micro_usd is None:
        return None
    family, _ = family_of(plan.model, plan.family)
    prices = [
        shot_price(
            plan, family, shot, images=plan.asked.count, per_image_micro_usd=per_image_micro_usd
        )
        for shot in shots
    ]
    return None if None in prices else sum(price or 0 for price in prices)


def find_shot(plan: Plan, said: str) -> Shot | None:
    """Give a shot by its id or by the key of its first picture."""
    return next(
        (shot for shot in plan.shots if said in (shot.id, key_of(plan, shot))),
        None,
    )
