"""Many callers, few looks, and nobody is told of what was before the call."""

from threading import Event as ThreadEvent

import anyio
import pytest

from seedream_daemon.tools.batch import Batch


class Disk:
    """Counts looks; each but the first waits for nothing, the first until it is let go."""

    def __init__(self) -> None:
        self.looks = 0
        self.content = "old"
        self.begun, self.go_on = ThreadEvent(), ThreadEvent()

    def read(self) -> str:
        self.looks += 1
        seen = self.content
        if self.looks == 1:
            self.begun.set()
            assert self.go_on.wait(20)
        return seen


def asker(batch: Batch, disk: Disk, answers: list[str]):
    """Give a caller that asks for the page and keeps its answer."""

    async def ask():
        answers.append(await batch.look("page", disk.read))

    return ask


async def test_a_hundred_callers_at_once_are_two_looks():
    disk, answers = Disk(), []
    ask = asker(Batch(), disk, answers)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(ask)
            await anyio.to_thread.run_sync(disk.begun.wait)
            for _ in range(50):
                tasks.start_soon(ask)
            disk.go_on.set()
    assert answers == ["old"] * 100
    assert disk.looks <= 3


async def test_who_asks_during_a_look_is_told_of_what_is_there_now():
    disk, answers = Disk(), []
    ask = asker(Batch(), disk, answers)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.to_thread.run_sync(disk.begun.wait)
            disk.content = "new"
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            disk.go_on.set()
    assert answers == ["old", "new"]


async def test_a_caller_that_gives_up_leaves_the_others_their_answer():
    disk, answers = Disk(), []
    ask = asker(Batch(), disk, answers)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.to_thread.run_sync(disk.begun.wait)
            async with anyio.create_task_group() as impatient:
                impatient.start_soon(ask)  # the first of the next look
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(ask)  # joins it
                await anyio.wait_all_tasks_blocked()
                impatient.cancel_scope.cancel()
            await anyio.wait_all_tasks_blocked()
            disk.go_on.set()
    assert answers == ["old"] * 2


async def test_a_look_that_fails_is_told_to_one_and_done_again_for_the_others():
    disk, batch, answers = Disk(), Batch(), []

    async def ask(key, read):
        answers.append(await batch.look(key, read))

    def fail():
        raise OSError("no disk")

    async def fail_alone():
        with pytest.raises(OSError, match="no disk"):
            await batch.look("page", fail)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "other", disk.read)
            await anyio.to_thread.run_sync(disk.begun.wait)
            tasks.start_soon(fail_alone)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(ask, "page", lambda: "page")
            await anyio.wait_all_tasks_blocked()
            disk.go_on.set()
    assert answers == ["old", "page"]


async def test_different_questions_have_answers_of_their_own():
    batch = Batch()
    assert await batch.look(1, lambda: "one") == "one"
    assert await batch.look(2, lambda: "two") == "two"
