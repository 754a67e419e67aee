import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedream_daemon.errors import ConfigError
from seedream_daemon.spend.book import CapReached, Caps, Reservation
from seedream_daemon.spend.clock import Clock
from seedream_daemon.spend.ledger import Ledger, PaceWait, Reserved

SEOUL = timezone(timedelta(hours=9))


@dataclass
class Hand:
    """A clock whose hands the test moves."""

    wall: datetime = field(default_factory=lambda: datetime(2026, 11, 22, 12, 0, tzinfo=SEOUL))
    up_s: float = 1000.0
    boot_id: str = "boot-1"

    def clock(self):
        return Clock(wall=lambda: self.wall, up_s=lambda: self.up_s, boot_id=self.boot_id)


def wish(request_id, **changes):
    fields = {"job_id": "j1", "shot": "1", "model": "m", "images": 1, "micro_usd": 30_000}
    return Reservation(request_id=request_id, **{**fields, **changes})


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def ledger_of(tmp_path, hand):
    """Make one more process's ledger over the same STATE_DIR."""
    made = []

    def make(*, images_per_minute=0, **more):
        made.append(
            Ledger(tmp_path, images_per_minute=images_per_minute, clock=hand.clock(), **more)
        )
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


async def test_a_reservation_counts_until_its_answer_gives_back_the_rest(ledger_of):
    ledger = ledger_of(daily_budget_micro_usd=150_000)
    assert await ledger.reserve(wish("a", images=5, micro_usd=150_000)) == Reserved(request_id="a")
    assert isinstance(await ledger.reserve(wish("b")), CapReached)
    await ledger.settle("a", images=2, micro_usd=60_000)
    assert isinstance(await ledger.reserve(wish("b")), Reserved)
    today = await ledger.today()
    assert (today.spent, today.left, today.images, today.in_doubt) == (90_000, 60_000, 3, 0)


async def test_what_is_known_to_be_unbilled_is_given_back(ledger_of):
    ledger = ledger_of(images_per_minute=1)
    await ledger.reserve(wish("a"))
    assert isinstance(await ledger.reserve(wish("b")), PaceWait)
    await ledger.release("a")
    assert isinstance(await ledger.reserve(wish("b")), Reserved)
    assert (await ledger.today()).spent == 30_000


async def test_doubt_counts_as_spent_and_may_be_settled_later_by_another_process(ledger_of):
    ledger = ledger_of(daily_budget_micro_usd=30_000)
    await ledger.reserve(wish("a"))
    await ledger.doubt("a")
    assert (await ledger.today()).in_doubt == 30_000
    assert (await ledger.reserve(wish("b"))).which == "day"
    await ledger_of().settle("a", images=0, micro_usd=0)
    assert isinstance(await ledger.reserve(wish("b")), Reserved)


async def test_settling_what_was_never_reserved_writes_nothing(ledger_of, tmp_path):
    ledger = ledger_of()
    await ledger.settle("nobody", images=1, micro_usd=30_000)
    await ledger.release("nobody")
    await ledger.doubt("nobody")
    assert (tmp_path / "ledger/ledger-0001.jsonl").read_bytes() == b""


async def test_two_ledgers_on_one_folder_share_caps_and_pace(ledger_of, hand):
    one, two = (ledger_of(images_per_minute=3, daily_budget_micro_usd=120_000) for _ in range(2))
    for name, ledger in [("a", one), ("b", two), ("c", one)]:
        assert isinstance(await ledger.reserve(wish(name)), Reserved)
    assert await two.reserve(wish("d")) == PaceWait(seconds=61.0)
    assert await two.images_in_window() == 3
    hand.up_s += 61.0
    assert isinstance(await two.reserve(wish("d")), Reserved)
    assert (await one.reserve(wish("e"))).which == "day"


