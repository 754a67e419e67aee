"""A copy of 10,000 photos, from its last write to its hand-over, beside a look at each in turn.

    python tests/benchmarks/bench_inbox.py

The watcher looks at every photo of a drop before it hands it over: has it stood still, is it whole.
What a daemon does after that (a session, the first request) is in bench_service.py.
"""

import time
from pathlib import Path

import anyio
import rig

from seedream_daemon.inbox.place import Place, open_inbox
from seedream_daemon.inbox.settle import Wholeness
from seedream_daemon.inbox.tend import Drop
from seedream_daemon.inbox.watch import Watcher
from seedream_daemon.inbox.whole import check_whole
from seedream_daemon.photos.folder import look

SETTLE_S = 2.0
PHOTOS = 10_000


def check(folder: Path) -> Wholeness:
    """Look at a drop as the daemon does."""
    return check_whole(
        folder, look=lambda path, also: look(path, also=also), default_model="seedream-4-0-250828"
    )


def fill(folder: Path) -> None:
    """Copy a bulk drop in, its job.toml last."""
    folder.mkdir()
    for name, content in rig.photos(PHOTOS):
        (folder / name).write_bytes(content)
    (folder / "job.toml").write_text('kind = "bulk"\nprompt = "brighter"\n', encoding="utf-8")


async def hand_over_s(place: Place) -> float:
    """Give the seconds from the last write of a copy to its hand-over."""
    came = anyio.Event()

    async def take(_drop: Drop) -> None:
        came.set()

    watcher = Watcher(
        place,
        settle_s=SETTLE_S,
        rescan_s=60.0,
        check=check,
        on_drop=take,
        emit=print,
        mode="events",
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run)
        while watcher.scanned_s is None:  # noqa: ASYNC110 - it tells nobody
            await anyio.sleep(0.01)
        await anyio.to_thread.run_sync(fill, place.root / "large")
        began_s = time.perf_counter()
        with anyio.fail_after(120):
            await came.wait()
        took_s = time.perf_counter() - began_s
        tasks.cancel_scope.cancel()
    return took_s


def bench(made: rig.Rig) -> list[rig.Claim]:
    """Measure it."""
    fill(made.folder / "alone")
    began_s = time.perf_counter()
    assert check(made.folder / "alone").ok
    look_s = time.perf_counter() - began_s
    place = open_inbox(made.folder / "inbox", state_dir=made.folder / "state")
    assert isinstance(place, Place)
    late_s = anyio.run(hand_over_s, place) - SETTLE_S
    print(f"      one look at all of it {look_s:.2f} s, past the settle time {late_s:.2f} s")
    return [
        rig.at_most(f"{PHOTOS} photos, past the settle time, in looks", late_s / look_s, 4, "x")
    ]


if __name__ == "__main__":
    rig.main(bench)
