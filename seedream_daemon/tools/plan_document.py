"""A plan as check_job tells it. Pure."""

from collections.abc import Mapping
from typing import Any

from seedream_daemon.job.plan import Plan
from seedream_daemon.job.problems import problem_document
from seedream_daemon.run.result import left_out
from seedream_daemon.tools.plans import Planned, usd
from seedream_daemon.tools.shots import key_of
from seedream_daemon.tools.words import MOST_PROMPT, clean, line

FIRST_SHOTS = 5
Document = dict[str, Any]


def plan_document(planned: Planned, *, asks: bool, over: bool) -> Document:
    """Give a plan with every field.

    `asks` says that a person must agree to its price, `over` that a limit of money forbids it.
    """
    plan, problems = planned.plan, (*planned.problems, *planned.bad_photos)
    price = plan.price_micro_usd if plan else None
    return {
        "ok": planned.runs and not planned.bad_photos,
        "kind": plan.kind if plan else None,
        "model": line(plan.model) if plan else None,
        "size": plan.size if plan else None,
        "shots": len(plan.shots) if plan else 0,
        "max_pictures": len(plan.shots) * plan.asked.count if plan else 0,
        "price_usd": usd(price),
        "needs_confirmation": asks,
        "over_budget": over,
        "left_out": _left_out(plan) if plan else [],
        "problems": [_cleaned(problem_document(problem)) for problem in problems],
        "first_shots": _first_shots(plan) if plan else [],
        "next_step": _advice(planned, price, asks=asks, over=over),
    }


def _advice(planned: Planned, price: int | None, *, asks: bool, over: bool) -> str:
    if not planned.runs:
        return "Mend the problems, then check again. Nothing was sent."
    if price is None:
        return "Nobody knows what this model costs, so tools may not use it; take another model."
    if over:
        return "It is above what tools may spend; make it smaller, or ask the operator."
    left = f"{len(planned.bad_photos)} photos cannot be used and fail their own shots. "
    if asks:
        what = f"Tell the user it costs at most ${usd(price):.2f}; once agreed, submit_job with "
        return f"{left if planned.bad_photos else ''}{what}confirm_usd {usd(price):.2f}."
    what = f"Tell the user it costs at most ${usd(price):.2f}, then submit_job with a request_key."
    return f"{left if planned.bad_photos else ''}{what}"


def _left_out(plan: Plan) -> list[Document]:
    return [
        {"group": line(row["group"]), "files": [line(name) for name in row["files"]]}
        for row in left_out(plan)
    ]


def _first_shots(plan: Plan) -> list[Document]:
    return [
        {
            "shot": line(shot.id),
            "key": line(key_of(plan, shot)),
            "prompt": clean(shot.prompt, MOST_PROMPT),
            "photos": [line(photo.name) for photo in shot.photos],
        }
        for shot in plan.shots[:FIRST_SHOTS]
    ]


def _cleaned(problem: Mapping[str, Any]) -> Document:
    texts = ("file", "key", "found", "allowed")
    cleaned = {name: line(problem[name]) for name in texts if problem[name] is not None}
    return {**problem, **cleaned, "message": clean(problem["message"], 1_000)}
