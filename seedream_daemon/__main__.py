"""`python -m seedream_daemon`, and the command `seedream-daemon`."""

import sys

from seedream_daemon.mcp_bridge.main import is_bridge, run_bridge


def main() -> None:
    """Run one command and exit with its code."""
    words = sys.argv[1:]
    if is_bridge(words):
        sys.exit(run_bridge(words))
    # A host keeps one bridge for each of its windows: it must not carry the command line along.
    from seedream_daemon.cli.main import main as run_command  # noqa: PLC0415

    run_command(words)


if __name__ == "__main__":
    main()
