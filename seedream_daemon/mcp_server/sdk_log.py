"""What the SDK has to say goes into our log, with our secrets taken out."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from seedream_daemon import log


class _Handler(logging.Handler):
    """Turns a record of the SDK into a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record."""
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        fields = {} if trace is None else {"trace": trace}
        log.warn("mcp", message=record.getMessage(), **fields)


@contextmanager
def sdk_log() -> Iterator[None]:
    """Take the warnings and errors of the SDK while the block runs."""
    logger = logging.getLogger("mcp")
    handler = _Handler(logging.WARNING)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
