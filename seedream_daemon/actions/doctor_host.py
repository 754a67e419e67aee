"""The doctor's checks of the machine: disks, kernel limits, the service manager."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio

from seedream_daemon.run.room import lack_of_room

# A job that cannot even keep one picture of 4K is stopped at once.
ONE_PICTURE_BYTES = 4096 * 4096
UNIT = "seedream-daemon.service"
_PATIENCE_S = 5.0
_INOTIFY = Path("/proc/sys/fs/inotify")
_NAMES = {"INBOX_DIR": "inbox", "OUTPUT_BASE_DIR": "outputs", "STATE_DIR": "state"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. `ok` is false if it would stop a job.

    `mend` says what to do; where `ok` is true it is only good advice, None if there is none.
    """

    name: str
    ok: bool
    found: str
    mend: str | None = None


def folder(setting: str, path: Path) -> Check:
    """Say whether the folder of a setting can be written to, or made, and has room; blocks."""
    name = _NAMES[setting]
    there = _nearest(path)
    if not there.is_dir():
        mend = "Move that file away, or name another folder."
        return Check(name=name, ok=False, found=f"{there} is a file", mend=mend)
    if not os.access(there, os.W_OK | os.X_OK):
        found = f"uid {os.geteuid()} may not write to {there}"
        mend = f"Let it write there, or set {setting} to another folder."
        return Check(name=name, ok=False, found=found, mend=mend)
    lack = lack_of_room(there, ONE_PICTURE_BYTES)
    if lack is not None:
        return Check(name=name, ok=False, found=lack, mend="Make room, or name another disk.")
    free = f"{shutil.disk_usage(there).free / 1e9:.1f} GB are free"
    if there != path:
        return Check(name=name, ok=True, found=f"{path} will be made when first needed; {free}")
    return Check(name=name, ok=True, found=f"{path} can be written to; {free}")


def inotify() -> Check:
    """Say how much of what the kernel lets one user watch is left; blocks."""
    try:
        most = int((_INOTIFY / "max_user_instances").read_text(encoding="ascii"))
        watches = int((_INOTIFY / "max_user_watches").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return Check(name="inotify", ok=True, found="this system has none; the inbox is polled")
    used = sum(1 for _ in _instances())
    found = f"{used} of {most} instances are in use; {watches} watches for each user"
    if used < most and watches > 0:
        return Check(name="inotify", ok=True, found=found)
    mend = f"sysctl fs.inotify.max_user_instances={2 * most + 128}; until then the inbox is polled."
    return Check(name="inotify", ok=True, found=found, mend=mend)


async def unit() -> Check:
    """Say how the unit of the system and of the user stand, where there is systemd."""
    for scope in ("--system", "--user"):
        facts = await _ask_manager(scope)
        if facts.get("LoadState") in {None, "not-found"}:
            continue
        found = f"{UNIT} ({scope[2:]}) is {facts.get('ActiveState')}, {facts.get('UnitFileState')}"
        if facts.get("ActiveState") == "failed":
            mend = f"Read journalctl {scope} -u {UNIT}, then systemctl {scope} restart {UNIT}."
            return Check(name="systemd", ok=False, found=found, mend=mend)
        enable = f"systemctl {scope} enable {UNIT}, if it shall start with the machine."
        is_off = facts.get("UnitFileState") == "disabled"
        return Check(name="systemd", ok=True, found=found, mend=enable if is_off else None)
    return Check(name="systemd", ok=True, found=f"no {UNIT} is installed, or no systemd runs")


async def _ask_manager(scope: str) -> dict[str, str]:
    wanted = "--property=LoadState,ActiveState,UnitFileState"
    try:
        with anyio.fail_after(_PATIENCE_S):
            done = await anyio.run_process(
                ["systemctl", scope, "show", wanted, UNIT], stderr=subprocess.DEVNULL, check=False
            )
    except (OSError, TimeoutError):
        return {}
    lines = done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def _nearest(path: Path) -> Path:
    """Give the folder itself, or the nearest above it that exists."""
    return next(there for there in (path, *path.parents) if os.path.lexists(there))


def _instances() -> Iterator[str]:
    """Find the inotify instances of this user's processes; others cannot be looked into."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid != os.geteuid():
                continue
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) == "anon_inode:inotify":
                    yield str(descriptor)
        except OSError:
            continue
