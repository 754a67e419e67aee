"""The service has a bad day: what is asked again, what is not, and what it costs."""

import json
import signal
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest

T2I = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'
SET = 'kind = "t2i"\nprompt = "a series of 4 pictures of a fox"\ncount = 4\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'


def fault(name: str, **more) -> str:
    match = more.pop("match", {})
    lines = [f'fault = "{name}"', *(f"{key} = {value}" for key, value in more.items())]
    lines.append("match = {" + ", ".join(f"{key} = {value}" for key, value in match.items()) + "}")
    return "[[fault]]\n" + "\n".join(lines) + "\n"


def events(session: Path, *names: str) -> list[dict]:
    lines = []
    for path in sorted(session.glob("journal-*.jsonl")):
        lines += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] in names]


@pytest.mark.parametrize("name", ["429", "500"])
def test_a_passing_refusal_is_asked_again_and_billed_once(
    emulator, program, job_folder, name
) -> None:
    service = emulator(faults=fault(name, match={"nth": 1}))
    run = program(service.base_url)

    done = run("run", job_folder("fox", T2I), "--json")

    assert done.code == 0, done.err
    assert len(service.bill()) == 1
    assert len(events(run.sessions()[0], "sending")) == 2


def test_a_wait_that_the_service_asks_for_is_kept(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("429", match={"nth": 1}, retry_after=2))
    run = program(service.base_url)

    assert run("run", job_folder("fox", T2I)).code == 0

    first, second = (line["at"] for line in events(run.sessions()[0], "sending"))
    waited = datetime.fromisoformat(second) - datetime.fromisoformat(first)
    assert waited.total_seconds() >= 2


@pytest.mark.slow
def test_refused_content_is_not_asked_for_again_and_spares_the_others(
    emulator, program, job_folder
) -> None:
    service = emulator(faults=fault("moderation", match={"nth": 2}))
    run = program(service.base_url)
    folder = job_folder("shoot", BULK, dict.fromkeys(["a.jpg", "b.jpg", "c.jpg"]))

    done = run("run", folder, "--json")

    assert done.code == 1
    assert (done.json["state"], done.json["saved"], done.json["failed"]) == ("failed", 2, 1)
    (failure,) = done.json["failures"]
    assert failure["code"] == "OutputImageSensitiveContentDetected"
    assert not failure["retryable"]
    assert len(events(run.sessions()[0], "sending")) == 3
    assert run("resume", run.sessions()[0].name).code == 1
    assert len(service.bill()) == 2
    assert run("retry", run.sessions()[0].name).code == 0
    assert len(service.bill()) == 3


@pytest.mark.parametrize("name", ["reset", "cut_stream"])
def test_a_request_in_doubt_is_asked_again_once(emulator, program, job_folder, name) -> None:
    service = emulator(faults=fault(name, match={"nth": 1}))
    run = program(service.base_url)

    done = run("run", job_folder("fox", T2I), "--json")

    assert done.code == 0, done.err
    session = run.sessions()[0]
    if name == "reset":
        assert len(events(session, "in_doubt")) == 1
        assert len(service.bill()) == 2
    else:
        # Cut after its only picture: that one is paid for and kept.
        assert len(service.bill()) == 1


@pytest.mark.slow
def test_a_request_twice_in_doubt_is_left_to_a_person(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("reset", times=2))
    run = program(service.base_url)

    done = run("run", job_folder("fox", T2I), "--json")

    assert done.code == 1
    assert done.json["in_doubt"] == 1
    (failure,) = done.json["failures"]
    assert failure["code"] == "in_doubt"
    assert len(service.bill()) == 2
    assert run("resume", run.sessions()[0].name).code == 1
    assert len(service.bill()) == 2
    assert run("retry", run.sessions()[0].name).code == 0
    assert len(service.bill()) == 3


def test_with_hold_nothing_in_doubt_is_asked_again_by_itself(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("reset", times=1))
    run = program(service.base_url)

    done = run("run", job_folder("fox", T2I), AMBIGUOUS="hold")

    assert done.code == 1
    assert "1 in doubt" in done.err
    assert f"seedream-daemon retry {run.sessions()[0].name!r}" in done.err
    assert len(service.bill()) == 1