async def test_the_pace_survives_a_restart_of_the_process(ledger_of, hand):
    await ledger_of(images_per_minute=1).reserve(wish("a"))
    hand.up_s += 10.0
    assert await ledger_of(images_per_minute=1).reserve(wish("b")) == PaceWait(seconds=51.0)


async def test_the_pace_survives_a_restart_of_the_machine(ledger_of, hand):
    await ledger_of(images_per_minute=1).reserve(wish("a"))
    hand.boot_id, hand.up_s = "boot-2", 20.0
    assert await ledger_of(images_per_minute=1).reserve(wish("b")) == PaceWait(seconds=41.0)
    hand.up_s = 61.0
    assert isinstance(await ledger_of(images_per_minute=1).reserve(wish("b")), Reserved)
    assert isinstance(await ledger_of(images_per_minute=1).reserve(wish("c")), PaceWait)


async def test_a_clock_set_back_an_hour_lets_nothing_more_through(ledger_of, hand):
    ledger = ledger_of(images_per_minute=1, daily_budget_micro_usd=60_000)
    await ledger.reserve(wish("a"))
    hand.wall -= timedelta(hours=1)
    hand.up_s += 1.0
    assert await ledger.reserve(wish("b")) == PaceWait(seconds=60.0)
    hand.up_s += 60.0
    assert isinstance(await ledger.reserve(wish("b")), Reserved)
    hand.up_s += 61.0
    assert isinstance(await ledger.reserve(wish("c")), CapReached)


async def test_a_new_local_day_has_its_whole_budget(ledger_of, hand):
    ledger = ledger_of(daily_budget_micro_usd=30_000)
    hand.wall = datetime(
        2026, 11, 22, 23, 59, tzinfo=SEOUL
    )  # 14:59 in UTC: the date is the local one
    await ledger.reserve(wish("a"))
    reached = await ledger.reserve(wish("b"))
    assert reached.tomorrow_helps
    hand.wall += timedelta(minutes=2)
    assert isinstance(await ledger.reserve(wish("b")), Reserved)
    assert [day["date"] for day in (await ledger.summary(2))["days"]] == [
        "2026-11-23",
        "2026-11-22",
    ]


async def test_an_unknown_price_is_refused_only_where_a_cap_binds(ledger_of):
    assert isinstance(await ledger_of().reserve(wish("a", micro_usd=None)), Reserved)
    capped = ledger_of(tools_budget_micro_usd=1_000_000)
    assert isinstance(await capped.reserve(wish("b", micro_usd=None)), Reserved)
    with pytest.raises(ConfigError, match="PRICE_PER_IMAGE_USD"):
        await capped.reserve(wish("c", micro_usd=None, origin="tool"))
    with pytest.raises(ConfigError, match="PRICE_PER_IMAGE_USD"):
        await capped.reserve(wish("c", micro_usd=None, job_cap_micro_usd=1))


async def test_other_limits_bind_from_the_next_reservation_on(ledger_of):
    ledger = ledger_of(images_per_minute=1)
    await ledger.reserve(wish("a"))
    ledger.limit(images_per_minute=2, caps=Caps(day=30_000))
    assert (await ledger.reserve(wish("b"))).which == "day"
    ledger.limit(images_per_minute=2, caps=Caps())
    assert isinstance(await ledger.reserve(wish("b")), Reserved)


async def test_torn_and_foreign_lines_are_skipped_and_written_behind(ledger_of, tmp_path):
    await ledger_of().reserve(wish("a"))
    path = tmp_path / "ledger/ledger-0001.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"not ours\n" + whole + whole[:40])
    ledger = ledger_of()
    assert (await ledger.today()).spent == 30_000
    await ledger.reserve(wish("b"))
    assert (await ledger_of().today()).spent == 60_000
    assert path.read_bytes().startswith(b"not ours\n" + whole + whole[:40] + b"\n")


