"""A sheet of a grid of 10 x 10 pictures of 16 megapixels: seconds, bytes, memory of the workers.

    python tests/benchmarks/bench_view.py

Prints each figure with pass or FAIL.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import anyio
import numpy as np
from PIL import Image

from seedream_daemon.photos.workers import PhotoWorkers
from seedream_daemon.tools.sessions import SessionDesk
from seedream_daemon.tools.shelf import Shelf
from seedream_daemon.tools.views import SHEET_BYTES, ViewDesk

MOST_MB = 150
SIDE = 4096
NAME = "2025-01-01_00-00-00_x_grid"


def make_session(base: Path) -> None:
    cells = base / NAME / "cells"
    cells.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 255, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    picture.save(base / "picture.jpg", quality=95)
    table = {}
    for row in range(1, 11):
        for col in range(1, 11):
            file = f"cells/r{row}_c{col}.jpg"
            os.link(base / "picture.jpg", base / NAME / file)
            table[f"{row}_{col}"] = {"file": file, "prompt": "p", "size": f"{SIDE}x{SIDE}"}
    names = [str(number) for number in range(10)]
    content = {"type": "grid", "group_names": names, "prompts": names, "cells": table}
    (base / NAME / "grid.json").write_text(json.dumps(content), encoding="utf-8")


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / 1024


def verdict(what: str, figure: float, most: float) -> bool:
    print(f"{what:40} {figure:10.1f}  at most {most:g}  {'pass' if figure <= most else 'FAIL'}")
    return figure <= most


async def measure(base: Path) -> bool:
    opened = SessionDesk(Shelf(base), lambda _: None).open(NAME)
    async with PhotoWorkers() as workers:
        began = time.monotonic()
        _, sheet = await ViewDesk(workers, base).look(opened, None, 1568)
        print(f"{'seconds':40} {time.monotonic() - began:10.1f}")
        heaviest = max(peak_mb(pid) for pid in workers.pids)
    good = verdict("peak of a worker, MB", heaviest, MOST_MB)
    return verdict("the sheet, bytes", len(sheet), SHEET_BYTES) and good


def main() -> int:
    """Return 1 if a figure is missed."""
    with tempfile.TemporaryDirectory() as folder:
        make_session(Path(folder))
        return int(not anyio.run(measure, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