def test_a_set_cut_after_its_first_picture_keeps_it(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("cut_stream", match={"nth": 1}))
    run = program(service.base_url)

    done = run("run", job_folder("set", SET), "--json")

    assert done.code == 0, done.err
    assert done.json["pictures"] >= 1
    assert len(events(run.sessions()[0], "sending")) == 1


def test_a_failed_member_of_a_set_does_not_lose_the_others(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("partial", match={"nth": 1}))
    run = program(service.base_url)

    done = run("run", job_folder("set", SET), "--json")

    assert done.code == 0, done.err
    assert done.json["pictures"] == 3
    assert done.json["images_billed"] == 3


def test_a_broken_download_is_fetched_again_and_not_paid_again(
    emulator, program, job_folder
) -> None:
    service = emulator(faults=fault("cut_download", match={"nth": 1}))
    run = program(service.base_url)

    assert run("run", job_folder("fox", T2I)).code == 0

    assert len(service.bill()) == 1


def test_a_picture_whose_address_is_gone_is_lost_and_named(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("expired_url", match={"nth": 1}))
    run = program(service.base_url)

    done = run("run", job_folder("fox", T2I), "--json", AMBIGUOUS="hold")

    assert done.code == 1
    assert done.json["lost"] == 1
    assert len(service.bill()) == 1
    assert run("retry", run.sessions()[0].name).code == 0
    assert len(service.bill()) == 2


def test_a_deleted_picture_is_fetched_again_at_no_cost(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    folder = job_folder("shoot", BULK, {"a.jpg": None, "b.jpg": None})
    assert run("run", folder).code == 0
    session = run.sessions()[0]
    content = (session / "a.jpg").read_bytes()
    (session / "a.jpg").unlink()
    (folder / "a.jpg").unlink()

    assert (
        f"seedream-daemon resume '{session.name}'" in run("show", session.name, COLUMNS="300").out
    )
    done = run("resume", session.name, "--json")

    assert (done.code, done.json["state"], done.json["pictures"]) == (0, "done", 2)
    assert (session / "a.jpg").read_bytes() == content
    assert len(service.bill()) == 2


@pytest.mark.slow
def test_a_deleted_picture_whose_address_is_gone_is_paid_for_only_by_retry(
    emulator, program, job_folder
) -> None:
    service = emulator("--url-ttl", "3")
    run = program(service.base_url)
    assert run("run", job_folder("fox", T2I)).code == 0
    session = run.sessions()[0]
    (url,) = json.loads((session / "metadata.json").read_bytes())["urls"]
    (session / "01.jpg").unlink()
    deadline = time.monotonic() + 30
    while httpx.get(url).is_success:
        assert time.monotonic() < deadline
        time.sleep(0.2)

    done = run("resume", session.name, "--json")

    assert (done.code, done.json["lost"], len(service.bill())) == (1, 1, 1)
    (failure,) = done.json["failures"]
    assert failure["message"].endswith(
        "It was deleted from the session; retry has it made anew, which costs money."
    )
    assert run("resume", session.name).code == 1
    assert len(service.bill()) == 1
    assert run("retry", session.name).code == 0
    assert len(service.bill()) == 2


@pytest.mark.slow
def test_a_lost_picture_is_asked_for_again_once(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("expired_url", times=2))
    run = program(service.base_url)

    done = run("run", job_folder("fox", T2I), "--json")

    assert done.code == 1
    assert done.json["lost"] == 1
    assert len(service.bill()) == 2
    assert run("resume", run.sessions()[0].name).code == 1
    assert len(service.bill()) == 2
    assert run("retry", run.sessions()[0].name).code == 0


def test_nothing_is_sent_while_the_service_asks_to_be_left_alone(
    emulator, program, job_folder
) -> None:
    service = emulator(faults=fault("429", match={"nth": 1}, retry_after=2))
    run = program(service.base_url)
    folder = job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(4)))

    assert run("run", folder).code == 0

    refused, *later = (line["at"] for line in events(run.sessions()[0], "sending"))
    began = datetime.fromisoformat(refused)
    waits = [(datetime.fromisoformat(at) - began).total_seconds() for at in later]
    assert min(waits) >= 1.9


