import anyio
import pytest

from seedream_daemon.mcp_server.progress import Progress, Rhythm


class Sent:
    """What was sent; `until(n)` waits for n messages."""

    def __init__(self) -> None:
        self.messages = []
        self._more = anyio.Event()

    async def __call__(self, done, total, message):
        self.messages.append((done, total, message))
        self._more.set()

    async def until(self, count: int) -> None:
        with anyio.fail_after(30):
            while len(self.messages) < count:
                self._more = anyio.Event()
                await self._more.wait()


async def beating(tasks, sent, rhythm=None) -> Progress:
    progress = Progress(sent, rhythm or Rhythm())
    tasks.start_soon(progress.beat)
    return progress


async def test_what_is_told_is_sent_at_once_and_within_a_second_where_nothing_is():
    sent = Sent()
    async with anyio.create_task_group() as tasks:
        began = anyio.current_time()
        await beating(tasks, sent)
        await sent.until(1)
        assert anyio.current_time() - began < 1.0
        tasks.cancel_scope.cancel()

    assert sent.messages[0] == (0.0, None, None)


async def test_numbers_rise_although_nothing_ends():
    at_once = Rhythm(pause_s=0.0, heartbeat_s=0.0)
    sent = Sent()
    async with anyio.create_task_group() as tasks:
        progress = await beating(tasks, sent, at_once)
        await progress.tell(3, 10, "3/10 saved")
        await sent.until(60)
        await progress.tell(4, 10, "4/10 saved")
        await sent.until(120)
        tasks.cancel_scope.cancel()

    numbers = [done for done, _, _ in sent.messages]
    assert numbers == sorted(set(numbers))
    assert max(number for number in numbers if number < 4) < 4
    assert 4 <= numbers[-1] < 5


async def test_news_go_out_at_most_once_a_second():
    sent = Sent()
    async with anyio.create_task_group() as tasks:
        progress = await beating(tasks, sent)
        await progress.tell(1, 10, "1/10 saved")
        await sent.until(1)
        began = anyio.current_time()
        await progress.tell(2, 10, "2/10 saved")
        await progress.tell(3, 10, "3/10 saved")
        await sent.until(2)
        assert anyio.current_time() - began >= 0.9
        tasks.cancel_scope.cancel()

    assert sent.messages == [(1, 10, "1/10 saved"), (3, 10, "3/10 saved")]


@pytest.mark.parametrize("length", [200, 4000])
async def test_a_message_is_short(length):
    sent = Sent()
    async with anyio.create_task_group() as tasks:
        progress = await beating(tasks, sent)
        await progress.tell(1, 10, "x" * length)
        await sent.until(1)
        tasks.cancel_scope.cancel()

    assert len(sent.messages[0][2]) == 200
