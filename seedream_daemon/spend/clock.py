"""What the ledger knows of time: the calendar for days, the time since boot for the pace.

And when a process was born, which together with its id names it for good.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A calendar that may be set back, and seconds since boot that only grow.

    `wall` answers local time with its offset; `up_s` counts suspended time too, and belongs to
    the boot named `boot_id`.
    """

    wall: Callable[[], datetime]
    up_s: Callable[[], float]
    boot_id: str


def _wall() -> datetime:
    return datetime.now().astimezone()


def _up_s() -> float:
    # macOS has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC counts from boot as well.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def system_clock() -> Clock:
    """Give the machine's own clock."""
    return Clock(wall=_wall, up_s=_up_s, boot_id=_boot_id())


def born(pid: int) -> str:
    """Give the start of a process in clock ticks since boot, "" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
