"""The one thing taken from behind the SDK's public names (mcp 2.3.0), and why."""

from typing import Any

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext


def connection_of(ctx: ServerRequestContext[Any, Any]) -> Connection:
    """Give the client's connection, whose `exit_stack` tells when it ends.

    A handler is handed a session that lives as long as its request. What outlives one (a
    subscription of the handshake era, a question not yet answered) must know whose it is and be
    dropped with its client, or it would be kept for ever; nothing public names the connection.
    """
    return ctx.session._connection  # noqa: SLF001 - see above
