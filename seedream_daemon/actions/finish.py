"""A session that was finished by hand -> its drop, which lies in the inbox's _failed, moves on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedream_daemon.actions.ends import error_text
from seedream_daemon.inbox.claim import put_away, read_result, write_result
from seedream_daemon.inbox.place import MARKER
from seedream_daemon.settings import Settings


def finish_drop(settings: Settings, folder: str | None, document: Mapping[str, Any]) -> Path | None:
    """Put the drop of a session away, if it lies in _failed of this inbox; blocks.

    `folder` is where the drop lay when its session began. The result is written into it, and a job
    that is done moves to _done. Gives where the drop lies now, None where there was nothing to do.
    """
    if folder is None or not (settings.inbox_dir / MARKER).exists():
        return None
    drop = _find(settings.inbox_dir / "_failed", Path(folder).name, document["job_id"])
    if drop is None:
        return None
    write_result(drop, document, error_text(document))
    return put_away(drop, settings.inbox_dir / "_done") if document["state"] == "done" else drop


def _find(failed: Path, name: str, job_id: str) -> Path | None:
    """Find the drop by its own result.json: its name may have got a number since."""
    try:
        candidates = sorted(path for path in failed.iterdir() if path.name.startswith(name))
    except OSError:
        return None
    return next(
        (path for path in candidates if (read_result(path) or {}).get("job_id") == job_id), None
    )
