"""Real folders, real processes, real events."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from seedream_daemon.inbox.claim import put_away
from seedream_daemon.inbox.place import MARKER
from seedream_daemon.inbox.watch import Watcher
from seedream_daemon.inbox.whole import check_whole
from seedream_daemon.photos.folder import look

SETTLE_S = 0.4


def check(folder):
    return check_whole(
        folder, look=lambda path, also: look(path, also=also), default_model="seedream-4-0-250828"
    )


class Doorman:
    """Takes what the watcher hands over, and waits for things to come true."""

    def __init__(self, place, **more):
        self.drops = []
        self.warnings = []
        self.when = {}
        settings = {"settle_s": SETTLE_S, "rescan_s": 30.0, "check": check, **more}
        self.watcher = Watcher(place, on_drop=self.take, emit=self.warnings.append, **settings)

    async def take(self, drop):
        self.when[drop.name] = time.monotonic()
        self.drops.append(drop)

    @property
    def names(self):
        return sorted(drop.name for drop in self.drops)

    def reason(self, name):
        return next((one.reason for one in self.watcher.waiting if one.name == name), None)

    async def until(self, claim, within_s=15.0):
        with anyio.fail_after(within_s):
            while not claim():  # noqa: ASYNC110 - a condition of the disk has no event
                await anyio.sleep(0.01)

    async def rounds(self, seconds):
        """Let the watcher look many times: for claims that something does not happen."""
        await anyio.sleep(seconds)


@asynccontextmanager
async def watching(place, **more):
    doorman = Doorman(place, **more)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(doorman.watcher.run)
        await doorman.until(lambda: doorman.watcher.scanned_s is not None)
        yield doorman
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("mode", ["events", "poll"])
async def test_a_copied_drop_is_handed_over_whole(place, fill, mode):
    async with watching(place, mode=mode) as doorman:
        assert doorman.watcher.hears_events is (mode == "events")
        fill(place.root / "shoot", "a.png", "b.png")
        await doorman.until(lambda: doorman.drops)
        (drop,) = doorman.drops
        assert (drop.name, drop.folder, drop.cut_short) == ("shoot", place.running / "shoot", ())
        assert drop.job_id.startswith("j")
        assert len(drop.job_id) == 11
        assert not (place.root / "shoot").exists()
        assert doorman.watcher.waiting == ()


async def test_it_is_handed_over_when_it_has_stood_still_and_not_before(place, fill):
    async with watching(place, settle_s=1.0) as doorman:
        fill(place.root / "shoot", "a.png")
        last_write_s = time.monotonic()
        await doorman.until(lambda: doorman.drops)
        assert doorman.when["shoot"] - last_write_s >= 0.99


async def test_drops_that_lay_there_before_the_start_are_found(place, fill):
    for name in ("b", "a"):
        fill(place.root / name, "a.png")
    async with watching(place) as doorman:
        await doorman.until(lambda: doorman.names == ["a", "b"])


async def test_a_stalled_copy_waits_with_a_reason(place, fill):
    async with watching(place) as doorman:
        fill(
            place.root / "shoot",
            "a.png",
            "b.png",
            "c.png",
            job='kind = "bulk"\nprompt = "x"\nphotos = ["a.png", "d.png"]',
        )
        await doorman.until(lambda: "d.png" in (doorman.reason("shoot") or ""))
        await doorman.rounds(3 * SETTLE_S)
        assert doorman.drops == []
        fill(place.root / "shoot", "a.png", "d.png", job=None)
        await doorman.until(lambda: doorman.drops)


async def test_expected_photos_are_waited_for_longer_than_the_settle_time(place, fill):
    async with watching(place) as doorman:
        fill(place.root / "shoot", "a.png", job='kind = "bulk"\nprompt = "x"\nexpect = 3')
        await doorman.until(
            lambda: doorman.reason("shoot") == "expect says 3 photos, and 1 are there"
        )
        for name in ("b.png", "c.png"):
            await doorman.rounds(2 * SETTLE_S)
            assert doorman.drops == []
            fill(place.root / "shoot", name, job=None)
        await doorman.until(lambda: doorman.drops)


async def test_a_stall_inside_a_file_is_no_end(place, fill):
    async with watching(place) as doorman:
        drop = fill(place.root / "shoot", "a.png", "b.png")
        whole = (drop / "b.png").read_bytes()
        (drop / "b.png").write_bytes(whole[:30])
        await doorman.until(
            lambda: doorman.reason("shoot") == "b.png is cut short, perhaps still arriving"
        )
        await doorman.rounds(2 * SETTLE_S)
        assert doorman.drops == []
        (drop / "b.png").write_bytes(whole)
        await doorman.until(lambda: doorman.drops)
        assert doorman.drops[0].cut_short == ()


async def test_a_file_that_stays_cut_short_is_handed_over_as_such(place, fill):
    async with watching(place, settle_s=0.1) as doorman:
        drop = fill(place.root / "shoot", "a.png", "b.png")
        (drop / "b.png").write_bytes((drop / "b.png").read_bytes()[:30])
        began_s = time.monotonic()
        await doorman.until(lambda: doorman.drops)
        assert doorman.drops[0].cut_short == ("b.png",)
        assert doorman.when["shoot"] - began_s >= 0.9


SLOW_COPY = """
import sys, time
from pathlib import Path
source, target, pause_s = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
target.mkdir()
for path in sorted(source.iterdir()):
    with open(path, "rb") as file, open(target / path.name, "wb", buffering=0) as copy:
        while piece := file.read(25):
            copy.write(piece)
            time.sleep(pause_s)
