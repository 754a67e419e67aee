"""Commands that run something for others: emulator, demo."""

from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

import click

from seedream_daemon.cli.settled import counted, in_loop, json_option, put, put_line

if TYPE_CHECKING:
    from seedream_daemon.daemon.demo import Shown

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option("--latency", type=float, default=0.0, help="Seconds from request to answer.")
@click.option("--images-per-minute", type=click.IntRange(0), default=0, help="0 is no limit.")
@click.option("--faults", type=_file, help="TOML file of [[fault]] entries.")
@click.option("--bill", type=_file, help="Gets one JSON line per picture.")
@click.option("--url-ttl", type=float, default=86_400.0, help="Seconds that results last.")
@click.option("--key", help="The only key that passes; without it any does.")
def emulator(
    *,
    port: int,
    latency: float,
    images_per_minute: int,
    faults: Path | None,
    bill: Path | None,
    url_ttl: float,
    key: str | None,
) -> None:
    """Pretend to be Ark on a port of this machine; pictures say that they are not Seedream's."""
    from seedream_daemon.emulator.server import Options, serve

    options = Options(
        port=port,
        latency_s=latency,
        images_per_minute=images_per_minute,
        faults=faults,
        bill=bill,
        url_ttl_s=url_ttl,
        key=key,
    )
    in_loop(lambda: serve(options))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"), metavar="[DIR]")
@json_option
def demo(*, folder: Path, as_json: bool) -> int:
    """Drop the examples into an inbox in DIR and serve it, without key, settings or cost."""
    from seedream_daemon.cli.progress import progress_of
    from seedream_daemon.daemon.demo import run_demo

    with progress_of(quiet=as_json) as emit:
        drops, exit_code = in_loop(lambda: run_demo(folder.absolute(), emit=emit))
    if as_json:
        put([drop.document for drop in drops])
    else:
        for drop in drops:
            _show(drop)
    return int(exit_code)


def _show(drop: "Shown") -> None:
    document = drop.document
    if not drop.is_broken and document["session"] is not None:
        pictures = counted(document["pictures"], "picture")
        put_line(
            f"{document['name']}: {document['state']}, {pictures} in {document['session_path']}"
        )
        return
    meant = ", as it was meant to be" if drop.went_as_meant else ""
    put_line(f"{document['name']}: refused{meant}. {drop.folder / 'error.txt'} says:")
    put_line(indent(drop.error_text().rstrip(), "    "))
