"""Killed at any moment and resumed: nothing paid for is lost, nothing is paid for twice unseen.

Judged from both sides: the bill of the service, and the folders.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

T2I = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'

# Where the process dies, and what the service may have billed for one shot when all is over.
FAILPOINTS = {
    "before_sending_record": 1,
    "after_sending_record": 1,
    "before_answer_record": 2,
    "after_answer_record": 1,
    "after_draft": 1,
    "after_link": 1,
    "before_picture_record": 1,
    "after_picture_record": 1,
    "before_saved_record": 1,
    "after_saved_record": 1,
    "before_end_record": 1,
}
ORDINARY = ("after_sending_record", "before_answer_record", "after_answer_record", "after_link")


def run_to_the_end(run, folder: Path, failpoint: str, command: list[str] | None = None) -> Path:
    """Run until the failpoint kills the program, then resume."""
    words = command or [sys.executable, "-m", "seedream_daemon"]
    env = {**run.env, "SEEDREAM_FAILPOINT": failpoint}
    died = subprocess.run(
        [*words, "run", str(folder)],
        env=env,
        cwd=run.home,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert died.returncode == 9, died.stderr.decode()
    (session,) = run.sessions()
    ended = run("resume", session.name)
    assert ended.code == 0, ended.err
    return session


@pytest.mark.parametrize(
    "failpoint",
    [
        *ORDINARY,
        *(pytest.param(one, marks=pytest.mark.slow) for one in FAILPOINTS if one not in ORDINARY),
    ],
)
def test_dying_anywhere_costs_no_picture(emulator, program, job_folder, court, failpoint) -> None:
    service = emulator()
    run = program(service.base_url)

    session = run_to_the_end(run, job_folder("fox", T2I), failpoint)

    assert len(service.bill()) == FAILPOINTS[failpoint]
    assert sorted(path.name for path in session.glob("*.jpg")) == ["01.jpg"]
    court.judge(service.bill(), session)


@pytest.mark.slow
@pytest.mark.parametrize(
    "broken",
    [
        ("url_not_persisted", "after_draft"),
        ("no_record_before_request", "before_answer_record"),
        ("saved_before_rename", "after_picture_record"),
    ],
)
def test_the_judge_sees_each_broken_promise(emulator, program, job_folder, court, broken) -> None:
    service = emulator()
    run = program(service.base_url)
    mutant, failpoint = broken
    command = [sys.executable, str(Path(__file__).with_name("mutants.py")), mutant]
    session = run_to_the_end(run, job_folder("fox", T2I), failpoint, command)

    assert not court.acquits(service.bill(), session, FAILPOINTS[failpoint])


def newest_journal_bytes(session: Path) -> int:
    return sum(path.stat().st_size for path in session.glob("journal-*.jsonl"))


def kill_after(process: subprocess.Popen, run, more_bytes: int) -> bool:
    """Kill the program once its session's journal has grown so much; False if it ended first."""
    deadline = time.monotonic() + 60
    begun = sum(newest_journal_bytes(session) for session in run.sessions())
    while process.poll() is None:
        assert time.monotonic() < deadline
        grown = sum(newest_journal_bytes(session) for session in run.sessions()) - begun
        if grown >= more_bytes:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            return True
    process.communicate()
    return False


def campaign(court, service, run, folder: Path, *, kills: int, seed: int) -> Path:
    """Kill a run and its resumes at random moments, then let it end."""
    chance = random.Random(seed)
    command: tuple = ("run", folder)
    for _ in range(kills):
        process = run.start(*command, MAX_PARALLEL="4")
        if not kill_after(process, run, chance.randrange(200, 6000)):
            break
        if run.sessions():
            command = ("resume", run.sessions()[0].name)
    (session,) = run.sessions()
    ended = run("resume", session.name, "--json")
    assert ended.code in {0, 1}, ended.err
    court.judge(service.bill(), session)
    unsaved = {failure["shot"] for failure in ended.json["failures"]}
    assert ended.json["saved"] + len(unsaved) == ended.json["shots"]
    doubts = Counter(line["shot"] for line in court.journal(session) if line["event"] == "in_doubt")
    assert all(doubts[shot] == 2 for shot in unsaved), "given up without having asked again"
    assert ended.code == (1 if unsaved else 0)
    return session


def shoot(job_folder, name: str) -> Path:
    return job_folder(name, BULK, {f"{number:03}.jpg": None for number in range(80)})


def test_ten_random_kills_lose_nothing(emulator, program, job_folder, court) -> None:
    service = emulator("--latency", "0.05")
    campaign(
        court, service, program(service.base_url), shoot(job_folder, "shoot"), kills=10, seed=7
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fifty_random_kills_lose_nothing(emulator, program, job_folder, court) -> None:
    for seed in range(5):
        service = emulator("--latency", "0.05")
        folder = shoot(job_folder, f"shoot{seed}")
        campaign(court, service, program(service.base_url), folder, kills=10, seed=seed)
