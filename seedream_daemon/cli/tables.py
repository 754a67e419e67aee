"""What people read of documents that programs read as JSON."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from seedream_daemon.cli.settled import counted

if TYPE_CHECKING:
    from seedream_daemon.actions.doctor_host import Check

MOST_ROWS = 40
# Lines that another program reads must not be cut where a terminal would end.
_NO_EDGE = 1_000_000


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _NO_EDGE
    return console


def print_check(document: dict[str, Any]) -> None:
    """Print what a job would send, what it would cost and what is wrong with it."""
    console = _console()
    say = console.print
    if document["kind"] is None:
        say(f"{document['folder']}: cannot be run as it stands", markup=False)
    else:
        price = document["price_usd"]
        say(
            f"{document['folder']}: {document['kind']}, {document['model']}, "
            f"{document['size'] or 'size left to the model'}, "
            f"{counted(len(document['shots']), 'shot')}, "
            f"{'price unknown' if price is None else f'at most ${price:.2f}'}",
            markup=False,
        )
        _print_shots(console, document["shots"])
    for row in document["left_out"]:
        say(f"Left out of {row['group']}: {', '.join(row['files'])}", markup=False)
    for warning in document["warnings"]:
        say(f"Note: {warning}", markup=False)
    for problem in document["problems"]:
        place = problem["file"] + (f":{problem['line']}" if problem["line"] else "")
        say(f"Mistake: {place}: {problem['message']}", markup=False)


def _print_shots(console: Console, shots: list[dict[str, Any]]) -> None:
    table = Table("shot", "group", "photos", "prompt", box=None, header_style="bold")
    for shot in shots[:MOST_ROWS]:
        table.add_row(shot["id"], shot["group"] or "", str(len(shot["photos"])), shot["prompt"])
    console.print(table)
    if len(shots) > MOST_ROWS:
        console.print(f"... and {len(shots) - MOST_ROWS} more shots")


def print_sessions(rows: list[dict[str, Any]]) -> None:
    """Print a page of sessions."""
    table = Table("session", "kind", "state", "pictures", "model", box=None, header_style="bold")
    for row in rows:
        pictures = f"{row['pictures']}/{row['shots']}" if row["shots"] else str(row["pictures"])
        table.add_row(row["session"], row["kind"], row["state"] or "", pictures, row["model"] or "")
    _console().print(table)


def print_session(document: dict[str, Any]) -> None:
    """Print one session: its prompts, its pictures, its failures."""
    console = _console()
    for key in ("session", "path", "name", "state", "model", "created", "prompt"):
        if document.get(key) is not None:
            console.print(f"{key:>8}: {document[key]}", markup=False)
    for prompt in document.get("prompts") or ():
        console.print(f"  prompt: {prompt}", markup=False)
    pictures = [row["saved"] for row in document.get("items") or () if row.get("saved")]
    pictures += [cell["file"] for cell in (document.get("cells") or {}).values()]
    for picture in pictures[:MOST_ROWS]:
        console.print(f" picture: {picture}", markup=False)
    if len(pictures) > MOST_ROWS:
        console.print(f"          ... and {len(pictures) - MOST_ROWS} more pictures")
    for failure in document.get("failures") or ():
        console.print(
            f"  failed: {failure['shot']}: {failure['code']}: {failure['message']}", markup=False
        )
    for sentence in document.get("missing_advice") or ():
        console.print(f" missing: {sentence}", markup=False)
    for problem in document.get("problems") or ():
        console.print(f" problem: {problem}", markup=False)


def print_sizes(rows: list[dict[str, Any]]) -> None:
    """Print the table of sizes."""
    table = Table("model", "aspect", "preset", "size", "label", box=None, header_style="bold")
    for row in rows:
        table.add_row(
            row["model"],
            row["aspect"],
            row["preset"],
            f"{row['width']}x{row['height']}",
            row["label"] or "",
        )
    _console().print(table)


def print_status(document: dict[str, Any]) -> None:
    """Print how the daemon stands."""
    console = Console(highlight=False)
    spend = document["spend"]
    left = "" if spend["left_usd"] is None else f", ${spend['left_usd']:.2f} left today"
    lines = [
        f"seedream-daemon {document['version']}, pid {document['pid']}, since {document['since']}",
        f"{document['state']}" + (f": {document['reason']}" if document["reason"] else ""),
        f"{document['in_flight']} in flight, {document['images_per_minute']:.0f} pictures a minute",
        f"${spend['today_usd']:.2f} today, ${spend['in_doubt_usd']:.2f} of it in doubt{left}",
    ]
    for line in lines:
        console.print(line, markup=False)
    print_jobs(document["queue"])
    if document["loose_files"]:
        console.print(f"Loose in the inbox: {', '.join(document['loose_files'])}", markup=False)


def print_jobs(rows: list[dict[str, Any]]) -> None:
    """Print a page of jobs."""
    if not rows:
        return
    columns = ("job", "name", "kind", "state", "saved", "failed", "cost", "reason")
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        saved = f"{row['saved']}/{row['shots']}" if row["shots"] else ""
        table.add_row(
            row["job_id"],
            row["name"],
            row["kind"] or "",
            row["state"],
            saved,
            str(row["failed"] or ""),
            f"${row['cost_usd']:.2f}" if row["cost_usd"] else "",
            row["reason"] or "",
        )
    Console(highlight=False).print(table)


def print_spend(document: Mapping[str, Any]) -> None:
    """Print what was spent, by day, job and model."""
    console = Console(highlight=False)
    for title, rows, key in (
        ("day", document["days"], "date"),
        ("job", document["jobs"], "job_id"),
        ("model", document["models"], "model"),
    ):
        table = Table(title, "pictures", "spent", "in doubt", box=None, header_style="bold")
        for row in rows:
            doubt = f"${row['in_doubt_usd']:.2f}" if row["in_doubt_usd"] else ""
            table.add_row(str(row[key]), str(row["images"]), f"${row['usd']:.2f}", doubt)
        console.print(table)


def print_checks(checks: "Sequence[Check]") -> None:
    """Print what the doctor found: a line for each check, and under it how to mend it."""
    console = _console()
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = "STOP" if not check.ok else "note" if check.mend else "ok"
        console.print(f"{mark:>4}  {check.name:<{width}}  {check.found}", markup=False)
        for line in (check.mend or "").splitlines():
            console.print(f"{'':>6}{'':<{width}}  -> {line}", markup=False)
