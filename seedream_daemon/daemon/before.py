"""What an earlier process left of a drop's job: its id, and the session that it had begun."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from seedream_daemon.actions.again import begun_session
from seedream_daemon.daemon.jobs import LiveJob
from seedream_daemon.inbox.claim import read_result, write_result

_JOB_ID = re.compile("j[0-9a-z]{10}")
_STAMP = "%Y-%m-%d_%H-%M-%S"


def job_id_in(result: Mapping[str, Any], taken: Collection[str]) -> str | None:
    """Give the id in a drop's result.json if it is one, and that of no other drop."""
    found = str(result.get("job_id"))
    return found if _JOB_ID.fullmatch(found) and found not in taken else None


def result_before(job: LiveJob, folder: Path, base: Path) -> Mapping[str, Any] | None:
    """Give what an earlier run left in a drop, None if there was none; note the id in a new one.

    So a job keeps its id, and a session that was begun is found, however early the process dies.
    `base` is where the sessions lie. Blocks; raises OSError if the drop cannot be written to.
    """
    before = read_result(folder)
    if before is None:
        since = datetime.now().astimezone().strftime(_STAMP)
        note = {"schema": 1, "job_id": job.job_id, "name": job.name, "kind": None}
        note |= {"state": "running", "session": None, "session_path": None, "since": since}
        write_result(folder, note, None)
    elif before.get("state") == "running" and before.get("session") is None:
        begun = begun_session(base, job.job_id, str(before.get("since")))
        return {**before, "job_id": job.job_id, "session": begun.name if begun else None}
    return before
