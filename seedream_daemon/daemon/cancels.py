"""Cancels of jobs whose drops lie in _running, kept so that a restart knows them.

They stand in STATE_DIR and not in the drop: that is data from anyone, and stays as it was left.
"""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from seedream_daemon.daemon.jobs import LiveJob
from seedream_daemon.durable import write_atomically

FILE = "cancelled-drops.json"


@dataclass(slots=True)
class Cancels:
    """The drops below `running` whose jobs were cancelled. Methods block, and exclude each other.

    An entry is the path of a drop: it counts until the drop is put away, or found to be gone.
    """

    file: Path
    running: Path
    _known: frozenset[str] = frozenset()
    _lock: Lock = field(default_factory=Lock)

    def load(self) -> None:
        """Read what an earlier process noted; forget drops that are no longer there."""
        with self._lock:
            try:
                found = json.loads(self.file.read_text(encoding="ascii"))
                self._known = frozenset(str(path) for path in found["cancelled"])
            except (OSError, ValueError, KeyError, TypeError):
                return
            # On a disk that takes nothing the next entry does it.
            with contextlib.suppress(OSError):
                self._keep(path for path in self._known if self._may_count(Path(path)))

    def holds(self, folder: Path) -> bool:
        """Say whether the job of a drop in _running was cancelled."""
        return str(folder) in self._known

    def note(self, job: LiveJob) -> None:
        """Note durably that a job was cancelled, unless its drop is put away. Raises OSError."""
        with self._lock:
            if job.folder is not None and job.folder.parent == self.running:
                self._keep(self._known | {str(job.folder)})

    def forget(self, folder: Path) -> None:
        """Let go of a drop that has left _running. Raises OSError."""
        with self._lock:
            self._keep(self._known - {str(folder)})

    def _may_count(self, folder: Path) -> bool:
        # Of another inbox of this STATE_DIR we cannot know.
        return folder.parent != self.running or folder.is_dir()

    def _keep(self, paths: Iterable[str]) -> None:
        known = frozenset(paths)
        if known == self._known:
            return
        text = json.dumps({"cancelled": sorted(known)})
        write_atomically(self.file, text.encode("ascii"), mode=0o600)
        self._known = known
