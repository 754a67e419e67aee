"""Commands that only look: sessions, show, sizes, schema, doctor."""

import os
from typing import Any

import click

from seedream_daemon.cli.settled import in_loop, json_option, put, put_line, settings_for
from seedream_daemon.errors import ExitCode

_limit = click.option("--limit", type=click.IntRange(1), default=20, show_default=True)


@click.command()
@_limit
@click.option("--before", help="Show what is older than this session; `next` of the page before.")
@json_option
@click.pass_context
def sessions(context: click.Context, limit: int, before: str | None, *, as_json: bool) -> None:
    """List the sessions, newest first."""
    from dataclasses import asdict

    from seedream_daemon.session.reload import list_sessions

    base = settings_for(context).output_base_dir
    page, older = list_sessions(base, limit=limit, before=before)
    rows = [asdict(row) for row in page]
    if as_json:
        put({"sessions": rows, "next": older})
        return
    if not rows:
        put_line(f"There are no sessions in {base}.")
        return
    from seedream_daemon.cli.tables import print_sessions

    print_sessions(rows)


@click.command()
@click.argument("session")
@json_option
@click.pass_context
def show(context: click.Context, session: str, *, as_json: bool) -> None:
    """Show one whole SESSION, by its name or its path."""
    from seedream_daemon.session.reload import find_session, load_session

    document: dict[str, Any] = load_session(
        find_session(settings_for(context).output_base_dir, session)
    )
    if as_json:
        put(document)
        return
    from seedream_daemon.cli.tables import print_session

    print_session(document)


@click.command()
@json_option
def sizes(*, as_json: bool) -> None:
    """Show which size each aspect and preset means, by model."""
    from dataclasses import asdict

    from seedream_daemon.job.sizes import size_rows

    rows = [asdict(row) for row in size_rows()]
    if as_json:
        put(rows)
        return
    from seedream_daemon.cli.tables import print_sizes

    print_sizes(rows)


@click.command()
@click.option("--json", "_as_json", is_flag=True, help="It is JSON in any case.")
@click.option("--markdown", is_flag=True, help="Print the table of keys that the README shows.")
def schema(*, _as_json: bool, markdown: bool) -> None:
    """Print the JSON Schema of job.toml."""
    from seedream_daemon.job import schema as job_schema

    if markdown:
        put_line(job_schema.markdown_table())
    else:
        put(job_schema.json_schema())


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> int:
    """Look for what would stop a job, and say how to mend it. Costs nothing."""
    from seedream_daemon.actions.doctor import examine
    from seedream_daemon.settings import load_settings

    env_file = context.find_root().obj
    findings = in_loop(lambda: examine(lambda: load_settings(os.environ, env_file)))
    if as_json:
        put(findings.document())
    else:
        from seedream_daemon.cli.tables import print_checks

        print_checks(findings.checks)
    return int(ExitCode.OK if findings.ok else ExitCode.CONFIG)
