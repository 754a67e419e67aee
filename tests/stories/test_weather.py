"""Bad weather: slow copies, odd folders, other people, full and absent disks, clocks set back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seedream_daemon.durable import lock_file

SETTLE_S = 0.3
T2I = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'
NAMES = ("a.jpg", "b.jpg", "c.jpg")
CLOCK_CACHE_S = 1
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def stall(times: float = 3) -> None:
    """The weather itself: nothing happens for longer than the settle time."""
    time.sleep(times * SETTLE_S)


def photos(count: int) -> dict[str, None]:
    return dict.fromkeys(f"{number:03}.jpg" for number in range(count))


# How a copy goes on: what is written, stall by stall.


def stalled_inside_a_file(drop: Path, content: dict[str, bytes]) -> Iterator[None]:
    (drop / "job.toml").write_text(BULK, encoding="utf-8")
    (drop / "a.jpg").write_bytes(content["a.jpg"])
    for name in ("b.jpg", "c.jpg"):
        half = len(content[name]) // 2
        with (drop / name).open("wb") as file:
            file.write(content[name][:half])
            file.flush()
            yield
            file.write(content[name][half:])


def with_expect(drop: Path, content: dict[str, bytes]) -> Iterator[None]:
    (drop / "job.toml").write_text(BULK + "expect = 3\n", encoding="utf-8")
    for name in NAMES:
        yield
        (drop / name).write_bytes(content[name])


def with_photos_by_name(drop: Path, content: dict[str, bytes]) -> Iterator[None]:
    job = BULK + 'photos = ["a.jpg", "b.jpg", "c.jpg"]\n'
    (drop / "job.toml").write_text(job, encoding="utf-8")
    for name in NAMES:
        yield
        (drop / name).write_bytes(content[name])


def with_the_job_last(drop: Path, content: dict[str, bytes]) -> Iterator[None]:
    for name in NAMES:
        (drop / name).write_bytes(content[name])
        yield
    (drop / "job.toml").write_text(BULK, encoding="utf-8")


def with_half_a_job_first(drop: Path, content: dict[str, bytes]) -> Iterator[None]:
    text = BULK + 'photos = ["a.jpg", "b.jpg", "c.jpg"]\n'
    (drop / "job.toml").write_text(text[:-10], encoding="utf-8")
    for name in NAMES:
        yield
        (drop / name).write_bytes(content[name])
    (drop / "job.toml").write_text(text, encoding="utf-8")


COPIES = (
    stalled_inside_a_file,
    with_expect,
    with_photos_by_name,
    with_the_job_last,
    with_half_a_job_first,
)


def test_slow_copies_with_long_stalls_run_whole_and_once(inbox, job_folder) -> None:
    box = inbox().serve()
    source = job_folder("source", None, dict.fromkeys(NAMES))
    content = {name: (source / name).read_bytes() for name in NAMES}
    under_way = {}
    for copy in COPIES:
        drop = box.path / copy.__name__
        drop.mkdir()
        under_way[copy.__name__] = copy(drop, content)

    while under_way:
        for name, copy in list(under_way.items()):
            if next(copy, "ended") == "ended":
                del under_way[name]
        for name in under_way:
            box.wait(lambda name=name: box.job(name) and box.job(name)["reason"])
        stall()
        assert {job["name"] for job in box.queue()} >= under_way.keys(), "taken before its time"

    for copy in COPIES:
        result = box.result("_done", copy.__name__)
        assert (result["saved"], result["pictures"]) == (3, 3)
    assert len(box.run.sessions()) == len(COPIES)
    assert len(box.service.bill()) == 3 * len(COPIES)


def test_ready_ends_the_wait_for_quiet(inbox, job_folder) -> None:
    box = inbox(SETTLE_SECONDS="600").serve()
    drop = box.drop(job_folder("shoot", BULK, photos(2)))
    box.wait_for_reason("shoot", "2 photos so far")
    stall()
    assert box.run.sessions() == []

    (drop / "READY").touch()

    assert box.result("_done", "shoot")["pictures"] == 2
    assert (box.path / "_done" / "shoot" / "READY").exists()


def test_a_drop_taken_away_while_it_settles_is_forgotten(inbox, job_folder, tmp_path) -> None:
    box = inbox(SETTLE_SECONDS="2").serve()
    box.drop(job_folder("shoot", BULK, photos(2)))
    box.wait(lambda: box.job("shoot"))

    (box.path / "shoot").rename(tmp_path / "elsewhere")

    box.wait(lambda: box.queue() == [])
    assert box.run.sessions() == []
    assert (tmp_path / "elsewhere" / "job.toml").exists()


GRID = 'kind = "grid"\nprompts = ["one", "two", "three"]\nsize = "1024x1024"\ncrop = false\n'


@pytest.mark.parametrize(
    ("job_toml", "names"),
    [
        (BULK, photos(12)),
        # Its photos have been read, and are never looked at again before they are sent.
        pytest.param(GRID, {f"{n}/a.jpg": None for n in range(4)}, marks=pytest.mark.slow),
    ],
)
def test_deleting_a_drop_while_it_runs_cancels_its_job(
    inbox, job_folder, court, job_toml, names
) -> None:
    box = inbox("--latency", "0.5", MAX_PARALLEL="2").serve()
    box.drop(job_folder("shoot", job_toml, names))
    box.wait(lambda: len(box.service.bill()) >= 2)

    shutil.rmtree(box.path / "_running" / "shoot")
    sent = asked(court, box)

    (job,) = box.wait(box.ended_and_put_away)
    (session,) = box.run.sessions()
    assert (job["state"], job["session"]) == ("cancelled", session.name)
    assert "was removed while it ran" in job["reason"]
    # One was perhaps on its way between the look for the folder and the record in the journal.
    assert asked(court, box) <= sent + 1 < 12
    assert job["saved"] == len(box.service.bill())
    court.judge(box.service.bill(), session)
    assert not any((box.path / place / "shoot").exists() for place in ("_done", "_failed"))
    box.drop(job_folder("fox", T2I))
    assert box.result("_done", "fox")["state"] == "done"


def asked(court, box) -> int:
    """How many requests were sent so far."""
    (session,) = box.run.sessions()
    return sum(line["event"] == "sending" for line in court.journal(session))


def test_a_drop_taken_away_while_it_runs_can_be_gone_on_with(inbox, job_folder, tmp_path) -> None:
    box = inbox("--latency", "0.5", MAX_PARALLEL="2").serve()
    box.drop(job_folder("shoot", BULK, photos(8)))
    box.wait(lambda: len(box.service.bill()) >= 2)

    (box.path / "_running" / "shoot").rename(tmp_path / "elsewhere")

    (job,) = box.wait(box.ended_and_put_away)
    assert (job["state"], job["failed"]) == ("cancelled", 0)
    (tmp_path / "elsewhere").rename(box.path / "shoot")
    result = box.result("_done", "shoot")
    assert (result["session"], result["pictures"]) == (job["session"], 8)
    assert len(box.service.bill()) == 8


def test_the_rest_of_a_copy_is_named_and_never_run(inbox, job_folder) -> None:
    box = inbox("--latency", "1").serve()
    box.drop(job_folder("shoot", BULK, {"a.jpg": None}))
    box.wait((box.path / "_running" / "shoot").exists)

    rest = box.path / "shoot"
    rest.mkdir()
    (rest / "b.jpg").write_bytes((box.path / "_running" / "shoot" / "a.jpg").read_bytes())

    said = "looks like the rest of shoot, which has already started"
    box.wait(lambda: any(said in (job["reason"] or "") for job in box.queue()))
    box.result("_done", "shoot")
    stall()
    (job,) = box.queue()
    assert said in job["reason"]
    assert job["session"] is None
    assert len(box.service.bill()) == 1


def test_a_folder_without_a_job_waits_and_says_so(inbox, job_folder) -> None:
    box = inbox().serve()
    drop = box.drop(job_folder("shoot", None, photos(3)))

    job = box.wait_for_reason("shoot", "no job.toml yet, 3 photos so far")
    stall()
    assert box.run.sessions() == []
    (drop / "job.toml").write_text(BULK, encoding="utf-8")

    # It was the same job all the time.
    assert box.result("_done", "shoot")["job_id"] == job["job_id"]


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, 3))
    except OSError:
        pytest.skip("devices cannot be made here")


@pytest.mark.parametrize("make", [make_link, os.mkfifo, make_device])
def test_what_is_no_file_is_refused_by_name(inbox, job_folder, make) -> None:
    box = inbox().serve()
    folder = job_folder("shoot", BULK, {"a.jpg": None})
    odd = box.path / "shoot" / "odd.jpg"
    (box.path / "shoot").mkdir()
    make(odd)
    for name in ("a.jpg", "job.toml"):
        shutil.copy(folder / name, box.path / "shoot" / name)

    result = box.result("_failed", "shoot")

    told = (box.path / "_failed" / "shoot" / "error.txt").read_text(encoding="utf-8")
    assert "odd.jpg" in told
    assert result["saved"] == len(box.service.bill())
    assert os.path.lexists(box.path / "_failed" / "shoot" / "odd.jpg")


def test_a_link_to_a_folder_is_no_drop(inbox, job_folder) -> None:
    box = inbox().serve()

    (box.path / "shoot").symlink_to(job_folder("shoot", T2I))

    box.wait(lambda: box.status()["loose_files"] == ["shoot"])
    stall()
    assert box.run.sessions() == []


def test_junk_is_ignored_in_a_drop_and_named_in_the_inbox(inbox, job_folder) -> None:
    box = inbox().serve()
    folder = job_folder("shoot", BULK, photos(2))
    for number in range(100):
        (folder / f".hidden{number}").write_bytes(b"x")
        (folder / f"~draft{number}.jpg").write_bytes(b"x")
        (folder / f"{number}.jpg.part").write_bytes(b"x")
    for number in range(300):
        (box.path / f"loose {number}.jpg").write_bytes(b"x")

    box.drop(folder)

    assert box.result("_done", "shoot")["pictures"] == 2
    assert len(list((box.path / "_done" / "shoot").iterdir())) == 304
    assert len(box.status()["loose_files"]) == 300
    assert len(list(box.path.glob("loose *.jpg"))) == 300


@pytest.mark.slow
def test_two_services_started_at_once_leave_one(inbox, job_folder) -> None:
    box = inbox()
    processes = [box.run.start("serve", log=box.run.home / f"log{n}") for n in range(2)]

    deadline = time.monotonic() + 30
    while not (ended := [one for one in processes if one.poll() is not None]):
        assert time.monotonic() < deadline

    assert [one.returncode for one in ended] == [3]
    (box.process,) = [one for one in processes if one.poll() is None]
    box.wait(box.answers)
    box.drop(job_folder("fox", T2I))
    assert box.result("_done", "fox")["state"] == "done"


# Other people


class People:
    """A service that is not root, and somebody else of the same group who drops folders."""

    SERVICE, PERSON, GROUP = 61001, 61002, 61003

    def __init__(self, home: Path, box) -> None:
        self.home = home
        home.chmod(0o755)
        box.path = home / "inbox"
        box.run.state = home / "state"
        box.run.outputs = home / "outputs"
        box.run.env |= {
            "HOME": str(home),
            "INBOX_DIR": str(box.path),
            "OUTPUT_BASE_DIR": str(box.run.outputs),
            "STATE_DIR": str(box.run.state),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for folder in (box.path, box.run.outputs, box.run.state):
            folder.mkdir()
            os.chown(folder, self.SERVICE, self.GROUP)
            folder.chmod(0o2770)

    def as_user(self, uid: int) -> tuple[str, ...]:
        ids = (f"--reuid={uid}", f"--regid={uid}", f"--groups={self.GROUP}")
        return ("setpriv", *ids, "--inh-caps=-all")

    def copy(self, source: Path, target: Path, umask: str) -> None:
        command = f"umask {umask}; mkdir {target}; cat > {target}/job.toml"
        job = (source / "job.toml").read_bytes()
        words = [*self.as_user(self.PERSON), "sh", "-ec", command]
        subprocess.run(words, input=job, check=True, cwd="/")


@pytest.fixture
def people(inbox) -> Iterator[tuple[People, object]]:
    if os.geteuid() != 0:
        pytest.skip("only root can become other people")
    home = Path(tempfile.mkdtemp(prefix="people"))
    box = inbox()
    made = People(home, box)
    able = [*made.as_user(made.SERVICE), sys.executable, "-c", "import seedream_daemon.cli.main"]
    if subprocess.run(able, check=False, capture_output=True, cwd="/").returncode != 0:
        pytest.skip("other users cannot read the program here")
    yield made, box
    shutil.rmtree(home)


def test_another_users_drop_waits_until_the_group_may_write_to_it(people, job_folder) -> None:
    made, box = people
    box.run.home.chmod(0o755)
    box.run.home = made.home
    box.serve(before=made.as_user(made.SERVICE))

    made.copy(job_folder("open", T2I), box.path / "open", "002")
    made.copy(job_folder("closed", T2I), box.path / "closed", "022")

    assert box.result("_done", "open")["state"] == "done"
    reason = box.wait_for_reason("closed", "may not write to it")["reason"]
    assert f"belongs to uid {made.PERSON}" in reason
    assert "mode 2755" in reason
    assert "chmod -R g+rwX" in reason
    words = ["chmod", "-R", "g+rwX", str(box.path / "closed")]
    subprocess.run([*made.as_user(made.PERSON), *words], check=True, cwd="/")
    assert box.result("_done", "closed")["state"] == "done"


# Disks


def test_a_drop_on_another_file_system_waits_with_the_reason(island, job_folder) -> None:
    far = island()
    disk = far.box.path / "disk"
    box = far.serve(f"mkdir -p {disk}; mount -t tmpfs none {disk}")
    (far.sees(disk) / "job.toml").write_text(T2I, encoding="utf-8")

    box.wait_for_reason("disk", "lies on another file system than the inbox")

    box.drop(job_folder("fox", T2I))
    assert box.result("_done", "fox")["state"] == "done"
    assert len(box.service.bill()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("left_bytes", [4_500_000, 0])
def test_a_full_disk_pauses_and_goes_on_and_costs_nothing(
    island, job_folder, court, left_bytes
) -> None:
    far = island("--latency", "0.3", MAX_PARALLEL="4", SETTLE_SECONDS="0.1")
    outputs = far.box.run.outputs
    outputs.mkdir()
    box = far.serve(f"mount -t tmpfs -o size=24m none {outputs}")
    box.drop(job_folder("shoot", BULK, photos(24)))
    box.wait(lambda: len(box.service.bill()) >= 4)

    fill_up(far.sees(outputs), left_bytes)
    status = box.wait(lambda: (s := box.status())["state"] == "paused" and s)

    assert "disk" in status["reason"]
    assert [job["state"] for job in status["queue"]] == ["paused"]
    box.wait(lambda: box.status()["in_flight"] == 0 or left_bytes == 0)
    (far.sees(outputs) / "ballast").unlink()
    result = box.result("_done", "shoot")
    assert (result["pictures"], len(box.service.bill())) == (24, 24)
    assert box.status()["state"] == "running"
    (session,) = [path for path in far.sees(outputs).iterdir() if path.is_dir()]
    court.judge(box.service.bill(), session)


def fill_up(folder: Path, left_bytes: int) -> None:
    """Leave so little room on a disk, while others write to it too."""
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while (free := shutil.disk_usage(folder).free - left_bytes) > 0:
                ballast.write(bytes(min(free, 1_000_000)))
        except OSError:
            return


@pytest.mark.slow
def test_with_all_disks_full_it_stops_in_order_and_goes_on_later(island, job_folder) -> None:
    far = island("--latency", "0.3", MAX_PARALLEL="2", SETTLE_SECONDS="0.1")
    disk = far.box.run.home / "disk"
    far.box.path, far.box.run.outputs = disk / "inbox", disk / "outputs"
    far.box.run.env |= {
        "INBOX_DIR": str(far.box.path),
        "OUTPUT_BASE_DIR": str(far.box.run.outputs),
        "STATE_DIR": str(disk / "state"),
    }
    far.box.run.state = disk / "state"
    disk.mkdir()
    keep = far.box.run.home / "keep"
    keep.mkdir()
    box = far.box
    box.answers = lambda: far.sees(box.path / "_running" / ".lock").exists()
    far.serve(f"mount -t tmpfs -o size=16m none {disk}")
    drop = far.sees(box.path) / "shoot"
    shutil.copytree(job_folder("shoot", BULK, photos(8)), drop)
    box.wait(lambda: len(box.service.bill()) >= 2)

    fill_up(far.sees(disk), 0)
    box.wait(lambda: "is full" in box.said() or "nearly full" in box.said())
    (far.sees(disk) / "ballast").unlink()

    done = far.sees(box.path) / "_done" / "shoot" / "result.json"
    box.wait(done.exists)
    assert json.loads(done.read_text(encoding="utf-8"))["pictures"] == 8
    assert len(box.service.bill()) == 8
    fill_up(far.sees(disk), 0)
    assert box.stop() == 0


@pytest.mark.slow
def test_an_inbox_that_goes_away_is_waited_for(island, job_folder, court) -> None:
    far = island("--latency", "0.5", MAX_PARALLEL="2")
    root = far.box.path
    root.mkdir()
    away = far.box.run.home / "away"
    away.mkdir()
    box = far.serve(f"mount --make-rprivate /; mount -t tmpfs none {root}")
    shutil.copytree(job_folder("shoot", BULK, photos(10)), far.sees(root) / "shoot")
    box.wait(lambda: len(box.service.bill()) >= 2)

    far.shell(f"mount --move {root} {away}")

    status = box.wait(lambda: (s := box.status())["state"] == "paused" and s)
    assert "inbox not there" in status["reason"]
    stall(6)
    assert list(far.sees(root).iterdir()) == []
    assert box.status()["queue"][0]["name"] == "shoot"

    far.shell(f"mount --move {away} {root}")
    box.wait((far.sees(root) / "_done" / "shoot" / "result.json").exists)
    (session,) = box.run.sessions()
    assert len(box.service.bill()) == 10
    court.judge(box.service.bill(), session)
    shutil.copytree(job_folder("fox", T2I), far.sees(root) / "fox")
    box.wait((far.sees(root) / "_done" / "fox").exists)


def test_an_inbox_that_comes_back_on_another_device_is_gone_on_with(
    island, job_folder, court
) -> None:
    far = island("--latency", "0.5", MAX_PARALLEL="2")
    root, away = far.box.path, far.box.run.home / "away"
    other = far.box.run.home / "other"
    for folder in (root, away, other):
        folder.mkdir()
    mounts = f"mount --make-rprivate /; mount -t tmpfs none {root}; mount -t tmpfs none {other}"
    box = far.serve(mounts)
    shutil.copytree(job_folder("shoot", BULK, photos(8)), far.sees(root) / "shoot")
    box.wait(lambda: len(box.service.bill()) >= 2)

    far.shell(f"mount --move {root} {away}; cp -a {away}/. {other}/")
    box.wait(lambda: box.status()["state"] == "paused")
    assert list(far.sees(root).iterdir()) == []
    far.shell(f"mount --move {other} {root}")

    box.wait((far.sees(root) / "_done" / "shoot" / "result.json").exists)
    (session,) = box.run.sessions()
    assert len(box.service.bill()) == 8
    court.judge(box.service.bill(), session)
    assert box.status()["state"] == "running"
    assert "mounted anew" in box.said()
    # It hears of what happens there now, and it alone.
    shutil.copytree(job_folder("fox", T2I), far.sees(root) / "fox")
    box.wait((far.sees(root) / "_done" / "fox").exists)
    with pytest.raises(BlockingIOError):
        lock_file(far.sees(root) / "_running" / ".lock")
    lock_file(far.sees(away) / "_running" / ".lock").release()


# Numbers


def count_in(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def crowd(box, count: int) -> tuple[int, int]:
    """Drop so many folders within ten seconds; give the most fds and RSS (in bytes) seen."""
    began = time.monotonic()
    for number in range(count):
        drop = box.path / f"drop {number}"
        drop.mkdir()
        (drop / "job.toml").write_text(T2I, encoding="utf-8")
    assert time.monotonic() - began < 10
    most_fds = most_rss = 0

    def all_done() -> bool:
        nonlocal most_fds, most_rss
        proc = Path(f"/proc/{box.process.pid}")
        most_fds = max(most_fds, count_in(proc / "fd"))
        pages = int((proc / "statm").read_text(encoding="ascii").split()[1])
        most_rss = max(most_rss, pages * os.sysconf("SC_PAGESIZE"))
        time.sleep(0.1)
        return count_in(box.path / "_done") == count

    box.wait(all_done, seconds=600)
    return most_fds, most_rss


def assert_all_done(box, count: int) -> None:
    for number in range(count):
        assert box.result("_done", f"drop {number}")["state"] == "done"
    assert len(box.service.bill()) == count
    assert len(box.run.sessions()) == count
    assert count_in(box.path / "_failed") == 0


@pytest.mark.slow
def test_a_hundred_drops_at_once_all_end_done(inbox) -> None:
    box = inbox().serve()
    crowd(box, 100)
    assert_all_done(box, 100)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_drops_at_once_all_end_done_within_bounds(inbox) -> None:
    box = inbox().serve()
    fds, rss = crowd(box, 1000)
    assert_all_done(box, 1000)
    assert fds < 400
    assert rss < 200_000_000


@pytest.mark.slow
def test_a_stop_with_many_drops_waiting_is_quick(inbox) -> None:
    box = inbox("--latency", "0.2", MAX_PARALLEL="1").serve()
    for number in range(150):
        drop = box.path / f"drop {number}"
        drop.mkdir()
        (drop / "job.toml").write_text(T2I, encoding="utf-8")
    box.wait(lambda: count_in(box.path / "_running") > 100)
    before = len(box.run.sessions())

    assert box.stop() == 0

    assert len(box.run.sessions()) <= before + 64
    assert len(box.run.sessions()) < 150


# Clocks


class Clock:
    """A calendar that the service reads and the test sets back; `env` gives it to a process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.env = {
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": str(CLOCK_CACHE_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_back(self, hours: float) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"-{int(hours * 3600)}\n" if hours else "+0\n", encoding="ascii")
        new.replace(self._file)
        time.sleep(2 * CLOCK_CACHE_S)


@pytest.fixture
def clock(tmp_path) -> Clock:
    if not Path(FAKETIME).exists():
        pytest.skip("faketime is not installed")
    file = tmp_path / "clock"

    made = Clock(file)
    made.set_back(0)
    return made


def same_day_hours() -> float:
    """How far back the clock can go within this day, at most an hour."""
    now = time.localtime()
    return min(1.0, (now.tm_hour * 60 + now.tm_min - 1) / 60)


@pytest.mark.slow
def test_with_the_clock_set_back_budgets_hold_and_drops_run(inbox, job_folder, clock) -> None:
    box = inbox(DAILY_BUDGET_USD="0.06", MAX_PARALLEL="1").serve(**clock.env)
    box.drop(job_folder("first", T2I))
    box.result("_done", "first")

    clock.set_back(same_day_hours())

    box.drop(job_folder("second", T2I))
    assert box.result("_done", "second")["state"] == "done"
    box.drop(job_folder("third", T2I))
    box.wait_for_reason("third", "DAILY_BUDGET_USD")
    assert len(box.service.bill()) == 2


@pytest.mark.slow
def test_with_the_clock_set_back_the_pace_holds(inbox, job_folder, clock) -> None:
    box = inbox(IMAGES_PER_MINUTE="2").serve(**clock.env)
    box.drop(job_folder("first", BULK, photos(2)))
    box.result("_done", "first")

    clock.set_back(1)

    box.drop(job_folder("second", T2I))
    box.wait((box.path / "_running" / "second" / "result.json").exists)
    stall(6)
    assert len(box.service.bill()) == 2
    box.stop(signal.SIGKILL)
    box.serve(**clock.env)
    stall(6)
    assert len(box.service.bill()) == 2


# Deaths


def turned_jpeg() -> bytes:
    import io

    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (9, 99, 200)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


@pytest.mark.slow
def test_a_photo_that_kills_three_times_is_bad_and_the_others_run(inbox, job_folder) -> None:
    box = inbox()
    folder = job_folder("shoot", BULK + "upright = true\n", {"a.jpg": None, "b.jpg": turned_jpeg()})
    box.drop(folder)
    for _ in range(3):
        box.process = box.run.start("serve", log=box.log, SEEDREAM_FAILPOINT="during_prepare")
        assert box.die() == 9

    box.serve(SEEDREAM_FAILPOINT="during_prepare")

    result = box.result("_failed", "shoot")
    assert (result["saved"], result["failed"]) == (1, 1)
    (failure,) = result["failures"]
    assert (failure["shot"], failure["code"]) == ("b.jpg", "bad_photo")
    assert len(box.run.sessions()) == 1


@pytest.mark.slow
def test_deaths_elsewhere_count_against_no_photo(inbox, job_folder) -> None:
    box = inbox()
    folder = job_folder("shoot", BULK + "upright = true\n", {"b.jpg": turned_jpeg()})
    box.drop(folder)
    for _ in range(4):
        box.process = box.run.start(
            "serve", log=box.log, SEEDREAM_FAILPOINT="before_sending_record"
        )
        assert box.die() == 9

    box.serve()

    assert box.result("_done", "shoot")["saved"] == 1
    assert len(box.service.bill()) == 1


# Settings while it runs


@pytest.mark.slow
def test_a_hangup_rereads_parallelism_budget_and_log_level(inbox, job_folder) -> None:
    box = inbox("--latency", "0.5")
    settings = box.run.home / "settings"

    def choose(**values: object) -> None:
        lines = [f"{name}={value}\n" for name, value in values.items()]
        settings.write_text("".join(lines), encoding="utf-8")

    choose(MAX_PARALLEL=1, LOG_LEVEL="error", DAILY_BUDGET_USD=1)
    box.serve("--env", settings)
    box.drop(job_folder("shoot", BULK, photos(40)))
    box.wait(lambda: box.status()["in_flight"] == 1)
    assert "shot_sending" not in box.said()

    choose(MAX_PARALLEL=12, LOG_LEVEL="info", DAILY_BUDGET_USD=0.9)
    box.process.send_signal(signal.SIGHUP)
    box.wait(lambda: box.status()["in_flight"] == 12)
    box.wait(lambda: "shot_sending" in box.said())

    choose(MAX_PARALLEL="many")
    box.process.send_signal(signal.SIGHUP)
    box.wait(lambda: "MAX_PARALLEL" in box.said())

    box.wait_for_reason("shoot", "DAILY_BUDGET_USD")
    assert len(box.service.bill()) == 30
    choose(DAILY_BUDGET_USD=2)
    box.process.send_signal(signal.SIGHUP)
    assert box.result("_done", "shoot")["pictures"] == 40


@pytest.mark.slow
def test_names_that_are_not_text_stop_nobody(inbox, job_folder) -> None:
    box = inbox().serve()
    bad = os.fsdecode(b"caf\xe9")  # as an old disk spells it
    (box.path / f"{bad}.jpg").write_bytes(b"loose")
    for name, job in ((f"{bad} good", T2I), (f"{bad} wrong", 'kind = "t2i"\n')):
        job_folder(name, job).rename(box.path / name)
    told = box.result("_done", f"{bad} good")
    refused = box.result("_failed", f"{bad} wrong")
    box.drop(job_folder("after", T2I))

    assert box.result("_done", "after")["state"] == "done"
    assert (told["state"], refused["state"]) == ("done", "failed")
    assert {row["name"] for row in box.ended()} == {f"{bad} good", f"{bad} wrong", "after"}
    assert box.stop() == 0
    again = box.serve()
    assert len(again.ended()) == 3
    assert box.run("jobs").code == box.run("status").code == 0
