import anyio
import pytest

from seedream_daemon.tools.refusal import ToolRefusedError

FOX = {"kind": "t2i", "prompt": "a fox"}


async def refused(made):
    with pytest.raises(ToolRefusedError) as caught:
        await made
    return caught.value.code, caught.value.message


def bulk(at, photos, prompt="brighter"):
    return {
        "kind": "bulk",
        "prompt": prompt,
        "photos": [at.photo(f"{n}.jpg") for n in range(photos)],
    }


async def test_what_is_above_the_limit_must_be_agreed_to_at_the_price_that_is_told(desk):
    async with desk().open(MCP_CONFIRM_USD="0.05") as at:
        spec = bulk(at, 2)
        plan = await at("check_job", spec=spec)
        assert (plan["price_usd"], plan["needs_confirmation"]) == (0.06, True)
        code, message = await refused(at("submit_job", spec=spec))
        assert code == "needs_confirmation"
        assert "ask in the chat, then call again with confirm_usd" in message
        code, message = await refused(at("submit_job", spec=spec, confirm_usd=0.05))
        assert (code, "$0.06" in message) == ("price_changed", True)
        assert at.emulator.bill() == []
        job = await at.done("submit_job", spec=spec, confirm_usd=0.0649)
        assert (job["state"], len(at.emulator.bill())) == ("done", 2)


@pytest.mark.slow
async def test_small_sums_add_up_until_a_person_agrees_even_over_a_restart(desk):
    at = desk()
    async with at.open(MCP_CONFIRM_USD="0.07"):
        for _ in range(2):
            job = await at("generate_image", prompt="a fox")
            assert job["state"] == "done"
            at.tools.mark_answered(job["job_id"])
    async with at.open(MCP_CONFIRM_USD="0.07"):
        code, _ = await refused(at("generate_image", prompt="a hare"))
        assert code == "needs_confirmation"
        job = await at.done("generate_image", prompt="a hare", confirm_usd=0.03)
        assert job["state"] == "done"
        assert (await at.done("generate_image", prompt="an owl"))["state"] == "done"


@pytest.mark.parametrize(("answer", "made"), [(True, 1), (False, 0), (None, 0)])
async def test_a_client_that_can_ask_is_asked_once(desk, answer, made):
    asked = []

    async def ask(question):
        asked.append(question)
        return answer

    async with desk().open(MCP_CONFIRM_USD="0.01") as at:
        call = at.call(ask=ask)
        if made:
            assert (await at("generate_image", call, prompt="a fox"))["state"] == "done"
        else:
            code, _ = await refused(at("generate_image", call, prompt="a fox"))
            assert code == "needs_confirmation"
        assert len(asked) == 1
        assert "at most $0.03" in asked[0]
        assert len(at.emulator.bill()) == made


async def test_a_confirmation_that_comes_three_times_is_one_job(desk):
    async def yes(_):
        return True

    async with desk().open(MCP_CONFIRM_USD="0.01") as at:
        jobs = []

        async def send():
            call = at.call(ask=yes, confirmation_key="c1")
            jobs.append(await at("generate_image", call, prompt="a fox"))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(send)
        assert len({job["job_id"] for job in jobs}) == 1
        assert sorted(job["repeated"] for job in jobs) == [False, True, True]
        assert len(at.emulator.bill()) == 1


