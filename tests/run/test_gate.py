import anyio
import pytest

from seedream_daemon.run.gate import Gate, GateClosedError, Pause


async def wait_for_all():
    await anyio.wait_all_tasks_blocked()


class Lanes:
    """Tasks that take slots and keep them until told otherwise; `served` is the order."""

    def __init__(self, gate: Gate, group) -> None:
        self.gate = gate
        self.group = group
        self.served: list[str] = []
        self._ends: list[anyio.Event] = []

    def ask(self, lane: str, times: int = 1) -> None:
        for _ in range(times):
            self.group.start_soon(self._hold, lane)

    async def _hold(self, lane: str) -> None:
        async with self.gate.slot(lane):
            self.served.append(lane)
            end = anyio.Event()
            self._ends.append(end)
            await end.wait()

    async def free_one(self) -> None:
        self._ends.pop(0).set()
        await wait_for_all()


def proven(limit: int) -> Gate:
    gate = Gate(lambda: limit)
    gate.prove()
    return gate


async def test_no_more_than_the_limit_hold_a_slot() -> None:
    gate = proven(3)
    async with anyio.create_task_group() as group:
        lanes = Lanes(gate, group)
        lanes.ask("a", 10)
        await wait_for_all()
        assert gate.held == 3
        group.cancel_scope.cancel()
    assert gate.held == 0


async def test_a_small_job_behind_a_large_one_takes_the_next_free_slot() -> None:
    gate = proven(2)
    async with anyio.create_task_group() as group:
        lanes = Lanes(gate, group)
        lanes.ask("large", 100)
        await wait_for_all()
        lanes.ask("small", 4)
        await wait_for_all()
        for _ in range(8):
            await lanes.free_one()
        assert lanes.served[:2] == ["large", "large"]
        assert lanes.served[2:10].count("small") == 4
        assert "small" in lanes.served[2:4]
        group.cancel_scope.cancel()


async def test_the_first_request_goes_alone_until_the_service_has_taken_one() -> None:
    gate = Gate(lambda: 8)
    async with anyio.create_task_group() as group:
        lanes = Lanes(gate, group)
        lanes.ask("a", 5)
        await wait_for_all()
        assert gate.held == 1
        gate.prove()
        await wait_for_all()
        assert gate.held == 5
        group.cancel_scope.cancel()


async def test_after_a_pause_only_an_answer_lets_the_others_follow() -> None:
    gate = proven(8)
    gate.waits_out_pauses = True
    gate.stop_sending(Pause(why="account", message="no"))
    async with anyio.create_task_group() as group:
        lanes = Lanes(gate, group)
        lanes.ask("a", 5)
        await wait_for_all()
        assert gate.held == 0
        gate.reopen()
        await wait_for_all()
        gate.presume()
        await wait_for_all()
        assert gate.held == 1
        gate.prove()
        await wait_for_all()
        assert gate.held == 5
        group.cancel_scope.cancel()


async def test_whoever_does_not_wait_for_the_end_of_a_pause_is_turned_away() -> None:
    gate = proven(1)
    async with anyio.create_task_group() as group:
        lanes = Lanes(gate, group)
        lanes.ask("a")
        await wait_for_all()

        async def turned_away() -> None:
            with pytest.raises(GateClosedError):
                async with gate.slot("b"):
                    pass

        group.start_soon(turned_away)
        await wait_for_all()
        gate.stop_sending(Pause(why="account", message="no"))
        await wait_for_all()
        assert gate.held == 1
        await lanes.free_one()
    assert gate.held == 0


async def test_a_closed_gate_ends_every_wait_and_rest() -> None:
    gate = proven(1)
    refused = []

    async def wait_in_line() -> None:
        try:
            async with gate.slot("a"):
                await anyio.sleep_forever()
        except GateClosedError:
            refused.append("slot")

    async def rest() -> None:
        try:
            await gate.rest(3600)
        except GateClosedError:
            refused.append("rest")

    async with anyio.create_task_group() as group:
        lanes = Lanes(gate, group)
        lanes.ask("a")
        await wait_for_all()
        group.start_soon(wait_in_line)
        group.start_soon(rest)
        await wait_for_all()
        gate.close()
        await wait_for_all()
        assert sorted(refused) == ["rest", "slot"]
        await lanes.free_one()


async def test_a_cancelled_wait_gives_its_place_away() -> None:
    gate = proven(1)
    async with anyio.create_task_group() as group:
        lanes = Lanes(gate, group)
        lanes.ask("a")
        await wait_for_all()
        async with anyio.create_task_group() as impatient:
            Lanes(gate, impatient).ask("b")
            await wait_for_all()
            impatient.cancel_scope.cancel()
        lanes.ask("c")
        await wait_for_all()
        await lanes.free_one()
        assert lanes.served == ["a", "c"]
        group.cancel_scope.cancel()
