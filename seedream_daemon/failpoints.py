"""Named places where a test lets the process die: SEEDREAM_FAILPOINT=name or name:n.

Unset, as always outside tests, a failpoint costs one comparison.
"""

import os

_name, _, _count = os.environ.get("SEEDREAM_FAILPOINT", "").partition(":")
_hits_left = int(_count) if _count.isdecimal() else 1

EXIT_STATUS = 9


def failpoint(name: str) -> None:
    """End the process at once, as kill -9 would, if this is the n-th pass of the armed name."""
    if name == _name:
        _hit()


def _hit() -> None:
    global _hits_left  # noqa: PLW0603 -- the process dies by it; there is nothing to share
    _hits_left -= 1
    if _hits_left <= 0:
        os._exit(EXIT_STATUS)
