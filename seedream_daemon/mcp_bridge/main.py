"""The entry of `seedream-daemon mcp`; the rest of the command line is never loaded for it."""

import os
import signal
from collections.abc import Sequence
from functools import partial

from seedream_daemon.mcp_bridge.bridge import Bridge
from seedream_daemon.mcp_bridge.place import find_place


def is_bridge(words: Sequence[str]) -> bool:
    """Say whether a command line is `[--env FILE] mcp` and nothing more."""
    return list(words[-1:]) == ["mcp"] and len(words) == len(_env_words(words)) + 1


def run_bridge(words: Sequence[str]) -> int:
    """Copy between stdio and the daemon until the host goes; gives the exit code."""
    # A host ends its servers by signals; nobody reads a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    env_words = _env_words(words)
    env_file = env_words[-1].removeprefix("--env=") if env_words else None
    find = partial(find_place, os.environ, env_file)
    try:
        Bridge(find, host_in=0, host_out=1).run()
    except (BrokenPipeError, ConnectionResetError):
        return 0
    return 0


def _env_words(words: Sequence[str]) -> Sequence[str]:
    if words[:1] == ["--env"]:
        return words[:2]
    return words[:1] if words and words[0].startswith("--env=") else []
