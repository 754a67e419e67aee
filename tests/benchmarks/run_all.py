"""Run all benchmarks, one after the other, and tell how each went.

    python tests/benchmarks/run_all.py [NAME ...]

With names (`schedule growth`) only those. Nothing else should run beside it: several compare
processor-bound work with the clock. Exits 1 if one fails.
"""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def run(path: Path) -> tuple[bool, float]:
    """Run one in a process of its own; its lines appear as they come."""
    print(f"== {path.name}", flush=True)
    began_s = time.monotonic()
    ended = subprocess.run([sys.executable, str(path)], check=False)
    return ended.returncode == 0, time.monotonic() - began_s


def main() -> int:
    """Run, and print the table."""
    found = sorted(FOLDER.glob("bench_*.py"))
    wanted = {f"bench_{name}.py" for name in sys.argv[1:]}
    if unknown := wanted - {path.name for path in found}:
        print(f"There is no {', '.join(sorted(unknown))} in {FOLDER}.", file=sys.stderr)
        return 2
    rows = [(path.name, *run(path)) for path in found if not wanted or path.name in wanted]
    print(f"\n{'benchmark':24} {'seconds':>8}  result")
    for name, good, took_s in rows:
        print(f"{name:24} {took_s:8.0f}  {'PASS' if good else 'FAIL'}")
    return 0 if all(good for _, good, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
