"""The edge: writes metadata.json or grid.json, seldom enough that its cost stays bounded."""

from pathlib import Path

from seedream_daemon.durable import write_atomically
from seedream_daemon.job.plan import Plan
from seedream_daemon.session.layout import thumbnail_folder, view_name
from seedream_daemon.session.views import Thumbnails

ALLOWANCE_BYTES = 64 * 1024
ALLOWANCE_PER_JOURNAL_BYTE = 2
PAUSE_S = 1.0


class ViewPace:
    """Says when a view may be written again; arithmetic only.

    A view is written whole, so rewriting it for every picture would cost the square of their
    number. All rewrites together may weigh twice the journal and 64 KiB, and are a second apart.
    """

    def __init__(self) -> None:
        self.written_bytes = 0
        self._last_bytes = 0
        self._last_at: float | None = None

    def is_due(self, *, now: float, journal_bytes: int) -> bool:
        """Tell, before a view is built, whether one like the last could be written."""
        if self._last_at is not None and now - self._last_at < PAUSE_S:
            return False
        return self.has_room(self._last_bytes, journal_bytes=journal_bytes)

    def has_room(self, view_bytes: int, *, journal_bytes: int) -> bool:
        """Tell whether a view of so many bytes may be written."""
        allowed = ALLOWANCE_PER_JOURNAL_BYTE * journal_bytes + ALLOWANCE_BYTES
        return self.written_bytes + view_bytes <= allowed

    def wrote(self, view_bytes: int, *, now: float) -> None:
        """Note a view that was written at `now`, in seconds of a steady clock."""
        self.written_bytes += view_bytes
        self._last_bytes, self._last_at = view_bytes, now

    def skipped(self, view_bytes: int, *, now: float) -> None:
        """Note a view that was built at `now` and found too big."""
        self._last_bytes, self._last_at = view_bytes, now


def write_view(session: Path, kind: str, content: bytes) -> None:
    """Replace the session's JSON file, atomically. Blocks; raises OSError."""
    write_atomically(session / view_name(kind), content)


def find_thumbnails(session: Path, plan: Plan) -> Thumbnails:
    """List what lies in refs/, by the group's folder name. Blocks."""
    return {group.name: _files_in(session, thumbnail_folder(group.name)) for group in plan.groups}


def _files_in(session: Path, folder: str) -> tuple[str, ...]:
    try:
        names = sorted(path.name for path in (session / folder).iterdir())
    except OSError:
        return ()
    return tuple(f"{folder}/{name}" for name in names if not name.startswith("."))
