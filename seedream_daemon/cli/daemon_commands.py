"""Commands that are the daemon, or ask it: serve, status, jobs, cancel, spend, init."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import click

from seedream_daemon import __version__
from seedream_daemon.cli.settled import (
    in_loop,
    json_option,
    put,
    put_line,
    say,
    settings_anywhere,
    settings_for,
)
from seedream_daemon.errors import UsageError


@click.command()
@click.option("--once", is_flag=True, help="Run what is in the inbox now, and exit.")
@click.option("--on-demand", is_flag=True, help="End after 10 minutes without job and client.")
@click.option("--idle", type=click.FloatRange(0), default=600.0, hidden=True)
@click.pass_context
def serve(context: click.Context, *, once: bool, on_demand: bool, idle: float) -> int:
    """Serve the inbox: run every folder that is dropped into it, until stopped."""
    from seedream_daemon import log
    from seedream_daemon.daemon.serve import serve as run_service
    from seedream_daemon.mcp_server.door import mcp_door
    from seedream_daemon.settings import Settings

    if once and on_demand:
        raise UsageError(
            "--once ends with what is in the inbox, --on-demand when nobody asks any more: "
            "leave out one."
        )

    def read() -> Settings:
        settings = settings_anywhere(context) if on_demand else settings_for(context)
        log.configure(settings.log_format, settings.log_level, secrets=_secrets(settings))
        return settings

    settings = read()
    log.note(
        "service_started",
        version=__version__,
        pid=os.getpid(),
        inbox=str(settings.inbox_dir),
        outputs=str(settings.output_base_dir),
        service=settings.ark_base_url,
        model=settings.seedream_model_id,
        max_parallel=settings.max_parallel,
    )
    doors = () if once else (mcp_door,)
    work = partial(run_service, settings, emit=log.tell, once=once, reread=read, doors=doors)
    code = in_loop(lambda: work(idle_s=idle if on_demand else None))
    log.note("service_stopped", exit_code=int(code))
    return int(code)


@click.command()
@json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show how the running daemon stands."""
    document = _ask(context, {"do": "status"})
    if as_json:
        put(document)
        return
    from seedream_daemon.cli.tables import print_status

    print_status(document)


@click.command()
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@click.option("--before", help="Show what is older than this job; `next` of the page before.")
@json_option
@click.pass_context
def jobs(context: click.Context, limit: int, before: str | None, *, as_json: bool) -> None:
    """List the jobs of the daemon, newest first."""
    page = _ask(context, {"do": "jobs", "limit": limit, "before": before})
    if as_json:
        put(page)
        return
    from seedream_daemon.cli.tables import print_jobs

    print_jobs(page["jobs"])


@click.command()
@click.argument("job")
@json_option
@click.pass_context
def cancel(context: click.Context, job: str, *, as_json: bool) -> None:
    """Cancel JOB, by its id: nothing more is sent for it, what is paid for is saved."""
    row = _ask(context, {"do": "cancel", "job_id": job})
    if as_json:
        put(row)
    else:
        say(f"{row['name']} ({row['job_id']}): cancelled; its drop goes to _failed.")


@click.command()
@click.option("--days", type=click.IntRange(1, 3660), default=7, show_default=True)
@json_option
@click.pass_context
def spend(context: click.Context, days: int, *, as_json: bool) -> None:
    """Show what was spent, by day, job and model, and what is in doubt."""
    from seedream_daemon.actions.wiring import open_ledger

    ledger = open_ledger(settings_for(context))
    document = in_loop(lambda: ledger.summary(days))
    if as_json:
        put(document)
        return
    from seedream_daemon.cli.tables import print_spend

    print_spend(document)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def init(folder: Path) -> None:
    """Make DIR with settings, an inbox with the examples, and outputs; overwrite nothing."""
    from seedream_daemon.actions.examples import make_home
    from seedream_daemon.errors import ConfigError

    try:
        made = make_home(folder.absolute())
    except OSError as error:
        raise ConfigError(
            f"{folder.absolute()} cannot be made: {error.strerror}. "
            "Name a folder that you may write to."
        ) from error
    for line in made:
        put_line(line)


def _ask(context: click.Context, asked: dict[str, Any]) -> Any:
    from seedream_daemon.daemon.control import ask_daemon

    return ask_daemon(settings_for(context).state_dir, asked)


def _secrets(settings: Any) -> tuple[str, ...]:
    from seedream_daemon.errors import ConfigError

    try:
        key = settings.require_key()
    except ConfigError:
        return ()
    return (key.get_secret_value(),) if key else ()