"""


@pytest.mark.parametrize("last", [True, False], ids=["job.toml last", "job.toml first"])
async def test_a_slow_copy_by_another_process_arrives_whole(place, fill, tmp_path, last):
    source = fill(tmp_path / "source", *(f"{n}.png" for n in range(4)))
    if not last:
        (source / "job.toml").rename(source / "0.toml")
    async with watching(place) as doorman:
        words = [sys.executable, "-c", SLOW_COPY, str(source), str(place.root / "shoot"), "0.12"]
        with subprocess.Popen(words) as copying:  # noqa: ASYNC220 - starting it takes no time
            if not last:
                await doorman.until((place.root / "shoot/0.toml").exists)
                (place.root / "shoot/0.toml").rename(place.root / "shoot/job.toml")
            await doorman.until(lambda: "still growing" in (doorman.reason("shoot") or "") or last)
            await doorman.until(lambda: doorman.drops)
            assert copying.wait(5) == 0
        for path in source.glob("*.png"):
            assert (doorman.drops[0].folder / path.name).read_bytes() == path.read_bytes()


async def test_a_rename_in_from_outside_needs_no_wait(place, fill, tmp_path):
    async with watching(place, settle_s=20.0, mode="events") as doorman:
        fill(tmp_path / "shoot", "a.png").rename(place.root / "shoot")
        await doorman.until(lambda: doorman.drops, within_s=5.0)


async def test_a_drop_moved_back_from_failed_needs_no_wait(place, fill):
    fill(place.failed / "shoot", "a.png")
    async with watching(place, settle_s=20.0, mode="events") as doorman:
        (place.failed / "shoot").rename(place.root / "shoot")
        await doorman.until(lambda: doorman.drops, within_s=5.0)


async def test_a_rename_within_the_inbox_is_waited_out(place, fill):
    async with watching(place, settle_s=1.0, mode="events") as doorman:
        fill(place.root / "New folder", "a.png")
        await doorman.rounds(0.6)
        (place.root / "New folder").rename(place.root / "shoot")
        renamed_s = time.monotonic()
        await doorman.until(lambda: doorman.drops)
        assert doorman.names == ["shoot"]
        assert doorman.when["shoot"] - renamed_s >= 0.9


async def test_polling_believes_no_rename(place, fill, tmp_path):
    async with watching(place, settle_s=1.0, mode="poll") as doorman:
        fill(tmp_path / "shoot", "a.png").rename(place.root / "shoot")
        renamed_s = time.monotonic()
        await doorman.until(lambda: doorman.drops)
        assert doorman.when["shoot"] - renamed_s >= 0.9


async def test_ready_ends_the_wait_in_every_mode(place, fill):
    async with watching(place, settle_s=5.0, mode="poll") as doorman:
        drop = fill(place.root / "shoot", "a.png")
        await doorman.until(lambda: doorman.reason("shoot"))
        (drop / "READY").touch()
        began_s = time.monotonic()
        await doorman.until(lambda: doorman.drops)
        assert doorman.when["shoot"] - began_s < 4.0


async def test_a_drop_moved_out_while_it_settles_is_forgotten(place, fill, tmp_path):
    async with watching(place) as doorman:
        drop = fill(place.root / "shoot", "a.png")
        await doorman.until(lambda: doorman.reason("shoot"))
        drop.rename(tmp_path / "shoot")
        await doorman.until(lambda: doorman.watcher.waiting == ())
        await doorman.rounds(2 * SETTLE_S)
        assert doorman.drops == []


async def test_the_rest_of_a_copy_is_reported_and_never_run(place, fill):
    async with watching(place) as doorman:
        fill(place.root / "shoot", "a.png")
        await doorman.until(lambda: doorman.drops)
        fill(place.root / "shoot", "b.png", job=None)
        await doorman.until(
            lambda: "looks like the rest of shoot" in (doorman.reason("shoot") or "")
        )
        put_away(doorman.drops[0].folder, place.done)
        await doorman.rounds(3 * SETTLE_S)
        assert doorman.names == ["shoot"]
        assert "looks like the rest of shoot" in doorman.reason("shoot")


async def test_a_job_file_may_come_long_after_the_photos(place, fill):
    async with watching(place) as doorman:
        drop = fill(place.root / "shoot", "a.png", job=None)
        await doorman.until(lambda: doorman.reason("shoot") == "no job.toml yet, 1 photo so far")
        await doorman.rounds(3 * SETTLE_S)
        fill(drop)
        await doorman.until(lambda: doorman.drops)


async def test_a_job_file_edited_while_its_drop_waits_is_read_anew(place, fill):
    async with watching(place) as doorman:
        drop = fill(place.root / "shoot", "a.png", job='kind = "bulk"\nprompt = "x"\nexpect = 9')
        await doorman.until(lambda: "expect says 9" in (doorman.reason("shoot") or ""))
        (drop / "job.toml").write_text('kind = "bulk"\nprompt = "x"\nexpect = 1', encoding="utf-8")
        await doorman.until(lambda: doorman.drops)


async def test_junk_and_strangers_in_the_inbox_are_named_and_left_alone(place, fill, tmp_path):
    for number in range(300):
        (place.root / f"junk {number}.bin").touch()
    fill(tmp_path / "elsewhere", "a.png")
    (place.root / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(place.root / "pipe")
    async with watching(place) as doorman:
        fill(place.root / "shoot", "a.png")
        await doorman.until(lambda: doorman.drops)
        assert len(doorman.watcher.loose) == 302
        assert doorman.names == ["shoot"]
    assert len(list(place.root.glob("junk*"))) == 300


async def test_two_drops_of_one_name_run_one_after_the_other(place, fill):
    async with watching(place) as doorman:
        fill(place.root / "shoot", "a.png")
        await doorman.until(lambda: len(doorman.drops) == 1)
        fill(place.root / "shoot", "b.png")
        await doorman.until(lambda: len(doorman.drops) == 2)
        assert [drop.folder.name for drop in doorman.drops] == ["shoot", "shoot (2)"]
        assert len({drop.job_id for drop in doorman.drops}) == 2


async def test_a_writer_that_cannot_stop_is_never_handed_over_half(place, fill):
    """The tree is compared once more after the claim, and the drop goes back if it moved."""
    async with watching(place, settle_s=5.0, mode="poll") as doorman:
        drop = fill(place.root / "shoot", "a.png", job='kind = "t2i"\nprompt = "x"')
        (drop / "READY").touch()
        first = check(drop)
        assert first.ok
        await doorman.until(lambda: doorman.drops)

    calls = []

    def check_and_write(folder):
        calls.append(folder)
        if len(calls) == 1:
            (folder / "late.txt").write_text("more", encoding="utf-8")
        return check(folder)

    async with watching(place, check=check_and_write) as doorman:
        fill(place.root / "second", "a.png")
        await doorman.until(lambda: doorman.drops)
        assert len(calls) == 2
        assert (doorman.drops[0].folder / "late.txt").exists()


async def test_an_inbox_that_goes_away_pauses_and_comes_back(place, fill, tmp_path):
    async with watching(place, rescan_s=0.2) as doorman:
        place.root.rename(tmp_path / "away")
        await doorman.until(lambda: doorman.watcher.paused is not None)
        assert doorman.watcher.paused.startswith("inbox not there")
        place.root.mkdir()
        fill(place.root / "not ours", "a.png")
        await doorman.rounds(3 * SETTLE_S)
        assert doorman.drops == []
        assert sorted(path.name for path in place.root.iterdir()) == ["not ours"]
        shutil.rmtree(place.root)
        (tmp_path / "away").rename(place.root)
        await doorman.until(lambda: doorman.watcher.paused is None)
        fill(place.root / "shoot", "a.png")
        await doorman.until(lambda: doorman.names == ["shoot"])


async def test_a_removed_marker_pauses(place, fill):
    async with watching(place, rescan_s=0.2) as doorman:
        (place.root / MARKER).unlink()
        await doorman.until(lambda: doorman.watcher.paused is not None)
        fill(place.root / "shoot", "a.png")
        await doorman.rounds(2 * SETTLE_S)
        assert doorman.drops == []
        (place.root / MARKER).touch()
        await doorman.until(lambda: doorman.drops)


@pytest.mark.slow
async def test_a_thousand_drops_are_all_handed_over_once(place, fill):
    async with watching(place) as doorman:
        for number in range(1000):
            fill(place.root / f"{number:04}", job='kind = "t2i"\nprompt = "x"')
            if number % 50 == 0:
                await anyio.lowlevel.checkpoint()
        await doorman.until(lambda: len(doorman.drops) == 1000, within_s=45.0)
        assert len(set(doorman.names)) == 1000


WATCHER = """
import sys, anyio
from functools import partial
from pathlib import Path
from seedream_daemon.inbox.place import open_inbox
from seedream_daemon.inbox.settle import Wholeness
from seedream_daemon.inbox.watch import Watcher
from watchdog.observers.inotify_c import InotifyFD

