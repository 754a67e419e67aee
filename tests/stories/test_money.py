"""Caps of money hold, whatever runs and whatever dies."""

import json

import pytest

BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'
T2I = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'


def photos(count: int) -> dict:
    return dict.fromkeys(f"{number}.jpg" for number in range(count))


@pytest.mark.parametrize("door", ["job", "setting"])
def test_a_job_stops_at_its_own_cap(emulator, program, job_folder, door) -> None:
    service = emulator()
    run = program(service.base_url)
    job = BULK + ("max_cost_usd = 0.10\n" if door == "job" else "")
    folder = job_folder("shoot", job, photos(8))
    env = {} if door == "job" else {"JOB_BUDGET_USD": "0.10"}

    done = run("run", folder, "--json", **env)

    assert done.code == 4
    assert done.json["state"] == "failed"
    assert done.json["cost_usd"] == 0.09
    assert len(service.bill()) == 3
    cap = "max_cost_usd" if door == "job" else "JOB_BUDGET_USD"
    assert cap in done.json["reason"]


@pytest.mark.slow
def test_the_cap_of_the_day_holds_over_runs_and_leaves_them_resumable(
    emulator, program, job_folder
) -> None:
    service = emulator()
    run = program(service.base_url)
    first = run("run", job_folder("a", BULK, photos(4)), "--json", DAILY_BUDGET_USD="0.15")
    second = run("run", job_folder("b", BULK, photos(4)), "--json", DAILY_BUDGET_USD="0.15")

    assert (first.code, second.code) == (0, 4)
    assert second.json["state"] == "paused"
    assert len(service.bill()) == 5
    session = second.json["session"]
    assert run("resume", session, DAILY_BUDGET_USD="1").code == 0
    assert len(service.bill()) == 8
    spent = run("spend", "--json").json
    assert [day["usd"] for day in spent["days"]] == [0.24]
    assert spent["days"][0]["images"] == 8


def test_a_model_of_unknown_price_does_not_run_under_a_budget(
    emulator, program, job_folder
) -> None:
    service = emulator()
    run = program(service.base_url)
    folder = job_folder("fox", T2I + 'model = "ep-20260101-abcde"\n')

    refused = run("run", folder, DAILY_BUDGET_USD="5")

    assert refused.code == 3
    assert "PRICE_PER_IMAGE_USD" in refused.err
    assert service.bill() == []
    done = run("run", folder, "--json", DAILY_BUDGET_USD="5", PRICE_PER_IMAGE_USD="0.05")
    assert done.json["cost_usd"] == 0.05


@pytest.mark.parametrize(
    ("failpoint", "in_doubt_usd"),
    [
        ("before_answer_record", 0.03),
        pytest.param("after_answer_record", 0.0, marks=pytest.mark.slow),
        pytest.param("before_sending_record", 0.0, marks=pytest.mark.slow),
    ],
)
def test_money_is_settled_after_a_kill(
    emulator, program, job_folder, failpoint, in_doubt_usd
) -> None:
    service = emulator()
    run = program(service.base_url)
    run("run", job_folder("fox", T2I), SEEDREAM_FAILPOINT=failpoint)
    (session,) = run.sessions()
    assert run("spend", "--json").json["days"][0]["usd"] == 0.03

    assert run("resume", session.name).code == 0

    (day,) = run("spend", "--json").json["days"]
    assert day["in_doubt_usd"] == in_doubt_usd
    assert round(day["usd"] / 0.03) == len(service.bill())


def test_what_a_set_did_not_make_is_given_back(emulator, program, job_folder) -> None:
    service = emulator()
    run = program(service.base_url)
    job = 'kind = "t2i"\nprompt = "a series of 2 pictures"\ncount = 5\nsize = "1024x1024"\n'

    done = run("run", job_folder("set", job), "--json", DAILY_BUDGET_USD="0.15")

    assert done.code == 0
    assert json.loads(run("spend", "--json").out)["days"][0]["usd"] == 0.06
