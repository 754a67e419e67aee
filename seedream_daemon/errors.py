"""Every failure that a person can act on, with its exit code.

SeedreamError
 ├── ConfigError            a setting is missing or wrong                     3
 ├── JobInvalidError        job.toml or its photos, all mistakes at once      2
 ├── UsageError             a word of the command line                        2
 │    ├── SessionUnknownError
 │    └── SessionBusyError
 ├── OverBudgetError        a cap of money is reached                         4
 ├── AccountRefusedError    the key, the model or the account                 5
 └── InterruptedRunError    a signal; what is paid for is saved             130

Anything else that leaves the program is a bug, and keeps its traceback.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process answers to the shell."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    CONFIG = 3
    OVER_BUDGET = 4
    ACCOUNT_REFUSED = 5
    UNEXPECTED = 70
    INTERRUPTED = 130


# Which code a command answers when several would fit: the one that the operator must mend first.
PRECEDENCE = (
    ExitCode.UNEXPECTED,
    ExitCode.CONFIG,
    ExitCode.ACCOUNT_REFUSED,
    ExitCode.OVER_BUDGET,
    ExitCode.USAGE,
    ExitCode.INTERRUPTED,
    ExitCode.SOME_FAILED,
    ExitCode.OK,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a job: what is wrong, where, and what would be right.

    `line` counts from 1 and is None where no line can be named (a photo, a missing key).
    """

    file: str
    message: str
    line: int | None = None
    key: str | None = None
    found: str | None = None
    allowed: str | None = None

    def __str__(self) -> str:
        """Give the mistake as one line: `job.toml:3 size: ...`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


class SeedreamError(Exception):
    """A failure that a person can act on; its text is one paragraph that says what to do."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.SOME_FAILED

    def __init__(self, message: str, *, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems


class ConfigError(SeedreamError):
    """A setting is missing or wrong; nothing was started."""

    code = "config"
    exit_code = ExitCode.CONFIG


class UsageError(SeedreamError):
    """The command was given something that it cannot work with."""

    code = "usage"
    exit_code = ExitCode.USAGE


class SessionUnknownError(UsageError):
    """No session lies there."""

    code = "unknown_session"


class SessionBusyError(UsageError):
    """Another process writes this session."""

    code = "session_busy"


class JobInvalidError(SeedreamError):
    """The job cannot be run as it stands; `problems` holds every mistake that was found."""

    code = "bad_job"
    exit_code = ExitCode.USAGE

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        count = "one mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The job has {count}; nothing was sent.\n{lines}", problems=problems)


class OverBudgetError(SeedreamError):
    """A cap of money would be passed."""

    code = "over_budget"
    exit_code = ExitCode.OVER_BUDGET


class AccountRefusedError(SeedreamError):
    """The service refuses the account: the key, the model or what it may spend."""

    code = "account_refused"
    exit_code = ExitCode.ACCOUNT_REFUSED


class InterruptedRunError(SeedreamError):
    """A signal ended the run; the session can be resumed."""

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED
