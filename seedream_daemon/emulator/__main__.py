"""`python -m seedream_daemon.emulator`: the emulator without the rest."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio

from seedream_daemon.emulator.server import Options, serve
from seedream_daemon.errors import SeedreamError


def main(words: Sequence[str] | None = None, announce: Callable[[str], None] | None = None) -> int:
    """Run until a signal; the exit code is 3 if the options cannot be used.

    `words` are the options, those of the command line if None; `announce` as `serve` takes it.
    """
    parser = argparse.ArgumentParser(prog="seedream_daemon.emulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--latency", type=float, default=0.0, metavar="S", help="from request to answer")
    add("--images-per-minute", type=int, default=0, metavar="N", help="0 is no limit")
    add("--faults", type=Path, metavar="FILE", help="TOML of [[fault]] entries")
    add("--bill", type=Path, metavar="FILE", help="gets one JSON line per picture")
    add("--url-ttl", type=float, default=86_400.0, metavar="S", help="how long results last")
    add("--key", help="the only key that passes; without it any does")
    given = parser.parse_args(words)
    options = Options(
        port=given.port,
        latency_s=given.latency,
        images_per_minute=given.images_per_minute,
        faults=given.faults,
        bill=given.bill,
        url_ttl_s=given.url_ttl,
        key=given.key,
    )
    try:
        anyio.run(partial(serve, options, announce=announce))
    except SeedreamError as error:
        sys.stderr.write(f"{error.message}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
