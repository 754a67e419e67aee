"""What a person or a program is told when a command cannot do its work."""

import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

from seedream_daemon.cli.settled import as_json as json_text
from seedream_daemon.errors import ExitCode, Problem, SeedreamError


def report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong, on stdout as JSON or on stderr in words, and give the exit code."""
    error = _innermost(error)
    match error:
        case SystemExit(code=code):
            return code if isinstance(code, int) else int(ExitCode.USAGE)
        case click.exceptions.Exit(exit_code=code):
            return code
        case SeedreamError():
            return _say(error.code, error.message, error.problems, error.exit_code, as_json=as_json)
        case click.ClickException():
            if not as_json:
                error.show()
                return int(ExitCode.USAGE)
            return _say("usage", error.format_message(), (), ExitCode.USAGE, as_json=True)
        case KeyboardInterrupt() | click.Abort():
            message = "Interrupted. What is paid for is saved; resume goes on with the rest."
            return _say("interrupted", message, (), ExitCode.INTERRUPTED, as_json=as_json)
    path = _write_traceback(error)
    message = (
        f"Something unexpected happened: {type(error).__name__}. The details are in {path}. "
        "What is paid for is saved; resume goes on with the rest."
    )
    return _say("unexpected", message, (), ExitCode.UNEXPECTED, as_json=as_json)


def _say(
    code: str, message: str, problems: tuple[Problem, ...], exit_code: ExitCode, *, as_json: bool
) -> int:
    if as_json:
        from seedream_daemon.job.problems import problem_document

        rows = [problem_document(problem) for problem in problems]
        document = {"error": {"code": code, "message": message, "problems": rows}}
        print(json_text(document))
    else:
        print(f"seedream-daemon: {message}", file=sys.stderr)
    return int(exit_code)


def _innermost(error: BaseException) -> BaseException:
    """Take the one failure out of the groups that task groups wrap it in."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, BaseExceptionGroup):
        known = error.subgroup(SeedreamError)
        if known is not None and error.split(SeedreamError)[1] is None:
            return _innermost(known.exceptions[0])
    return error


def _write_traceback(error: BaseException) -> Path:
    """Keep what a developer needs in a file of the user's own."""
    from seedream_daemon.redact import redact

    text = "".join(traceback.format_exception(error))
    secrets = tuple(value for name, value in os.environ.items() if name == "ARK_API_KEY")
    handle, name = tempfile.mkstemp(prefix="seedream-daemon-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(redact(text, secrets))
    return Path(name)
