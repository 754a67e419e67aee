"""A session's history -> the result.json document that programs read."""

from datetime import datetime
from typing import Any

from seedream_daemon.job.plan import Plan
from seedream_daemon.run.job import JobOutcome
from seedream_daemon.session.history import History
from seedream_daemon.session.shot_facts import ShotState
from seedream_daemon.session.shot_history import ShotHistory

SCHEMA = 1


def dollars(micro_usd: int | None) -> float | None:
    """Whole micro-dollars as dollars; a float holds six decimals of any sum met here exactly."""
    return None if micro_usd is None else round(micro_usd / 1_000_000, 6)


def local_time() -> str:
    """Give the time as results tell it: RFC 3339 with the local offset, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def result_document(
    plan: Plan,
    history: History,
    outcome: JobOutcome,
    *,
    session: str,
    session_path: str,
    started: str,
    finished: str,
) -> dict[str, Any]:
    """Tell how a run of a job ended. Shots are counted in saved, failed, in_doubt and lost."""
    counts = outcome.counts
    return {
        "schema": SCHEMA,
        "job_id": history.job.get("job_id"),
        "name": plan.name,
        "kind": plan.kind,
        "state": outcome.state,
        "reason": outcome.reason,
        "session": session,
        "session_path": session_path,
        "adopted_from": history.job.get("adopted_from"),
        "shots": counts.shots,
        "saved": counts.saved,
        "failed": counts.failed,
        "in_doubt": counts.in_doubt,
        "lost": counts.lost,
        "pictures": counts.pictures,
        "wanted": counts.shots * plan.asked.count,
        "images_billed": counts.images_billed,
        "cost_usd": dollars(counts.cost_micro_usd),
        "left_out": left_out(plan),
        "failures": failures(plan, history),
        "started": started,
        "finished": finished,
    }


def left_out(plan: Plan) -> list[dict[str, Any]]:
    """Give the photos of groups that do not fit into one request."""
    return [
        {"group": group.name, "files": list(group.left_out)}
        for group in plan.groups
        if group.left_out
    ]


def failures(plan: Plan, history: History) -> list[dict[str, Any]]:
    """Give every shot that did not end well, and why."""
    rows = []
    for shot in plan.shots:
        known = history.shots[shot.id]
        if known.state is ShotState.SAVED or known.failure is None:
            continue
        in_doubt = known.state is ShotState.IN_DOUBT
        rows.append(
            {
                "shot": shot.id,
                "name": shot.name,
                "code": "in_doubt" if in_doubt else known.failure.code,
                "message": known.failure.message,
                "retryable": known.failure.retryable,
                "request_id": known.failure.request_id or _last_request(known),
            }
        )
    return rows


def _last_request(shot: ShotHistory) -> str | None:
    """Give the id under which the service knows a shot's latest request: evidence for support."""
    return shot.sending.request_id if shot.sending else None
