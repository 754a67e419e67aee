"""Which file system a folder lies on, and whether it tells of what others do. Pure."""

from pathlib import PurePosixPath

_SILENT = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "9p"),
        *("virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "fuseblk"),
    }
)
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def file_system(path: str, mountinfo: str) -> str:
    """Give the type of the file system of an absolute path, "" if it cannot be told.

    `mountinfo` is the text of /proc/self/mountinfo (proc(5)); of several mounts at one place the
    last one counts.
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        mount = _unescape(fields[4])
        depth = len(PurePosixPath(mount).parts)
        if PurePosixPath(path).is_relative_to(mount) and depth >= best:
            best, kind = depth, after.split()[0]
    return kind


def is_silent(kind: str) -> bool:
    """Say whether a file system hides from inotify what other machines write to it."""
    return kind in _SILENT or kind.startswith("fuse.")


def _unescape(mount: str) -> str:
    for escape, letter in _ESCAPES.items():
        mount = mount.replace(escape, letter)
    return mount
