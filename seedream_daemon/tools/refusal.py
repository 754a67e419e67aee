"""Why a tool does not do what it was asked."""

from typing import Literal

from seedream_daemon.errors import SeedreamError

Code = Literal[
    "bad_argument",
    "bad_job",
    "bad_cursor",
    "unknown_job",
    "unknown_session",
    "unknown_shot",
    "unknown_key",
    "path_refused",
    "needs_confirmation",
    "price_changed",
    "price_unknown",
    "over_budget",
    "key_reused",
    "already",
    "not_ended",
    "nothing_to_retry",
    "not_yours",
    "no_picture_yet",
    "images_off",
    "no_daemon",
    "account_refused",
    "not_configured",
    "all_failed",
]


class ToolRefusedError(SeedreamError):
    """A tool refuses. The message says what happened, and what to do next.

    `code` is a word for programs; `str()` gives both, as a client shows them.
    """

    code: Code  # type: ignore[misc] # of each refusal, not of the class

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