async def test_a_line_that_lacks_only_its_end_means_the_same_to_everybody(ledger_of, tmp_path):
    await ledger_of().reserve(wish("a"))
    path = tmp_path / "ledger/ledger-0001.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    healer = ledger_of()
    await healer.reserve(wish("b"))
    assert (await healer.today()).spent == (await ledger_of().today()).spent == 60_000


async def test_full_files_are_closed_and_added_up(ledger_of, tmp_path, hand):
    old = ledger_of(images_per_minute=50)
    small = ledger_of(images_per_minute=50, segment_bytes=2000)
    for number in range(20):
        await small.reserve(wish(f"r{number}", job_id=f"j{number % 2}"))
        await small.settle(f"r{number}", images=1, micro_usd=20_000)
    await small.reserve(wish("open"))
    folder = tmp_path / "ledger"
    assert len(list(folder.glob("ledger-*.jsonl"))) > 3
    expected = await small.summary(1)
    assert await old.summary(1) == expected
    fresh = ledger_of(images_per_minute=50)
    assert await fresh.summary(1) == expected
    assert await fresh.images_in_window() == 21
    assert await fresh.spent_by_job("j1") == 10 * 20_000 + 30_000
    for spoiled in (b"", b"{}", (folder / "checkpoint.json").read_bytes()[:-9]):
        (folder / "checkpoint.json").write_bytes(spoiled)
        assert await ledger_of().summary(1) == expected
    (folder / "checkpoint.json").unlink()
    assert await ledger_of().summary(1) == expected


async def test_a_start_reads_only_what_follows_the_checkpoint(ledger_of, tmp_path):
    small = ledger_of(segment_bytes=2000)
    for number in range(20):
        await small.reserve(wish(f"r{number}"))
    for path in sorted((tmp_path / "ledger").glob("ledger-*.jsonl"))[:-1]:
        path.unlink()
    assert (await ledger_of().today()).spent == 20 * 30_000


async def test_the_cancelled_are_told_nothing_and_leave_nothing_half_done(ledger_of):
    ledger = ledger_of()
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(ledger.reserve, wish(f"r{number}"))
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert (await ledger.today()).spent % 30_000 == 0
    assert isinstance(await ledger.reserve(wish("after")), Reserved)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
async def test_what_cannot_be_written_is_not_reserved(ledger_of, tmp_path):
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger/ledger-0001.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        await ledger_of().reserve(wish("a"))
    (tmp_path / "ledger/ledger-0001.jsonl").unlink()
    assert (await ledger_of().today()).spent == 0


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    asks=st.lists(
        st.tuples(st.integers(1, 15), st.integers(0, 2), st.booleans()), min_size=1, max_size=40
    ),
    day_cap=st.integers(1, 60),
    job_cap=st.integers(1, 30),
)
def test_many_at_once_never_pass_a_cap_or_the_rate(tmp_path_factory, asks, day_cap, job_cap):
    folder, hand = tmp_path_factory.mktemp("state"), Hand()
    caps = {"daily_budget_micro_usd": day_cap * 10_000, "job_budget_micro_usd": job_cap * 10_000}
    ledgers = [Ledger(folder, images_per_minute=40, clock=hand.clock(), **caps) for _ in range(2)]
    taken: list[tuple[int, int]] = []

    async def ask(number, images, job, billed):
        ledger = ledgers[number % 2]
        name = f"r{number}"
        got = await ledger.reserve(
            wish(name, job_id=f"j{job}", images=images, micro_usd=images * 10_000)
        )
        if isinstance(got, Reserved):
            taken.append((images, job))
            if billed:
                await ledger.settle(name, images=images, micro_usd=images * 10_000)

    async def all_at_once():
        async with anyio.create_task_group() as tasks:
            for number, one in enumerate(asks):
                tasks.start_soon(ask, number, *one)

    anyio.run(all_at_once)
    assert sum(images for images, _ in taken) <= min(day_cap, 40)
    assert all(sum(i for i, j in taken if j == job) <= job_cap for job in range(3))
    for ledger in ledgers:
        ledger.close()


