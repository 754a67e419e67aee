"""A bulk of 10,000 photos beside one of 1,000: what a photo costs must not grow with the job.

    python tests/benchmarks/bench_growth.py [PHOTOS]

Small photos, a service that answers at once, 64 requests at a time, the pace off. Time per photo is
from the first `sending` to the last `picture`, and is mostly the service's, which draws the pictures;
so the processor time of the program alone is compared as well. Bookkeeping is all that the process
wrote to files (wchar of /proc/PID/io) less the pictures: journal, views, ledger, messages.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import rig

SMALL, LARGE = 1_000, 10_000
MAX_TIME_RATIO = 1.25
MAX_WRITTEN_RATIO = 5
MAX_MORE_MB = 60
MAX_FIRST_S = 3.0
JOB = 'kind = "bulk"\nprompt = "brighter, please"\nsize = "1024x1024"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one job cost; `written` and `kept` are bytes of bookkeeping."""

    first_s: float
    photo_ms: float
    cpu_ms: float
    peak_mb: float
    written: int
    kept: int


def measure(made: rig.Rig, number: int) -> Cost:
    """Run one bulk of so many photos."""
    service = made.service()
    program = made.program(service.base_url)
    folder = made.job(f"{program.home.name}-shoot", JOB, rig.photos(number))
    began_s = time.time()
    log = (program.home / "log.txt").open("wb")
    process_id = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "seedream_daemon", "run", str(folder)],
        {**program.env, "MAX_PARALLEL": "64"},
        file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), fd) for fd in (1, 2)],
    )
    peak_kb = watch_peak(process_id)
    wrote = written_bytes(process_id)
    _, status, usage = os.wait4(process_id, 0)
    log.close()
    assert status == 0, (program.home / "log.txt").read_text(encoding="utf-8")
    (session,) = program.sessions()
    pictures = [path.stat().st_size for path in session.glob("*.jpg")]
    assert len(pictures) == number
    sendings = rig.times(session, "sending")
    took_s = max(rig.times(session, "picture")) - min(sendings)
    service.kill()
    return Cost(
        first_s=min(sendings) - began_s,
        photo_ms=took_s / number * 1000,
        cpu_ms=(usage.ru_utime + usage.ru_stime) / number * 1000,
        peak_mb=peak_kb * 1024 / 1e6,
        written=wrote - sum(pictures),
        kept=sum(path.stat().st_size for path in bookkeeping(session, program.state)),
    )


def watch_peak(process_id: int) -> int:
    """Give VmHWM in kB once the process has ended (it may have grown in its last 20 ms)."""
    peak_kb = 0
    while os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
        peak_kb = next(
            (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")),
            peak_kb,
        )
        time.sleep(0.02)
    return peak_kb


def written_bytes(process_id: int) -> int:
    """Give what an ended process, not yet waited for, has handed to write()."""
    lines = Path(f"/proc/{process_id}/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def bookkeeping(session: Path, state: Path) -> list[Path]:
    """List the files of a job that are no pictures."""
    return [
        *session.glob("*.json*"),
        *session.glob("*.html"),
        *(path for path in state.rglob("*") if path.is_file()),
    ]


def show(number: int, cost: Cost) -> None:
    """Print what was measured."""
    print(
        f"      {number:,} photos: {cost.photo_ms:.2f} ms each, {cost.cpu_ms:.2f} ms of processor, "
        f"peak {cost.peak_mb:.0f} MB, first request after {cost.first_s:.2f} s, "
        f"bookkeeping {cost.written / 1e6:.2f} MB written for {cost.kept / 1e6:.2f} MB",
        flush=True,
    )


def bench(made: rig.Rig) -> list[rig.Claim]:
    """Run both and compare."""
    large_number = int(sys.argv[1]) if len(sys.argv) > 1 else LARGE
    measure(made, 10)  # so that the small one does not pay for compiling and a cold disk
    small = measure(made, SMALL)
    show(SMALL, small)
    large = measure(made, large_number)
    show(large_number, large)
    return [
        rig.at_most("time per photo", large.photo_ms / small.photo_ms, MAX_TIME_RATIO, "x"),
        rig.at_most("processor per photo", large.cpu_ms / small.cpu_ms, MAX_TIME_RATIO, "x"),
        rig.at_most("written per kept byte", large.written / large.kept, MAX_WRITTEN_RATIO, "x"),
        rig.at_most("more memory", large.peak_mb - small.peak_mb, MAX_MORE_MB, "MB", digits=0),
        rig.at_most("first request", large.first_s, MAX_FIRST_S, "s"),
    ]


if __name__ == "__main__":
    rig.main(bench)