@pytest.mark.parametrize("cap", ["MCP_DAILY_BUDGET_USD", "DAILY_BUDGET_USD"])
async def test_two_calls_at_once_cannot_pass_a_cap(desk, cap):
    async with desk("--latency", "0.5").open(**{cap: "0.10"}) as at:
        spec, outcomes = bulk(at, 2), []

        async def submit(prompt):
            try:
                outcomes.append(await at("submit_job", spec={**spec, "prompt": prompt}))
            except ToolRefusedError as error:
                outcomes.append(error.code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(submit, "brighter")
            tasks.start_soon(submit, "darker")
        assert outcomes.count("over_budget") == 1
        (job,) = (each for each in outcomes if each != "over_budget")
        assert (await at.ended(job["job_id"]))["saved"] == 2
        assert len(at.emulator.bill()) == 2


async def test_no_job_of_a_tool_may_cost_more_than_a_job_may(desk):
    async with desk().open(MCP_MAX_JOB_USD="0.05") as at:
        spec = bulk(at, 2)
        assert (await at("check_job", spec=spec))["over_budget"]
        code, message = await refused(at("submit_job", spec=spec, confirm_usd=0.06))
        assert (code, "MCP_MAX_JOB_USD" in message) == ("over_budget", True)
        assert at.emulator.bill() == []


async def test_a_model_without_a_price_is_refused(desk):
    async with desk().open() as at:
        code, _ = await refused(at("generate_image", prompt="a fox", model="ep-20250101-abc"))
        assert code == "price_unknown"


async def test_a_key_gives_the_same_job_again_over_a_restart(desk):
    at = desk()
    async with at.open():
        first = await at.done("submit_job", spec=FOX, request_key="wish 1")
    (at.state / "tool-answers.json").unlink(missing_ok=True)
    async with at.open():
        again = await at("submit_job", spec=FOX, request_key="wish 1", wait_seconds=1)
        assert (again["job_id"], again["repeated"]) == (first["job_id"], True)
        code, message = await refused(
            at("submit_job", spec={**FOX, "prompt": "a hare"}, request_key="wish 1")
        )
        assert (code, first["job_id"] in message) == ("key_reused", True)
        code, _ = await refused(at("generate_image", prompt="a fox", request_key="wish 1"))
        assert code == "key_reused"
        assert len(at.emulator.bill()) == 1


async def test_a_key_ends_with_its_session(desk):
    async with desk().open() as at:
        first = await at.done("submit_job", spec=FOX, request_key="k")
        (at.outputs / first["session"]).rename(at.home / "gone")
        second = await at.done("submit_job", spec=FOX, request_key="k")
        assert second["job_id"] != first["job_id"]


async def test_a_job_whose_call_was_cut_off_waits_for_the_next_equal_call(desk):
    async with desk("--latency", "1").open() as at:
        with anyio.move_on_after(0.5):
            await at("generate_image", prompt="a fox", wait_seconds=30)
        job = await at("generate_image", prompt="a fox", wait_seconds=30)
        assert (job["repeated"], job["state"]) == (True, "done")
        at.tools.mark_answered(job["job_id"])
        other = await at("generate_image", prompt="a fox", wait_seconds=30)
        assert other["repeated"] is False
        assert len(at.emulator.bill()) == 2


async def test_an_unanswered_job_is_found_after_a_restart_too(desk):
    at = desk()
    async with at.open():
        job = await at("submit_job", spec=FOX)
        await at.ended(job["job_id"])
    async with at.open():
        again = await at("submit_job", spec=FOX)
        assert (again["job_id"], again["repeated"]) == (job["job_id"], True)
    assert len(at.emulator.bill()) == 1


async def test_two_calls_that_were_both_answered_are_two_jobs(desk):
    async with desk().open() as at:
        jobs = []

        async def send():
            job = await at("submit_job", spec=FOX)
            at.tools.mark_answered(job["job_id"])
            jobs.append(job["job_id"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            tasks.start_soon(send)
        assert len(set(jobs)) == 2


async def test_an_account_that_is_refused_is_told_before_anything_is_made(desk):
    faults = '[[fault]]\nfault = "ModelNotOpen"\n'
    async with desk(faults=faults).open() as at:
        job = await at("generate_image", prompt="a fox", wait_seconds=20)
        assert (job["state"], "account" in job["reason"]) == ("paused", True)
        code, _ = await refused(at("generate_image", prompt="a hare"))
        assert code == "account_refused"
        status = await at("get_status")
        assert status["state"] == "attention"


async def test_a_stopping_daemon_takes_nothing(desk):
    async with desk().open() as at:
        at.service.stop()
        code, _ = await refused(at("generate_image", prompt="a fox"))
        assert code == "no_daemon"
