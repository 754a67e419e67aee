"""The command line: its commands, its errors, its exit codes."""

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from seedream_daemon import __version__
from seedream_daemon.cli.daemon_commands import cancel, init, jobs, serve, spend, status
from seedream_daemon.cli.failure import report
from seedream_daemon.cli.job_commands import check, crops, resume, retry, run
from seedream_daemon.cli.look_commands import doctor, schema, sessions, show, sizes
from seedream_daemon.cli.mcp_command import mcp
from seedream_daemon.cli.service_commands import demo, emulator


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--env",
    "env_file",
    type=click.Path(path_type=Path),
    help="Settings file to use instead of $SEEDREAM_ENV_FILE or ./env.local.",
)
@click.version_option(__version__, prog_name="seedream-daemon")
@click.pass_context
def program(context: click.Context, env_file: Path | None) -> None:
    """Turn a folder with photos and a job.toml into pictures."""
    context.obj = env_file


COMMANDS = (
    *(demo, init, serve, run, check, resume, retry),
    *(status, jobs, cancel, spend, sessions, show),
    *(crops, sizes, schema, doctor, mcp, emulator),
)
for command in COMMANDS:
    program.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code."""
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(words))


def _let_stdout_take_any_name() -> None:
    """Names need not be text in the locale's encoding; what it lacks is printed as an escape.

    A lone surrogate becomes what JSON calls it, so that a document stays one.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _run(words: list[str]) -> int:
    as_json = "--json" in words
    _let_stdout_take_any_name()
    try:
        result: Any = program.main(words, prog_name="seedream-daemon", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - the last door: nothing may pass it unsaid
        return report(error, as_json=as_json)
    return int(result or 0)
