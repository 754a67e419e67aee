"""The service is killed at any moment of the whole life of ten drops.

Judged from both sides: the bill of the service, and the folders.
"""

import json
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

T2I = 'kind = "t2i"\nprompt = "a fox {}"\nsize = "1024x1024"\n'
I2I = 'kind = "i2i"\nprompt = "both in one picture {}"\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch {}"\nsize = "1024x1024"\n'
GRID = 'kind = "grid"\nprompts = ["portrait {}", "sketch {}"]\nsize = "1024x1024"\ncrop = false\n'
DROPS = 10
# A drop lives for about so long when nothing kills its service: settling, running, put away.
LIFE_S = 2.5


def sources(job_folder) -> list[Path]:
    made = []
    for number in range(DROPS):
        job, photos = [
            (T2I, []),
            (I2I, ["a.jpg", "b.jpg"]),
            (BULK, [f"{n}.jpg" for n in range(6)]),
            (GRID, ["man/1.jpg", "woman/1.jpg"]),
        ][number % 4]
        made.append(
            job_folder(f"drop {number}", job.replace("{}", str(number)), dict.fromkeys(photos))
        )
    return made


def settled(box, names: list[str]) -> bool:
    ended = [place for place in ("_done", "_failed") for _ in (box.path / place).iterdir()]
    return len(ended) == len(names)


def live_and_die(box, names: list[str], chance: random.Random) -> bool:
    """Let the service live for a random while and kill it; False if all drops had ended."""
    process = box.run.start("serve", log=box.log, MAX_PARALLEL="3")
    # Half of the moments from the very start on, half from when it serves.
    box.process = process
    if chance.random() < 0.5:
        box.wait(box.answers)
    deadline = time.monotonic() + chance.uniform(0, LIFE_S)
    while time.monotonic() < deadline:
        assert process.poll() is None, box.said()
        if settled(box, names):
            break
        time.sleep(0.005)
    box.stop(signal.SIGKILL)
    return not settled(box, names)


def campaign(box, court, folders: list[Path], *, kills: int, seed: int) -> None:
    """Drop ten folders one by one between the kills, kill, let the rest end, and judge."""
    chance = random.Random(seed)
    names = [folder.name for folder in folders]
    left = list(folders)
    box.serve()
    box.stop()
    for killed in range(kills):
        for folder in left[: -(-len(left) // max(1, kills - killed - 2))]:
            shutil.copytree(folder, box.path / folder.name)
            left.remove(folder)
        if not live_and_die(box, names, chance) and not left:
            break
    box.serve()
    box.wait(lambda: settled(box, names), seconds=90)
    box.wait(lambda: box.queue() == [])
    assert box.stop() == 0
    judge_drops(box, court, names)


def judge_drops(box, court, names: list[str]) -> None:
    assert list(box.path.glob("drop *")) == []
    assert list((box.path / "_running").glob("drop *")) == []
    where = Counter(
        path.name for place in ("_done", "_failed") for path in (box.path / place).iterdir()
    )
    assert where == Counter(names), "each drop lies in one place"
    sessions = box.run.sessions()
    court.judge_all(box.service.bill(), sessions)
    used = set()
    for name in names:
        done = (box.path / "_done" / name).exists()
        folder = box.path / ("_done" if done else "_failed") / name
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        used.add(result["session"])
        judge_drop(court, Path(result["session_path"]), result, done=done)
        assert (folder / "error.txt").exists() is not done
    for session in sessions:
        if session.name not in used:
            # Begun by a process that died before the drop knew of it: nothing was sent from it.
            assert not any(line["event"] == "sending" for line in court.journal(session))


def judge_drop(court, session: Path, result: dict, *, done: bool) -> None:
    doubts = Counter(line["shot"] for line in court.journal(session) if line["event"] == "in_doubt")
    assert result["saved"] + len(result["failures"]) == result["shots"]
    assert done == (result["state"] == "done") == (result["failures"] == [])
    for failure in result["failures"]:
        assert failure["code"] == "in_doubt"
        assert doubts[failure["shot"]] == 2, "given up without having asked again"


def test_ten_random_kills_leave_ten_drops_in_order(inbox, job_folder, court) -> None:
    box = inbox("--latency", "0.2")
    campaign(box, court, sources(job_folder), kills=10, seed=11)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(5))
def test_fifty_random_kills_leave_ten_drops_in_order(inbox, job_folder, court, seed) -> None:
    box = inbox("--latency", "0.3")
    campaign(box, court, sources(job_folder), kills=10, seed=seed)


@pytest.mark.parametrize(
    "failpoint",
    [
        "before_job_record",
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in ("after_plan_record", "before_sending_record", "before_end_record")
        ),
    ],
)
def test_a_job_killed_early_keeps_its_id_and_leaves_no_second_session(
    inbox, job_folder, court, failpoint
) -> None:
    box = inbox()
    shutil.copytree(job_folder("fox", T2I.replace("{}", "x")), box.path / "fox")
    box.process = box.run.start("serve", log=box.log, SEEDREAM_FAILPOINT=failpoint)
    assert box.die() == 9
    noted = json.loads((box.path / "_running" / "fox" / "result.json").read_text(encoding="utf-8"))

    box.serve()

    result = box.result("_done", "fox")
    assert result["job_id"] == noted["job_id"]
    with_journal = [path for path in box.run.sessions() if court.journal(path)]
    assert [path.name for path in with_journal] == [result["session"]]
    assert len(box.service.bill()) == 1
