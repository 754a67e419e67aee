"""Event -> log line; configures structlog, once."""

import dataclasses
import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal

import structlog

from seedream_daemon.events import (
    DropPutAway,
    Event,
    FetchRetrying,
    JobEnded,
    QueuePaused,
    ShotEnded,
    ShotRefused,
    Warned,
)
from seedream_daemon.redact import redact

LogFormat = Literal["console", "json"]

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
# Figures that change with every line and would bury what matters on a terminal.
_LEVELS: dict[type, int] = {
    Warned: logging.WARNING,
    QueuePaused: logging.WARNING,
    FetchRetrying: logging.WARNING,
    ShotRefused: logging.WARNING,
}


def configure(log_format: LogFormat | None, level: str, *, secrets: tuple[str, ...] = ()) -> None:
    """Send log lines to stderr: console or json, None for whichever fits the terminal.

    Whatever is logged, `secrets` and everything that `redact` knows are taken out of every line.
    """
    as_console = log_format == "console" or (log_format is None and sys.stderr.isatty())

    def take_secrets_out(_: Any, __: str, fields: MutableMapping[str, Any]) -> Any:
        return {
            name: redact(value, secrets) if isinstance(value, str) else value
            for name, value in fields.items()
        }

    rendering: list[Any]
    if as_console:
        rendering = [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ]
    else:
        rendering = [
            _stamp,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            take_secrets_out,
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _stamp(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put when and what first: RFC 3339 with offset, in local time."""
    now = datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")
    head = {"at": now, "level": fields.pop("level", None), "event": fields.pop("event", None)}
    return {**head, **fields}


def tell(event: Event) -> None:
    """Log one event as one line: its name, and its fields."""
    fields = {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(event).items()
        if value is not None
    }
    name = _WORD.sub("_", type(event).__name__).lower()
    structlog.get_logger().log(_level(event), name, **fields)


def note(name: str, **fields: Any) -> None:
    """Log something that is not about a job."""
    structlog.get_logger().info(name, **fields)


def warn(name: str, **fields: Any) -> None:
    """Log something that a person should mend."""
    structlog.get_logger().warning(name, **fields)


def _level(event: Event) -> int:
    match event:
        case ShotEnded(state=state) | JobEnded(state=state) | DropPutAway(state=state):
            return logging.INFO if state in {"saved", "done"} else logging.WARNING
    return _LEVELS.get(type(event), logging.INFO)
