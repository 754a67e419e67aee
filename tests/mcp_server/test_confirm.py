import anyio
import pytest
from mcp.types import ElicitResult

from seedream_daemon.tools.refusal import ToolRefusedError

QUESTION = "Spend up to $2.00?"
ACCEPT = {"action": "accept", "content": {"confirm": True}}


class Spender:
    """submit_job as the tools do it: asks, and is one job for one confirmation."""

    def __init__(self, job) -> None:
        self.job = job
        self.question = QUESTION
        self.keys: list[str | None] = []
        self.jobs: set[str] = set()

    async def __call__(self, arguments, call):
        self.keys.append(call.confirmation_key)
        if call.confirmation_key in self.jobs:
            return self.job(repeated=True)
        if call.ask is None or not await call.ask(self.question):
            raise ToolRefusedError("needs_confirmation", "The client did not confirm.")
        if call.confirmation_key is not None:
            self.jobs.add(call.confirmation_key)
        return self.job()


def answering(**answer):
    asked = []

    async def answer_it(context, params):
        asked.append(params.message)
        return ElicitResult(**answer)

    return answer_it, asked


@pytest.fixture
def spender(doors) -> Spender:
    spender = Spender(doors.tools.job)
    doors.tools.script["submit_job"] = spender
    return spender


async def test_a_client_that_says_yes_is_asked_once(doors, door, era, spender):
    answer, asked = answering(**ACCEPT)
    async with doors.client(door, era, elicitation_callback=answer) as client:
        result = await client.call_tool("submit_job", {})

    assert not result.is_error
    assert asked == [QUESTION]


@pytest.mark.parametrize(
    "answer",
    [
        {"action": "decline"},
        {"action": "cancel"},
        {"action": "accept"},
        {"action": "accept", "content": {}},
        {"action": "accept", "content": {"confirm": False}},
        {"action": "accept", "content": {"confirm": "true"}},
    ],
)
async def test_anything_but_an_explicit_yes_is_no(doors, door, era, spender, answer):
    answer_it, asked = answering(**answer)
    async with doors.client(door, era, elicitation_callback=answer_it) as client:
        result = await client.call_tool("submit_job", {})

    assert result.is_error
    assert result.content[0].text.startswith("needs_confirmation: ")
    assert asked == [QUESTION]


async def test_a_client_that_cannot_ask_is_told_so(doors, door, era, spender):
    async with doors.client(door, era) as client:
        result = await client.call_tool("submit_job", {})

    assert result.content[0].text.startswith("needs_confirmation: ")


async def first_round(client):
    """The question of 2026-07-28 as it comes, and what must be sent back with its answer."""
    return await client.session.call_tool("submit_job", {"a": 1}, allow_input_required=True)


async def reply(client, state: str, arguments: dict | None = None):
    return await client.session.call_tool(
        "submit_job",
        {"a": 1} if arguments is None else arguments,
        input_responses={"confirm": ElicitResult(**ACCEPT)},
        request_state=state,
        allow_input_required=True,
    )


async def test_a_confirmed_call_sent_three_times_is_one_job(doors, door, spender):
    answer, _ = answering(**ACCEPT)
    async with doors.client(door, "2026-07-28", elicitation_callback=answer) as client:
        asked = await first_round(client)
        replies = [await reply(client, asked.request_state) for _ in range(3)]

    assert [each.structured_content["repeated"] for each in replies] == [False, True, True]
    assert len(spender.jobs) == 1


async def test_a_state_that_is_not_ours_is_refused(doors, door, spender):
    from mcp import MCPError

    answer, _ = answering(**ACCEPT)
    async with doors.client(door, "2026-07-28", elicitation_callback=answer) as client:
        asked = await first_round(client)
        for state in ("x", asked.request_state[:-2], "v1." + "A" * 80):
            with pytest.raises(MCPError) as caught:
                await reply(client, state)
            assert caught.value.error.code == -32602
        with pytest.raises(MCPError):
            await reply(client, asked.request_state, {"a": 2})

    assert not spender.jobs


async def test_an_answer_to_another_price_is_asked_again(doors, door, spender):
    answer, _ = answering(**ACCEPT)
    async with doors.client(door, "2026-07-28", elicitation_callback=answer) as client:
        asked = await first_round(client)
        spender.question = "Spend up to $9.00?"
        again = await reply(client, asked.request_state)
        assert again.result_type == "input_required"
        done = await reply(client, again.request_state)

    assert not done.is_error
    assert len(spender.jobs) == 1


async def test_an_answer_nobody_asked_for_counts_for_nothing(doors, door, spender):
    answer, _ = answering(**ACCEPT)
    async with doors.client(door, "2026-07-28", elicitation_callback=answer) as client:
        result = await client.session.call_tool(
            "submit_job",
            {},
            input_responses={"confirm": ElicitResult(**ACCEPT)},
            allow_input_required=True,
        )

    assert result.result_type == "input_required"


async def test_an_answer_that_comes_late_counts_for_the_next_call(doors, door, spender):
    """Handshake eras: the question outlives the call that put it."""
    may_answer, asked = anyio.Event(), []

    async def answer_later(context, params):
        asked.append(params.message)
        await may_answer.wait()
        return ElicitResult(**ACCEPT)

    async def short(arguments, call):
        if not asked:
            with anyio.move_on_after(1):
                await call.ask(QUESTION)
            raise ToolRefusedError("needs_confirmation", "It was not answered.")
        return await spender(arguments, call)

    doors.tools.script["submit_job"] = short
    async with doors.client(door, "2025-11-25", elicitation_callback=answer_later) as client:
        first = await client.call_tool("submit_job", {"wait_seconds": 1})
        may_answer.set()
        second = await client.call_tool("submit_job", {"wait_seconds": 2})

    assert first.is_error
    assert not second.is_error
    assert asked == [QUESTION]
