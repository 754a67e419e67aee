"""Why a drop cannot be taken: whose it is, what its mode says, and the cure."""

import grp
import os
import pwd
import stat
from pathlib import Path

from seedream_daemon.job.names import is_ignored


def trouble(drop: Path) -> str | None:
    """Say why the drop cannot be moved, written to or read; None if it can.

    The answer names owner, mode and cure, for people. Blocks; raises OSError if the drop is gone.
    """
    status, inbox = drop.lstat(), drop.parent.stat()
    if status.st_dev != inbox.st_dev:
        return "lies on another file system than the inbox; copy its files into the inbox instead"
    if not _may(drop, os.R_OK | os.W_OK | os.X_OK):
        return _explain(status, "may not write to it", _cure(status, inbox, "g+rwX"))
    if inbox.st_mode & stat.S_ISVTX and os.geteuid() not in {0, status.st_uid, inbox.st_uid}:
        whose = f"belongs to {_user(status.st_uid)}, and in an inbox with the sticky bit"
        return f"{whose} only its owner may move it; take the bit away with chmod -t on the inbox"
    return _unreadable_inside(drop, inbox)


def _unreadable_inside(drop: Path, inbox: os.stat_result) -> str | None:
    for folder, folders, files in os.walk(drop):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in (*folders, *(name for name in files if not is_ignored(name))):
            path = Path(folder, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            wanted = os.R_OK | os.X_OK if stat.S_ISDIR(status.st_mode) else os.R_OK
            # Links and devices are refused by the job, by name; their rights say nothing.
            plain = stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)
            if plain and not _may(path, wanted):
                inside = path.relative_to(drop)
                cure = _cure(status, inbox, "g+rX")
                return f"{inside}: " + _explain(status, "may not read it", cure)
    return None


def _explain(status: os.stat_result, what: str, cure: str) -> str:
    mode = stat.S_IMODE(status.st_mode)
    owner, group = _user(status.st_uid), _group(status.st_gid)
    return (
        f"belongs to {owner} and group {group} with mode {mode:04o}, and {_user(os.geteuid())} "
        f"{what}; let {owner} run {cure} on it (and copy with umask 002 next time)"
    )


def _cure(status: os.stat_result, inbox: os.stat_result, mode: str) -> str:
    if status.st_gid in {os.getegid(), *os.getgroups()}:
        return f"chmod -R {mode}"
    return f"chgrp -R {_group(inbox.st_gid).split()[0]} and chmod -R {mode}"


def _may(path: Path, wanted: int) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, wanted, effective_ids=effective)


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    try:
        return f"{grp.getgrgid(gid).gr_name} (gid {gid})"
    except KeyError:
        return f"gid {gid}"
