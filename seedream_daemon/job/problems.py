"""A mistake in a job -> how result.json and --json spell it."""

from typing import Any

from seedream_daemon.errors import Problem


def problem_document(problem: Problem) -> dict[str, Any]:
    """Give a mistake with all its fields, null where there is nothing to say."""
    return {
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
        "found": problem.found,
        "allowed": problem.allowed,
        "message": problem.message,
    }
