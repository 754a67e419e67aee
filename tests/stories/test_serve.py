"""The service: folders are dropped, taken, run and put away."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from seedream_daemon.daemon.control import ask_daemon

T2I = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'


def test_a_dropped_folder_becomes_pictures_and_is_put_away(inbox, job_folder) -> None:
    box = inbox().serve()

    box.drop(job_folder("shoot", BULK, dict.fromkeys(["a.jpg", "b.jpg"])))

    result = box.result("_done", "shoot")
    assert (result["state"], result["saved"], result["pictures"]) == ("done", 2, 2)
    session = Path(result["session_path"])
    assert sorted(path.name for path in session.glob("*.jpg")) == ["a.jpg", "b.jpg"]
    assert sorted(path.name for path in (box.path / "_done" / "shoot").iterdir()) == [
        "a.jpg",
        "b.jpg",
        "job.toml",
        "result.json",
    ]
    (job,) = box.run("jobs", "--json").json["jobs"]
    assert (job["job_id"], job["state"]) == (result["job_id"], "done")
    assert box.stop() == 0


def test_what_lies_in_the_inbox_at_the_start_is_taken(inbox, job_folder) -> None:
    box = inbox()
    box.drop(job_folder("fox", T2I))

    box.serve()

    assert box.result("_done", "fox")["state"] == "done"


def test_a_broken_job_is_refused_with_every_mistake(inbox, job_folder) -> None:
    box = inbox().serve()

    box.drop(job_folder("bad", 'kind = "t2i"\npromt = "a fox"\nsize = "10x10"\n'))

    result = box.result("_failed", "bad")
    assert (result["state"], result["session"]) == ("failed", None)
    assert any(problem["key"] == "promt" for problem in result["problems"])
    text = (box.path / "_failed" / "bad" / "error.txt").read_text(encoding="utf-8")
    assert 'did you mean "prompt"' in text
    assert box.service.bill() == []


def test_a_failed_drop_moved_back_asks_only_for_what_is_missing(inbox, job_folder) -> None:
    faults = '[[fault]]\nfault = "moderation"\nmatch = {nth = 2}\n'
    box = inbox(faults=faults, MAX_PARALLEL="1").serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(["a.jpg", "b.jpg", "c.jpg"])))
    first = box.result("_failed", "shoot")
    assert (first["saved"], first["failed"]) == (2, 1)
    failed = box.path / "_failed" / "shoot"
    assert "2 of 3 pictures are in" in (failed / "error.txt").read_text(encoding="utf-8")

    # Refused for its content: asked again only once it changed.
    photo = failed / first["failures"][0]["shot"]
    photo.write_bytes(photo.read_bytes() + b"\0")
    failed.rename(box.path / "shoot")

    second = box.result("_done", "shoot")
    assert second["session"] == first["session"]
    assert second["job_id"] == first["job_id"]
    assert len(box.service.bill()) == 3
    assert not (box.path / "_done" / "shoot" / "error.txt").exists()


def test_refused_content_that_did_not_change_is_not_asked_again(inbox, job_folder) -> None:
    faults = '[[fault]]\nfault = "moderation"\nmatch = {nth = 1}\n'
    box = inbox(faults=faults).serve()
    box.drop(job_folder("fox", T2I))
    box.result("_failed", "fox")
    shutil.move(box.path / "_failed" / "fox", box.path / "fox")
    box.wait(lambda: not (box.path / "fox").exists())

    box.result("_failed", "fox")

    assert box.service.bill() == []


@pytest.mark.parametrize(
    ("ambiguous", "fault", "state"),
    [
        ("hold", "reset", "in_doubt"),
        pytest.param("retry", "reset", "in_doubt", marks=pytest.mark.slow),
        pytest.param("hold", "expired_url", "lost", marks=pytest.mark.slow),
        pytest.param("retry", "expired_url", "lost", marks=pytest.mark.slow),
    ],
)
def test_what_may_be_paid_for_is_only_asked_again_by_the_retry_that_error_txt_tells(
    inbox, job_folder, ambiguous, fault, state
) -> None:
    times = 1 if ambiguous == "hold" else 2
    faults = f'[[fault]]\nfault = "{fault}"\ntimes = {times}\n'
    box = inbox(faults=faults, AMBIGUOUS=ambiguous).serve()
    box.drop(job_folder("fox", T2I))
    assert box.result("_failed", "fox")[state] == 1
    told = (box.path / "_failed" / "fox" / "error.txt").read_text(encoding="utf-8")
    asked = len(box.service.bill())

    shutil.move(box.path / "_failed" / "fox", box.path / "fox")
    box.wait(lambda: not (box.path / "fox").exists())
    result = box.result("_failed", "fox")

    assert "ask only for what is missing" not in told
    assert "may pay for it a second time" in told
    assert len(box.service.bill()) == asked == times
    command = told.splitlines()[-1].partition("seedream-daemon ")[2]
    assert command == f"retry {result['session']}"
    assert box.run(*command.split()).code == 0
    assert len(box.service.bill()) == asked + 1
    assert box.result("_done", "fox")["saved"] == 1


def test_a_drop_over_its_cap_is_told_so_in_paragraphs(inbox, job_folder) -> None:
    box = inbox().serve()

    box.drop(job_folder("shoot", BULK + "max_cost_usd = 0.03\n", {"a.jpg": None, "b.jpg": None}))

    result = box.result("_failed", "shoot")
    told = (box.path / "_failed" / "shoot" / "error.txt").read_text(encoding="utf-8")
    saved, reason, cure = told.removesuffix("\n").split("\n\n")
    assert saved == f"1 of 2 pictures are in {result['session_path']}"
    assert reason == result["reason"]
    assert cure == "Move the folder back into the inbox to ask only for what is missing."


def test_a_changed_plan_takes_over_what_it_still_asks_for(inbox, job_folder) -> None:
    box = inbox().serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(["a.jpg", "b.jpg"])))
    first = box.result("_done", "shoot")
    done = box.path / "_done" / "shoot"
    (done / "c.jpg").write_bytes((done / "a.jpg").read_bytes() + b"\0")
    done.rename(box.path / "shoot")
    box.wait((box.path / "_done" / "shoot" / "c.jpg").exists)

    second = box.result("_done", "shoot")

    assert second["session"] != first["session"]
    assert second["adopted_from"] == first["session"]
    assert second["pictures"] == 3
    assert second["cost_usd"] == 0.03
    assert len(box.service.bill()) == 3
    old, new = Path(first["session_path"]), Path(second["session_path"])
    assert (old / "a.jpg").samefile(new / "a.jpg")


def test_a_done_drop_moved_back_costs_nothing(inbox, job_folder) -> None:
    box = inbox().serve()
    box.drop(job_folder("fox", T2I))
    first = box.result("_done", "fox")
    (box.path / "_done" / "fox").rename(box.path / "again")

    second = box.result("_done", "again")

    assert second["session"] == first["session"]
    assert len(box.service.bill()) == 1


def test_a_foreign_result_is_not_believed(inbox, job_folder) -> None:
    box = inbox().serve()
    box.drop(job_folder("fox", T2I))
    real = box.result("_done", "fox")
    other = job_folder("other", T2I)
    claim = {**real, "job_id": "j000000000a"}
    (other / "result.json").write_text(json.dumps(claim), encoding="utf-8")

    box.drop(other)

    assert box.result("_done", "other")["state"] == "done"
    assert len(box.service.bill()) == 2


def test_a_name_that_is_taken_gets_a_number(inbox, job_folder) -> None:
    box = inbox().serve()
    folder = job_folder("fox", T2I)
    box.drop(folder)
    box.result("_done", "fox")

    box.drop(folder)

    assert box.result("_done", "fox (2)")["state"] == "done"


@pytest.mark.slow
def test_cancel_sends_nothing_more_and_keeps_what_is_paid_for(inbox, job_folder) -> None:
    box = inbox("--latency", "0.5", MAX_PARALLEL="2").serve()
    photos = dict.fromkeys(f"{number}.jpg" for number in range(16))
    box.drop(job_folder("shoot", BULK, photos))
    job = box.wait(lambda: next((j for j in box.queue() if (j["saved"] or 0) >= 2), None))

    assert box.run("cancel", job["job_id"]).code == 0

    result = box.result("_failed", "shoot")
    assert result["state"] == "cancelled"
    assert result["pictures"] == len(box.service.bill()) < 16
    assert box.run("retry", result["session"], "--json").json["state"] == "done"
    assert len(box.service.bill()) == 16


def test_a_cancel_that_was_answered_outlives_a_kill(inbox, job_folder, court) -> None:
    box = inbox("--latency", "1", MAX_PARALLEL="2").serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(8))))
    box.wait(lambda: len(box.service.bill()) >= 4)
    job = box.job("shoot")

    ask_daemon(box.run.state, {"do": "cancel", "job_id": job["job_id"]})
    box.stop(signal.SIGKILL)
    asked = len(box.service.bill())
    box.serve()

    result = box.result("_failed", "shoot")
    (session,) = box.run.sessions()
    assert (result["state"], result["job_id"]) == ("cancelled", job["job_id"])
    assert result["session"] == session.name
    assert 2 <= result["pictures"] <= asked
    assert len(box.service.bill()) == asked < 8
    court.judge(box.service.bill(), session)
    box.wait(lambda: box.queue() == [])
    # It holds for that run only: the folder may be moved back.
    (box.path / "_failed" / "shoot").rename(box.path / "shoot")
    box.stop(signal.SIGKILL)
    box.serve()
    assert box.result("_done", "shoot")["session"] == session.name


@pytest.mark.slow
def test_a_cancelled_drop_that_never_began_is_not_begun_after_a_kill(inbox, job_folder) -> None:
    box = inbox().serve()
    box.drop(job_folder("shoot", BULK + "expect = 9\n", {"a.jpg": None}))
    job = box.wait_for_reason("shoot", "expect")
    full = box.run.state / "cancelled-drops.json"

    ask_daemon(box.run.state, {"do": "cancel", "job_id": job["job_id"]})
    box.stop(signal.SIGKILL)
    box.serve()

    assert box.result("_failed", "shoot")["state"] == "cancelled"
    assert box.service.bill() == []
    box.wait(lambda: json.loads(full.read_text(encoding="ascii")) == {"cancelled": []})


@pytest.mark.slow
def test_what_is_paid_for_is_fetched_after_a_cancel_and_a_kill(inbox, job_folder, court) -> None:
    box = inbox(MAX_PARALLEL="1")
    box.drop(job_folder("shoot", BULK, dict.fromkeys(["a.jpg", "b.jpg"])))
    # Dies with the first picture paid for and not on the disk.
    box.process = box.run.start("serve", log=box.log, SEEDREAM_FAILPOINT="before_picture_record")
    assert box.die() == 9
    paid = len(box.service.bill())
    drop = box.path / "_running" / "shoot"
    note = json.dumps({"cancelled": [str(drop)]})
    (box.run.state / "cancelled-drops.json").write_text(note, encoding="ascii")

    box.serve()

    result = box.result("_failed", "shoot")
    assert (result["state"], result["pictures"]) == ("cancelled", 1)
    assert len(box.service.bill()) == paid < 3
    (session,) = box.run.sessions()
    court.judge(box.service.bill(), session)


def test_a_drop_moved_back_and_cancelled_keeps_its_session(inbox, job_folder) -> None:
    faults = '[[fault]]\nfault = "moderation"\nmatch = {nth = 2}\n'
    box = inbox(faults=faults, MAX_PARALLEL="1").serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(["a.jpg", "b.jpg"])))
    first = box.result("_failed", "shoot")
    box.wait(lambda: box.queue() == [])
    failed = box.path / "_failed" / "shoot"
    job = (failed / "job.toml").read_text(encoding="utf-8")
    (failed / "job.toml").write_text(job + "expect = 9\n", encoding="utf-8")
    failed.rename(box.path / "shoot")
    waiting = box.wait_for_reason("shoot", "expect")

    ask_daemon(box.run.state, {"do": "cancel", "job_id": waiting["job_id"]})

    second = box.result("_failed", "shoot")
    assert second["state"] == "cancelled"
    assert (second["session"], second["saved"]) == (first["session"], first["saved"])


@pytest.mark.slow
def test_a_stopped_service_goes_on_where_it_was(inbox, job_folder) -> None:
    box = inbox("--latency", "0.3", MAX_PARALLEL="2").serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(12))))
    box.wait(lambda: len(box.service.bill()) >= 3)

    assert box.stop() == 0
    assert (box.path / "_running" / "shoot").is_dir()
    box.serve()

    result = box.result("_done", "shoot")
    assert result["pictures"] == 12
    assert len(box.service.bill()) == 12
    assert result["images_billed"] == 12


def test_a_killed_service_goes_on_where_it_was(inbox, job_folder) -> None:
    box = inbox("--latency", "0.3", MAX_PARALLEL="2").serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(12))))
    box.wait(lambda: len(box.service.bill()) >= 3)

    box.stop(signal.SIGKILL)
    box.serve()

    result = box.result("_done", "shoot")
    assert result["pictures"] == 12
    assert 12 <= len(box.service.bill()) <= 14
    assert len(list(box.run.outputs.iterdir())) == 1


@pytest.mark.slow
def test_a_second_service_on_one_inbox_is_refused(inbox) -> None:
    box = inbox().serve()

    refused = box.run("serve")

    assert refused.code == 3
    assert str(box.process.pid) in refused.err


def test_once_runs_what_is_there_and_answers_how_it_went(inbox, job_folder) -> None:
    box = inbox()
    box.drop(job_folder("fox", T2I))
    assert box.run("serve", "--once").code == 0
    box.drop(job_folder("bad", "kind = 3\n"))

    assert box.run("serve", "--once").code == 1

    assert (box.path / "_done" / "fox").is_dir()
    assert (box.path / "_failed" / "bad").is_dir()


def test_once_and_on_demand_exclude_each_other(inbox) -> None:
    box = inbox()

    refused = box.run("serve", "--once", "--on-demand")

    assert (refused.code, refused.out) == (2, "")
    assert "leave out one" in refused.err
    assert not box.run.state.exists()


@pytest.mark.slow
def test_a_refused_account_pauses_the_queue_and_says_so(inbox, job_folder, emulator) -> None:
    faults = '[[fault]]\nfault = "SetLimitExceeded"\n'
    box = inbox(faults=faults).serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(5))))

    status = box.wait(lambda: (s := box.run("status", "--json").json)["state"] == "paused" and s)

    assert "Safe Experience" in status["reason"]
    assert [job["state"] for job in status["queue"]] == ["paused"]
    assert box.stop() == 0
    assert box.service.bill() == []
    assert (box.path / "_running" / "shoot").is_dir()
    box.serve(ARK_BASE_URL=emulator().base_url)
    assert box.result("_done", "shoot")["pictures"] == 5


def test_the_cap_of_the_day_pauses_jobs_and_a_higher_one_lets_them_go_on(inbox, job_folder) -> None:
    box = inbox(DAILY_BUDGET_USD="0.06").serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(4))))
    job = box.wait(lambda: next((j for j in box.queue() if j["state"] == "paused"), None))

    assert "DAILY_BUDGET_USD" in job["reason"]
    assert len(box.service.bill()) == 2
    assert box.stop() == 0
    box.serve(DAILY_BUDGET_USD="1")
    assert box.result("_done", "shoot")["pictures"] == 4
    assert len(box.service.bill()) == 4


def test_with_nothing_in_flight_the_end_is_quick(inbox) -> None:
    box = inbox().serve()
    began = time.monotonic()

    assert box.stop() == 0

    assert time.monotonic() - began < 2


def test_a_waiting_drop_can_be_cancelled(inbox, job_folder) -> None:
    box = inbox().serve()
    box.drop(job_folder("shoot", BULK + "expect = 9\n", {"a.jpg": None}))
    job = box.wait(lambda: next((j for j in box.queue() if "expect" in (j["reason"] or "")), None))

    assert box.run("cancel", job["job_id"]).code == 0

    assert box.result("_failed", "shoot")["state"] == "cancelled"
    assert box.service.bill() == []


@pytest.mark.slow
def test_a_drop_that_is_finished_by_hand_moves_to_done(inbox, job_folder) -> None:
    faults = '[[fault]]\nfault = "moderation"\nmatch = {nth = 1}\n'
    box = inbox(faults=faults).serve()
    box.drop(job_folder("shoot", BULK, dict.fromkeys(["a.jpg", "b.jpg"])))
    failed = box.result("_failed", "shoot")

    assert box.run("retry", failed["session"]).code == 0

    assert box.result("_done", "shoot")["state"] == "done"
    assert not (box.path / "_done" / "shoot" / "error.txt").exists()
    assert not (box.path / "_failed" / "shoot").exists()


@pytest.mark.slow
def test_a_service_that_waits_for_its_inbox_ends_at_a_signal(inbox) -> None:
    box = inbox().serve()
    assert box.stop() == 0
    shutil.rmtree(box.path)

    process = box.run.start("serve")
    assert "inbox" in process.stderr.readline() + process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)

    assert process.returncode == 0
    assert not box.path.exists()
