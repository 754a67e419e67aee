"""The SDK's reference fixtures (from its unpacked sdist, argument 1) on our own HTTP stack.

The token check, and nothing else, is switched off: the conformance suite cannot send a token.
"""

import sys
from pathlib import Path

import anyio

from seedream_daemon.daemon.clients import Clients
from seedream_daemon.mcp_server.gate import names_for
from seedream_daemon.mcp_server.http_door import bind, serve_http


async def main(sdist: Path) -> None:
    sys.path.insert(0, str(sdist / "examples" / "servers" / "everything-server"))
    from mcp_everything_server.server import mcp

    link = bind("127.0.0.1", 0)
    port = link.getsockname()[1]
    print(f"http://127.0.0.1:{port}/mcp", flush=True)
    await serve_http(
        mcp._lowlevel_server,
        link,
        names=names_for("127.0.0.1", port),
        token=None,
        answered=lambda job_id: None,
        clients=Clients(),
    )


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
