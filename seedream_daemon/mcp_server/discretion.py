"""Keeps what goes wrong inside the daemon from being told to clients."""

import traceback
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from pydantic import ValidationError

from seedream_daemon import log


async def discretion(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Answer a bug with a sentence and log the rest: the SDK would send its text to old clients."""
    try:
        return await call_next(ctx)
    except (MCPError, ValidationError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is logged and not told
        log.warn("mcp_failed", method=ctx.method, trace="".join(traceback.format_exception(error)))
        raise MCPError(
            INTERNAL_ERROR, "The daemon failed at this; its log says why. Jobs go on."
        ) from None
