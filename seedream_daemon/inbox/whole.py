"""The contents of a drop that stands still: is everything there that its job.toml speaks of?"""

import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from seedream_daemon.errors import JobInvalidError
from seedream_daemon.imagefile import is_whole, sniff
from seedream_daemon.inbox.settle import Wholeness
from seedream_daemon.job.gather import named_paths
from seedream_daemon.job.listing import Listing
from seedream_daemon.job.models import family_of
from seedream_daemon.job.names import is_photo_name
from seedream_daemon.job.planner import awaited
from seedream_daemon.job.schema import JobSpec
from seedream_daemon.job.spec import MAX_BYTES, read_job

_JOB = "job.toml"
_WHOLE = Wholeness(ok=True)


def check_whole(
    folder: Path,
    *,
    look: Callable[[Path, Sequence[str]], Listing],
    default_model: str,
    default_family: str | None = None,
    allowed_roots: Sequence[Path] = (),
) -> Wholeness:
    """Check a drop: job.toml parses, what it names is there, no photo is cut short.

    A job that is wrong in any other way is whole too: claiming it is how its mistakes are told.
    `look` lists a folder and the further paths that a job names. Blocks; raises OSError if the
    drop cannot be read.
    """
    data = _job_bytes(folder)
    if data is None:
        return _WHOLE
    if not _parses(data):
        return Wholeness(ok=False, cut_short=(_JOB,))
    spec = _spec(data)
    if spec is None:
        return _WHOLE
    listing = look(folder, named_paths(spec))
    family, _guess = family_of(spec.model or default_model, spec.model_family or default_family)
    missing = awaited(spec, listing, family=family, allowed_roots=allowed_roots)
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        return Wholeness(ok=False, reason=f"{missing[0]}{more}")
    cut_short = tuple(_cut_short(listing))
    return Wholeness(ok=not cut_short, cut_short=cut_short)


def _job_bytes(folder: Path) -> bytes | None:
    """Read job.toml; None where it is no ordinary file, for the job to be refused."""
    path = folder / _JOB
    if path.is_symlink() or not path.is_file():
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    return data if len(data) <= MAX_BYTES else None


def _parses(data: bytes) -> bool:
    try:
        return bool(tomllib.loads(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        # Half a character at the end means half a file; elsewhere it is another encoding, which
        # no waiting mends.
        return error.reason != "unexpected end of data"
    except (ValueError, RecursionError):
        return False


def _spec(data: bytes) -> JobSpec | None:
    try:
        return read_job(data)
    except JobInvalidError:
        return None


def _cut_short(listing: Listing) -> Iterator[str]:
    for entry in listing.entries:
        if entry.kind == "file" and is_photo_name(entry.name):
            path = listing.disk_path(entry)
            kind = sniff(path)
            if kind is None:
                if _is_hollow(path):
                    yield entry.name
            elif not is_whole(path, kind):
                yield entry.name


def _is_hollow(path: Path) -> bool:
    """Say whether a file is empty, or begins with room that a copy has yet to fill."""
    with path.open("rb") as file:
        return not file.read(64).strip(b"\0")
