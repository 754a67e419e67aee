"""Commands about one job: check, run, resume, retry."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seedream_daemon.cli.settled import (
    counted,
    in_loop,
    json_option,
    put,
    put_line,
    say,
    settings_for,
)

if TYPE_CHECKING:
    from seedream_daemon.actions.run import RunResult

_folder = click.argument("folder", type=click.Path(path_type=Path))


def _session(command: Any) -> Any:
    """Give a command that goes on with a session its arguments."""
    for decorate in (
        json_option,
        click.option(
            "--max-cost-usd", type=click.FloatRange(min=0), help="Another cap for the job."
        ),
        click.option("--photos", type=click.Path(path_type=Path), help="Where the photos lie now."),
        click.argument("session"),
    ):
        command = decorate(command)
    return command


@click.command()
@_folder
@click.option(
    "--dry-run", is_flag=True, help="Show what would be sent, and its price; send nothing."
)
@json_option
@click.pass_context
def run(context: click.Context, folder: Path, *, dry_run: bool, as_json: bool) -> int:
    """Run the job in FOLDER now, into a new session. FOLDER is left as it is."""
    from seedream_daemon.actions.run import run_folder

    if dry_run:
        return _check(context, (folder,), as_json=as_json)
    settings, folder = settings_for(context), folder.absolute()
    return _shown(
        lambda emit, on_engine: run_folder(settings, folder, emit=emit, on_engine=on_engine),
        as_json=as_json,
    )


@click.command()
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1, required=True)
@json_option
@click.pass_context
def check(context: click.Context, folders: tuple[Path, ...], *, as_json: bool) -> int:
    """Show the mistakes, shots, sizes and price of job FOLDERS; send nothing."""
    return _check(context, folders, as_json=as_json)


@click.command()
@_session
@click.pass_context
def resume(context: click.Context, /, *, as_json: bool, **where: Any) -> int:
    """Go on with SESSION: fetch what is paid for, then ask for what is missing."""
    return _resume(context, frozenset(), as_json=as_json, **where)


@click.command()
@click.option("--shot", "shots", multiple=True, help="Ask only for this shot; can be repeated.")
@_session
@click.pass_context
def retry(context: click.Context, /, shots: tuple[str, ...], *, as_json: bool, **where: Any) -> int:
    """Ask again for the shots of SESSION that failed or are in doubt."""
    return _resume(context, frozenset(shots) or None, as_json=as_json, **where)


@click.command()
@_folder
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the crops go; FOLDER's name and -crops beside you otherwise.",
)
@json_option
@click.pass_context
def crops(context: click.Context, folder: Path, to: Path | None, *, as_json: bool) -> int:
    """Write the face crops of the grid in FOLDER and one sheet that shows them; send nothing."""
    from dataclasses import asdict

    from seedream_daemon.actions.crops import SHEET, write_crops

    settings, folder = settings_for(context), folder.absolute()
    place = (to or Path(f"{folder.name}-crops")).absolute()
    made = in_loop(lambda: write_crops(settings, folder, place))
    if as_json:
        put({"sheet": str(place / SHEET), "crops": [asdict(crop) for crop in made]})
    else:
        for crop in made:
            say(f"{crop.photo}: {crop.warning or crop.how}")
        put_line(str(place / SHEET))
    return int(any(crop.file is None for crop in made))


def _resume(
    context: click.Context,
    again: frozenset[str] | None,
    *,
    session: str,
    photos: Path | None,
    max_cost_usd: float | None,
    as_json: bool,
) -> int:
    from seedream_daemon.actions.run import resume_session

    settings = settings_for(context)
    cap = None if max_cost_usd is None else round(max_cost_usd * 1_000_000)
    return _shown(
        lambda emit, on_engine: resume_session(
            settings,
            session,
            photos=photos,
            again=again,
            max_cost_micro_usd=cap,
            emit=emit,
            on_engine=on_engine,
        ),
        as_json=as_json,
    )


def _shown(work: Any, *, as_json: bool) -> int:
    """Run a job with its progress shown, then say how it ended."""
    from seedream_daemon.cli.interrupt import interruptible
    from seedream_daemon.cli.progress import progress_of

    with progress_of(quiet=as_json) as emit:
        result: RunResult = in_loop(lambda: interruptible(lambda engine: work(emit, engine)))
    document = result.document
    if as_json:
        put(document)
        return int(result.exit_code)
    say(_summary(document))
    put_line(document["session_path"])
    return int(result.exit_code)


def _summary(document: dict[str, Any]) -> str:
    from seedream_daemon.actions.ends import failure_line, goes_on

    pictures = f"{counted(document['pictures'], 'picture')} of {document['wanted']} wanted"
    lines = [f"{document['name']}: {document['state']}. {pictures}, ${document['cost_usd']:.2f}."]
    if document["reason"]:
        lines.append(document["reason"])
    failures = document["failures"]
    lines += [f"  {failure_line(failure)}" for failure in failures[:20]]
    if document["state"] != "done":
        word = "resume" if goes_on(document) else "retry"
        lines.append(
            f"seedream-daemon {word} {document['session']!r} asks only for what is missing."
        )
    return "\n".join(lines)


def _check(context: click.Context, folders: tuple[Path, ...], *, as_json: bool) -> int:
    from seedream_daemon.actions.plan import checked_documents
    from seedream_daemon.cli.tables import print_check

    settings = settings_for(context)
    documents, exit_code = in_loop(lambda: checked_documents(settings, folders))
    if as_json:
        put(documents[0] if len(documents) == 1 else {"checks": documents})
    else:
        for document in documents:
            print_check(document)
    return int(exit_code)
