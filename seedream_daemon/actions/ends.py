"""What a drop is left with: result.json for programs, error.txt for people. Pure."""

from collections.abc import Mapping
from typing import Any

from seedream_daemon.errors import Problem, SeedreamError
from seedream_daemon.job.problems import problem_document

MOST_FAILURES = 200


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
    lines = [
        f"{result['pictures']} of {result['wanted']} pictures are in {result['session_path']}",
        "",
    ]
    if result["reason"]:
        lines += [str(result["reason"]), ""]
    failures = result["failures"]
    for failure in failures[:MOST_FAILURES]:
        lines.append(f"- {failure_line(failure)}")
    if len(failures) > MOST_FAILURES:
        lines.append(f"- and {len(failures) - MOST_FAILURES} more; result.json has them all.")
    cure = (
        "Move the folder back into the inbox to ask only for what is missing. Shots that were "
        "refused for their content, and photos that cannot be used, are asked for again once you "
        f"changed them, or by: seedream-daemon retry {result['session']}"
    )
    lines += ["", cure]
    return "\n".join(lines) + "\n"


def failure_line(failure: Mapping[str, Any]) -> str:
    """Say in one line what became of a shot, naming its photo once."""
    message = str(failure["message"])
    if message.startswith(str(failure["shot"])):
        return message
    return f"{failure['shot']}: {failure['code']}: {message}"


def _place(problem: Mapping[str, Any]) -> str:
    line = f":{problem['line']}" if problem["line"] else ""
    return f"{problem['file']}{line}: "