@pytest.mark.parametrize(
    "name", ["ModelNotOpen", pytest.param("SetLimitExceeded", marks=pytest.mark.slow)]
)
def test_a_refused_account_stops_the_run_and_can_be_resumed(
    emulator, program, job_folder, name
) -> None:
    closed, open_again = emulator(faults=fault(name)), emulator()
    run = program(closed.base_url)
    folder = job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(10)))

    done = run("run", folder, "--json")

    assert done.code == 5
    assert done.json["state"] == "paused"
    assert closed.bill() == []
    assert len(events(run.sessions()[0], "sending")) < 10
    assert run("resume", run.sessions()[0].name, ARK_BASE_URL=open_again.base_url).code == 0
    assert len(open_again.bill()) == 10


def test_a_busy_service_is_asked_more_slowly_and_all_comes(emulator, program, job_folder) -> None:
    service = emulator("--latency", "0.05", faults=fault("429", match={"every": 5}))
    run = program(service.base_url)
    folder = job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(30)))

    done = run("run", folder, "--json", timeout=120)

    assert done.code == 0, done.err
    assert len(service.bill()) == 30


@pytest.mark.slow
def test_the_first_signal_waits_for_answers_in_flight(emulator, program, job_folder) -> None:
    service = emulator("--latency", "1")
    run = program(service.base_url)
    folder = job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(30)))
    process = run.start("run", folder, MAX_PARALLEL="4")
    wait_until(lambda: len(sent(run)) >= 4, process)

    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)

    (session,) = run.sessions()
    assert process.returncode == 130
    assert events(session, "in_doubt") == []
    in_flight = len(events(session, "sending"))
    assert len(service.bill()) == in_flight == len(events(session, "picture"))
    assert run("resume", session.name).code == 0
    assert len(service.bill()) == 30


@pytest.mark.slow
def test_what_has_no_answer_when_the_grace_ends_is_in_doubt(emulator, program, job_folder) -> None:
    service = emulator(faults=fault("stall", times=1))
    run = program(service.base_url)
    process = run.start("run", job_folder("fox", T2I), STOP_GRACE_SECONDS="0.2")
    wait_until(lambda: len(sent(run)) >= 1 and service.bill(), process)

    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)

    (session,) = run.sessions()
    assert process.returncode == 130
    assert len(events(session, "in_doubt")) == 1
    assert run("resume", session.name).code == 0
    assert len(service.bill()) == 2


@pytest.mark.slow
def test_two_processes_do_not_write_one_session(emulator, program, job_folder) -> None:
    service = emulator("--latency", "2")
    run = program(service.base_url)
    process = run.start("run", job_folder("fox", T2I))
    wait_until(lambda: len(sent(run)) >= 1, process)
    process.send_signal(signal.SIGSTOP)  # it cannot end before the other has begun

    refused = run("resume", run.sessions()[0].name)

    process.send_signal(signal.SIGCONT)
    assert refused.code == 2
    assert str(process.pid) in refused.err
    process.wait(timeout=20)
    assert process.returncode == 0


@pytest.mark.slow
def test_paid_pictures_are_fetched_without_a_key(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    run("run", job_folder("fox", T2I), SEEDREAM_FAILPOINT="after_answer_record")
    (session,) = run.sessions()

    refused = run("run", job_folder("other", T2I), ARK_API_KEY_FILE="nowhere")
    done = run("resume", session.name, ARK_API_KEY_FILE="nowhere")

    assert refused.code == 3
    assert done.code == 0, done.err
    assert (session / "01.jpg").exists()
    assert len(service.bill()) == 1


def sent(run) -> list[dict]:
    return [line for session in run.sessions() for line in whole_events(session, "sending")]


def whole_events(session: Path, name: str) -> list[dict]:
    """Events of a session that is being written: the last line may be torn."""
    found = []
    for path in session.glob("journal-*.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            entry = json.loads(line)
            if entry["event"] == name:
                found.append(entry)
    return found


def wait_until(condition, process) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
