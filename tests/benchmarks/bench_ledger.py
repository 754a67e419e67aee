"""The ledger against bare appends, in one run, on one disk.

    python tests/benchmarks/bench_ledger.py [FOLDER]

2,000 requests are reserved and settled, one after the other and 64 at a time; beside them 4,000
lines of the same length are appended and brought to the disk with nothing around them. Then a
ledger of 20,000 requests is opened. Prints each figure with pass or FAIL.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import anyio

from seedream_daemon.spend.book import Reservation
from seedream_daemon.spend.ledger import Ledger, Reserved

REQUESTS = 2_000
PAST_REQUESTS = 20_000
LINE_BYTES = 330


def bare_appends(folder: Path) -> float:
    """Give the appends per second that the disk allows."""
    descriptor = os.open(folder / "bare.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began_s = time.perf_counter()
    for _ in range(2 * REQUESTS):
        os.write(descriptor, b"x" * LINE_BYTES)
        os.fdatasync(descriptor)
    os.close(descriptor)
    return 2 * REQUESTS / (time.perf_counter() - began_s)


async def one_request(ledger: Ledger, name: str) -> None:
    """Reserve and settle, as one shot does."""
    wish = Reservation(
        request_id=name,
        job_id="jbench00001",
        shot="photos/IMG_0001.jpg",
        model="seedream-4-0-250828",
        images=1,
        micro_usd=30_000,
    )
    assert isinstance(await ledger.reserve(wish), Reserved)
    await ledger.settle(name, images=1, micro_usd=30_000)


async def requests_per_second(ledger: Ledger, at_once: int) -> float:
    """Give the requests per second of so many tasks."""

    async def work(first: int) -> None:
        for number in range(first, REQUESTS, at_once):
            await one_request(ledger, f"{at_once}-{number}")

    began_s = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for first in range(at_once):
            tasks.start_soon(work, first)
    return REQUESTS / (time.perf_counter() - began_s)


async def start_s(folder: Path) -> float:
    """Give the seconds that the first answer of a ledger with a past takes."""
    ledger = Ledger(folder, images_per_minute=500, daily_budget_micro_usd=1)
    began_s = time.perf_counter()
    await ledger.today()
    took_s = time.perf_counter() - began_s
    ledger.close()
    return took_s


async def run(folder: Path) -> bool:
    """Measure all, print all, and say whether all passed."""
    bare = bare_appends(folder)
    ledger = Ledger(folder / "state", images_per_minute=10**9, daily_budget_micro_usd=10**15)
    alone, crowd = [await requests_per_second(ledger, at_once) for at_once in (1, 64)]
    for number in range(PAST_REQUESTS // 1000):
        async with anyio.create_task_group() as tasks:
            for one in range(1000):
                tasks.start_soon(one_request, ledger, f"past-{number}-{one}")
    ledger.close()
    took_s = await start_s(folder / "state")
    results = [
        (f"one after the other: {alone:.0f} requests/s, at least 300", alone >= 300),
        (f"64 at a time: {crowd:.0f} requests/s, at least 300", crowd >= 300),
        (
            f"of the disk's {bare:.0f} appends/s: {2 * crowd / bare:.0%}, at least 15%",
            2 * crowd >= 0.15 * bare,
        ),
        (f"start with {PAST_REQUESTS} past requests: {took_s:.3f} s, at most 0.5", took_s <= 0.5),
    ]
    for text, passed in results:
        print(f"{'pass' if passed else 'FAIL'}  {text}")
    return all(passed for _, passed in results)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        sys.exit(0 if anyio.run(run, Path(place)) else 1)
