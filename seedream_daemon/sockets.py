"""Where the daemon's sockets lie. Light: the MCP bridge imports it."""

import os
from pathlib import Path

# The address of a Unix socket must fit into 108 bytes on Linux, 104 elsewhere.
MOST_ADDRESS_BYTES = 100


def socket_path(state_dir: Path, name: str) -> Path:
    """Give where a socket of this STATE_DIR lies: inside it, or where its address fits."""
    inside = state_dir / name
    if len(os.fsencode(inside)) <= MOST_ADDRESS_BYTES:
        return inside
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, and few paths are that long

    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/seedream-daemon-{os.getuid()}")  # noqa: S108
    place = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:12]
    return runtime / f"seedream-{place}-{name}"
