"""One look at a drop: names, sizes and times, nothing opened and no link followed."""

import contextlib
import os
import stat
import time
from pathlib import Path

from seedream_daemon.inbox.settle import Sight
from seedream_daemon.job.names import is_ignored, is_photo_name

# Written by whoever merely looks at a folder: no sign that a copy is under way.
_LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "@eadir", ".stfolder", "__macosx"})
_JOB_NAMES = frozenset({"job.toml", "job.toml.txt"})
_READY_NAMES = frozenset({"READY", ".ready"})


def look(folder: Path) -> Sight | None:
    """Look at a drop; None if it is not there, or no folder.

    Files that a job ignores count as well while they are on their way (`b.jpg.part`, the hidden
    drafts of rsync and Syncthing): a drop in which one grows does not stand still. A folder
    inside that may not be read counts as empty. Blocks; raises OSError if the drop itself may
    not be read.
    """
    try:
        root = folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISDIR(root.st_mode):
        return None
    tree: dict[str, tuple[int, int]] = {}
    try:
        newest_ns = max(root.st_ctime_ns, _walk(str(folder), "", tree))
    except (FileNotFoundError, NotADirectoryError):
        return None
    names = [name for name, facts in tree.items() if facts[0] >= 0]
    return Sight(
        tree=tree,
        identity=(root.st_dev, root.st_ino),
        photos=sum(1 for name in names if _is_photo(name)),
        has_job=any(name.casefold() in _JOB_NAMES for name in names),
        ready=any(tree.get(name, (-1, 0))[0] == 0 for name in _READY_NAMES),
        age_s=(time.time_ns() - newest_ns) / 1e9,
    )


def _walk(disk: str, prefix: str, tree: dict[str, tuple[int, int]]) -> int:
    newest_ns = 0
    with os.scandir(disk) as found:
        children = [child for child in found if not _is_litter(child.name)]
    for child in children:
        try:
            status = child.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        newest_ns = max(newest_ns, status.st_ctime_ns)
        name = prefix + child.name
        if stat.S_ISDIR(status.st_mode):
            tree[name] = (-1, 0)
            # Gone again or not ours to read: the claim says what is wrong with it.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                newest_ns = max(newest_ns, _walk(child.path, f"{name}/", tree))
        else:
            tree[name] = (status.st_size, status.st_mtime_ns)
    return newest_ns


def _is_litter(name: str) -> bool:
    folded = name.casefold()
    return folded in _LITTER or folded.startswith("._")


def _is_photo(name: str) -> bool:
    last = name.rpartition("/")[2]
    return is_photo_name(last) and not is_ignored(last)