SPENDER = """
import sys, anyio
from pathlib import Path
from seedream_daemon.spend.book import Reservation
from seedream_daemon.spend.ledger import Ledger, Reserved

async def main(state, name, rate, cap, settle, segment):
    ledger = Ledger(Path(state), images_per_minute=int(rate), daily_budget_micro_usd=int(cap),
        segment_bytes=int(segment))
    number = 0
    while True:
        number += 1
        wish = Reservation(request_id=f"{name}-{number}", job_id="j", shot="1", model="m", images=1, micro_usd=1)
        got = await ledger.reserve(wish)
        if not isinstance(got, Reserved):
            break
        print(wish.request_id, flush=True)
        if settle == "settle":
            await ledger.settle(wish.request_id, images=1, micro_usd=1)
    print("end", type(got).__name__, flush=True)

anyio.run(main, *sys.argv[1:])
"""


def spender(state, name, *, rate=0, cap=10**9, settle="settle", segment=10**6):
    settings = [str(word) for word in (state, name, rate, cap, settle, segment)]
    words = [sys.executable, "-c", SPENDER, *settings]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_two_processes_share_the_last_cent(tmp_path):
    both = [spender(tmp_path, name, cap=60, settle="settle") for name in ("a", "b")]
    told = [process.communicate(timeout=30)[0].splitlines() for process in both]
    assert [lines[-1] for lines in told] == ["end CapReached"] * 2
    assert sum(len(lines) - 1 for lines in told) == 60


def test_two_processes_share_the_pace(tmp_path):
    both = [spender(tmp_path, name, rate=50) for name in ("a", "b")]
    told = [process.communicate(timeout=30)[0].splitlines() for process in both]
    assert [lines[-1] for lines in told] == ["end PaceWait"] * 2
    assert sum(len(lines) - 1 for lines in told) == 50


@pytest.mark.parametrize("round_", range(5))
def test_a_kill_loses_no_reservation_that_was_told(tmp_path, round_):
    children = [spender(tmp_path, f"k{number}", settle="keep") for number in range(2)]
    told = [child.stdout.readline().strip() for child in children for _ in range(15 + 7 * round_)]
    for child in children:
        child.send_signal(signal.SIGKILL)
    for child in children:
        told += child.stdout.read().split("\n")[:-1]
        child.stdout.close()
        child.wait(timeout=10)
    text = (tmp_path / "ledger/ledger-0001.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.endswith('"}')]
    assert {line["request_id"] for line in lines} >= set(told)

    async def look():
        ledger = Ledger(tmp_path, images_per_minute=0)
        today = await ledger.today()
        assert isinstance(await ledger.reserve(wish("after")), Reserved)
        ledger.close()
        return today

    today = anyio.run(look)
    # Nobody lives to settle them: they count as spent, and are named as in doubt.
    assert today.spent == today.in_doubt == len(lines)
    assert len(told) <= today.spent <= len(told) + len(children)


@pytest.mark.slow
def test_kills_between_full_files_lose_nothing_and_count_nothing_twice(tmp_path):
    told = []
    for number in range(8):
        with spender(tmp_path, f"s{number}", settle="keep", segment=900) as child:
            told += [child.stdout.readline().strip() for _ in range(3 + number)]
            child.kill()
            told += child.stdout.read().split("\n")[:-1]
    folder = tmp_path / "ledger"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.jsonl"))
    written = [json.loads(line)["request_id"] for line in text.splitlines() if line.endswith('"}')]
    assert len(written) == len(set(written))
    assert set(told) <= set(written)

    async def spent():
        ledger = Ledger(tmp_path, images_per_minute=0)
        today = await ledger.today()
        ledger.close()
        return today.spent

    assert anyio.run(spent) == len(written)
    (folder / "checkpoint.json").unlink()
    assert anyio.run(spent) == len(written)
