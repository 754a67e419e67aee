"""`demo`: what a new user sees first, on a machine without key and settings."""

import json
import signal
import time
from pathlib import Path

import pytest

GOOD = {"bulk-retouch", "id-photo-grid", "image-edit", "text-to-image"}


def test_the_demo_runs_the_examples_and_refuses_the_broken_one_as_meant(program):
    shop = program("http://127.0.0.1:9/api/v3")
    home = shop.home / "demo"

    shown = shop("demo", home)

    assert shown.code == 0, shown.err
    assert {path.name for path in (home / "inbox" / "_done").iterdir()} == GOOD
    broken = home / "inbox" / "_failed" / "broken-on-purpose"
    assert (broken / "error.txt").read_text(encoding="utf-8").splitlines()[0] in shown.out
    for session in (home / "outputs").iterdir():
        assert str(session) in shown.out
    assert (home / "env.local").is_file()


@pytest.mark.slow
def test_the_demo_gives_a_result_document_for_each_drop(program):
    shop = program("http://127.0.0.1:9/api/v3")

    documents = shop("demo", shop.home / "demo", "--json").json

    assert len(documents) == len(GOOD) + 1
    (refused,) = [one for one in documents if one["state"] != "done"]
    assert refused["session"] is None
    assert {problem["key"] for problem in refused["problems"]} == {"aspekt", "count"}
    assert all(Path(one["session_path"]).is_dir() for one in documents if one is not refused)


@pytest.mark.slow
def test_a_second_demo_in_the_same_folder_leaves_the_first_as_it_is(program):
    shop = program("http://127.0.0.1:9/api/v3")
    home = shop.home / "demo"
    assert shop("demo", home).code == 0
    before = {path: path.stat().st_mtime_ns for path in (home / "outputs").rglob("*.jpg")}

    assert shop("demo", home).code == 0

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (home / "inbox" / "_done" / "text-to-image (2)" / "result.json").is_file()


@pytest.mark.slow
def test_an_interrupted_demo_says_so_and_the_next_one_ends_it(program):
    shop = program("http://127.0.0.1:9/api/v3")
    home = shop.home / "demo"
    first = shop.start("demo", home)
    deadline = time.monotonic() + 30
    while not any((home / "outputs").glob("*/journal-*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=30)
    assert first.returncode == 130, said
    assert "The demo was stopped" in said

    shown = shop("demo", home, "--json")

    assert shown.code == 0, shown.err
    assert {path.name for path in (home / "inbox" / "_done").iterdir()} >= GOOD
    assert json.loads(shown.out)