async def main(root, state, mode):
    async def take(drop):
        print("drop", drop.name, flush=True)
    place = open_inbox(Path(root), state_dir=Path(state))
    watcher = Watcher(place, settle_s=0.3, rescan_s=3600.0, mode=mode,
        check=lambda folder: Wholeness(ok=True), on_drop=take, emit=partial(print, flush=True))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watcher.run)
        while watcher.scanned_s is None:
            await anyio.sleep(0.01)
        print("ready", flush=True)

anyio.run(main, *sys.argv[1:])
"""


@pytest.fixture
def watcher_process(place, tmp_path):
    words = [sys.executable, "-c", WATCHER, str(place.root), str(tmp_path / "state"), "events"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def test_events_lost_by_a_stalled_daemon_are_made_up_for(place, fill, watcher_process, tmp_path):
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    if limit > 50_000:
        pytest.skip(f"max_queued_events is {limit}; an overflow would take too long")
    watcher_process.send_signal(signal.SIGSTOP)
    (place.root / "storm.bin").touch()
    for _ in range(limit // 2 + 10):
        (place.root / "storm.bin").rename(place.root / "storm2.bin")
        (place.root / "storm2.bin").rename(place.root / "storm.bin")
    fill(place.root / "shoot", "a.png")  # told to nobody: the queue is full
    watcher_process.send_signal(signal.SIGCONT)
    assert watcher_process.stdout.readline() == "drop shoot\n"


def test_a_killed_watcher_leaves_each_drop_in_one_place(place, fill, watcher_process):
    for number in range(30):
        fill(place.root / f"{number}", "a.png")
    for _ in range(5):
        assert watcher_process.stdout.readline().startswith("drop ")
    watcher_process.kill()
    watcher_process.wait()
    lying = [path.name for folder in (place.root, place.running) for path in folder.iterdir()]
    assert sorted(name for name in lying if name.isdigit()) == sorted(str(n) for n in range(30))


@pytest.fixture
def watcher_without_inotify(place, tmp_path):
    """Words that start a watcher where the kernel gives out no inotify instance."""
    if subprocess.run(["unshare", "-r", "true"], check=False, capture_output=True).returncode:
        pytest.skip("unshare -r does not work here")
    none = 'echo 0 > /proc/sys/user/max_inotify_instances; exec "$@"'
    shell = ("unshare", "-r", "sh", "-ec", none, "sh")
    watcher = (sys.executable, "-c", WATCHER, str(place.root), str(tmp_path / "state"))
    return (*shell, *watcher)


def test_without_inotify_it_polls_with_one_warning(place, fill, watcher_without_inotify):
    words = (*watcher_without_inotify, "auto")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert "the inbox is polled instead" in child.stdout.readline()
            assert child.stdout.readline() == "ready\n"
            fill(place.root / "shoot", "a.png")
            assert child.stdout.readline() == "drop shoot\n"
        finally:
            child.kill()


def test_without_inotify_events_cannot_be_insisted_on(watcher_without_inotify):
    words = (*watcher_without_inotify, "events")
    ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 1
    assert "WATCH=events cannot work" in ended.stderr


async def test_a_sweep_takes_what_is_whole_and_tells_what_waits(place, fill):
    fill(place.root / "whole", "a.png")
    fill(place.root / "expecting", "a.png", job='kind = "bulk"\nprompt = "x"\nexpect = 2')
    fill(place.root / "jobless", "a.png", job=None)
    doorman = Doorman(place)
    with anyio.fail_after(20):
        await doorman.watcher.sweep()
    assert doorman.names == ["whole"]


async def test_a_sweep_of_an_empty_inbox_ends_at_once(place):
    with anyio.fail_after(5):
        await Doorman(place).watcher.sweep()
