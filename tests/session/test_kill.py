import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from seedream_daemon.session.history import History
from seedream_daemon.session.recall import recall
from seedream_daemon.session.shot_facts import ShotState

CHILD = Path(__file__).parent / "child.py"
POINTS = [
    "before_sending_record",
    "after_sending_record",
    "before_answer_record",
    "after_answer_record",
    "after_draft",
    "after_link",
    "after_picture_record",
    "after_saved_record",
]


class Told:
    """What a child said that it had been promised, over all its lives."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self.where = folder / "outputs"
        self.picture = folder / "picture.jpg"
        self.picture.write_bytes(content)
        self.steps: set[tuple[str, str]] = set()

    def live(
        self, *, lines: int | None = None, failpoint: str | None = None, shots: int = 40
    ) -> int:
        """Run the child, killed after so many lines; its exit status."""
        environment = {**os.environ, **({"SEEDREAM_FAILPOINT": failpoint} if failpoint else {})}
        command = [sys.executable, str(CHILD), str(self.where), str(shots), str(self.picture)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8"
        ) as child:
            for number, line in enumerate(child.stdout, start=1):
                if number == lines:
                    child.kill()
                self.take(line)
        return child.returncode

    def take(self, line: str) -> None:
        words = line.split(maxsplit=1)
        if line.startswith("session"):
            self.where = Path(words[1].strip())
        elif line.endswith("\n"):
            self.steps.add((words[0], line.split()[1] if len(line.split()) > 1 else ""))

    def judge(self) -> History:
        """Nothing promised is missing, nothing is torn, every named picture is whole."""
        recalled = recall(self.where)
        assert not recalled.bad_lines
        assert not recalled.history.problems
        shots = recalled.history.shots
        for step, shot in self.steps:
            match step:
                case "sending":
                    assert shots[shot].attempts >= 1
                case "answer":
                    assert shots[shot].state in (ShotState.ANSWERED, ShotState.SAVED)
                case "picture" | "saved":
                    assert shots[shot].state is ShotState.SAVED
        for path in self.where.glob("*.jpg"):
            assert path.read_bytes() == self.picture.read_bytes()
        view = next(iter(self.where.glob("metadata.json")), None)
        assert view is None or json.loads(view.read_bytes())
        return recalled.history


@pytest.fixture
def told(tmp_path, picture):
    return Told(tmp_path, picture(5, sides=(64, 64)))


def test_after_ten_kills_every_acknowledged_record_is_there(told):
    chance = random.Random(20250912)
    told.live(lines=2)
    for _ in range(9):
        told.live(lines=chance.randint(2, 30))
        told.judge()
    assert told.live() == 0
    history = told.judge()
    assert history.counts().saved == 40
    assert sorted(p.name for p in told.where.glob("*.jpg")) == sorted(
        f"{n}.jpg" for n in range(1, 41)
    )
    assert max(shot.attempts - shot.doubts for shot in history.shots.values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_any_named_step_loses_nothing_and_repeats_no_answered_request(told, point):
    assert told.live(failpoint=f"{point}:2", shots=4) == 9
    told.judge()
    assert told.live(shots=4) == 0
    history = told.judge()
    assert history.counts().saved == 4
    assert all(shot.attempts == 1 + shot.doubts for shot in history.shots.values())
    in_flight = point in ("after_sending_record", "before_answer_record")
    assert any(shot.doubts for shot in history.shots.values()) or not in_flight
    assert not list(told.where.glob(".seedream-draft-*"))
    assert len(list(told.where.glob("*.jpg"))) == 4


@pytest.mark.slow
def test_after_fifty_kills_every_acknowledged_record_is_there(told):
    chance = random.Random(7)
    told.live(lines=2, shots=300)
    for _ in range(50):
        told.live(lines=chance.randint(2, 40), shots=300)
        told.judge()
    assert told.live(shots=300) == 0
    assert told.judge().counts().saved == 300
