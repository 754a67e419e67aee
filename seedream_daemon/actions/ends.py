"""What a drop is left with: result.json for programs, error.txt for people. Pure."""

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

from seedream_daemon.errors import Problem, SeedreamError
from seedream_daemon.job.problems import problem_document
from seedream_daemon.session.shot_facts import DELETED

MOST_FAILURES = 200
# The codes of shots in doubt or lost: asking for them again may pay again.
_MAYBE_PAID = ("in_doubt", "lost", DELETED)


def refused_result(
    error: SeedreamError, *, job_id: str, name: str, started: str, finished: str, state: str
) -> dict[str, Any]:
    """Give result.json of a job that never began: there is no session, and nothing was sent."""
    problems = error.problems or (Problem(file="job.toml", message=error.message),)
    return {
        "schema": 1,
        "job_id": job_id,
        "name": name,
        "kind": None,
        "state": state,
        "reason": error.message.splitlines()[0],
        "session": None,
        "session_path": None,
        "adopted_from": None,
        "shots": 0,
        "saved": 0,
        "failed": 0,
        "in_doubt": 0,
        "lost": 0,
        "pictures": 0,
        "wanted": 0,
        "images_billed": 0,
        "cost_usd": 0.0,
        "left_out": [],
        "failures": [],
        "problems": [problem_document(problem) for problem in problems],
        "started": started,
        "finished": finished,
    }


def error_text(result: Mapping[str, Any]) -> str | None:
    """Give error.txt: what was saved, what is wrong, where, what to do; None if all is well."""
    if result["state"] == "done":
        return None
    if result["session"] is None:
        lines = [f"Nothing was sent and nothing was paid for: {result['reason']}", ""]
        lines += [f"- {_place(problem)}{problem['message']}" for problem in result["problems"]]
        lines += ["", "Mend this, and move the folder back into the inbox."]
        return "\n".join(lines) + "\n"
    lines = [f"{result['pictures']} of {result['wanted']} pictures are in {result['session_path']}"]
    if result["reason"]:
        lines += ["", str(result["reason"])]
    failures = result["failures"]
    if failures:
        lines.append("")
    lines += [f"- {failure_line(failure)}" for failure in failures[:MOST_FAILURES]]
    if len(failures) > MOST_FAILURES:
        lines.append(f"- and {len(failures) - MOST_FAILURES} more; result.json has them all.")
    for cure in _cures(result):
        lines += ["", cure]
    return "\n".join(lines) + "\n"


def goes_on(result: Mapping[str, Any]) -> bool:
    """Whether there are shots that are asked for, or fetched, when the job is just gone on with."""
    missing = result["shots"] - result["saved"] - result["in_doubt"] - result["lost"]
    return bool(missing > _refused(result))


def _refused(result: Mapping[str, Any]) -> int:
    return sum(
        not row["retryable"] and row["code"] not in _MAYBE_PAID for row in result["failures"]
    )


def _cures(result: Mapping[str, Any]) -> Iterator[str]:
    """Say what asks for which of the missing shots, and what may be paid for twice."""
    retry = f"seedream-daemon retry {quote(result['session'])}"
    if goes_on(result):
        yield "Move the folder back into the inbox to ask only for what is missing."
    if _refused(result):
        yield (
            "Shots that were refused for their content, and photos that cannot be used, are asked "
            f"for again once you changed them and moved the folder back, or by: {retry}"
        )
    if result["in_doubt"] or result["lost"]:
        yield (
            "Shots in doubt may have been paid for, and lost ones were. Such a shot is asked for "
            "again by itself only once, and with AMBIGUOUS=hold never; after that, moving the "
            "folder back as it is asks no more for it. This does, and may pay for it a second "
            f"time: {retry}"
        )


def failure_line(failure: Mapping[str, Any]) -> str:
    """Say in one line what became of a shot, naming its photo once."""
    message = str(failure["message"])
    if message.startswith(str(failure["shot"])):
        return message
    return f"{failure['shot']}: {failure['code']}: {message}"


def _place(problem: Mapping[str, Any]) -> str:
    line = f":{problem['line']}" if problem["line"] else ""
    return f"{problem['file']}{line}: "
