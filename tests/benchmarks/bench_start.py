"""How long the program takes to say its version, beside Python that only imports click.

python tests/benchmarks/bench_start.py
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import rig

TIMES = 25
MAX_RATIO = 3.0


def once_s(command: list[str], made: rig.Rig) -> float:
    """Give the seconds of one process, from its start to its end."""
    began_s = time.perf_counter()
    subprocess.run(command, cwd=made.folder, check=True, capture_output=True)
    return time.perf_counter() - began_s


def bench(made: rig.Rig) -> list[rig.Claim]:
    """Take turns, so that both meet the same machine."""
    script = Path(sys.executable).with_name("seedream-daemon")
    ours = [str(script)] if script.exists() else [sys.executable, "-m", "seedream_daemon"]
    ours.append("--version")
    plain = [sys.executable, "-c", "import click"]
    took: dict[str, list[float]] = {"ours": [], "plain": []}
    for command in (ours, plain):
        once_s(command, made)  # so that nobody pays for a cold disk
    for _ in range(TIMES):
        took["ours"].append(once_s(ours, made))
        took["plain"].append(once_s(plain, made))
    ours_s, plain_s = median(took["ours"]), median(took["plain"])
    print(
        f"      --version {ours_s * 1000:.0f} ms, import click {plain_s * 1000:.0f} ms", flush=True
    )
    return [rig.at_most("times the import of click", ours_s / plain_s, MAX_RATIO, "x")]


if __name__ == "__main__":
    rig.main(bench)
