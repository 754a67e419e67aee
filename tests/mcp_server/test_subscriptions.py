import anyio
import pytest

# The SDK's client says that the methods of its older eras are older.
pytestmark = pytest.mark.filterwarnings("ignore:resources/")

STATUS = "seedream://status"
SESSION = "seedream://sessions/a"


class Heard:
    """What a client of the handshake eras is told."""

    def __init__(self) -> None:
        self.methods: list[tuple[str, str | None]] = []

    async def __call__(self, message) -> None:
        params = getattr(message, "params", None)
        self.methods.append((message.method, getattr(params, "uri", None)))


async def change(doors, uri: str, mark: str) -> None:
    """Let a resource change once it is watched."""
    await doors.until(lambda: uri in doors.tools.watched)
    doors.tools.marks[uri] = mark


@pytest.mark.slow
async def test_a_subscriber_of_old_is_told_of_changes(doors, door):
    heard = Heard()
    async with doors.client(door, "2025-11-25", message_handler=heard) as client:
        await client.subscribe_resource(STATUS)
        await change(doors, STATUS, "1")
        await doors.until(lambda: heard.methods)
        assert heard.methods == [("notifications/resources/updated", STATUS)]

        await client.unsubscribe_resource(STATUS)
        doors.tools.marks[STATUS] = "2"
        await change(doors, "", "1")
        await doors.until(lambda: len(heard.methods) > 1)

    assert heard.methods[1:] == [("notifications/resources/list_changed", None)]


async def test_a_client_that_left_is_forgotten(doors):
    async with doors.client("socket", "2025-11-25") as client:
        await client.subscribe_resource(STATUS)
        await doors.until(lambda: STATUS in doors.tools.watched)
    doors.tools.watched.clear()

    async with doors.client("socket", "2025-11-25"):
        await doors.until(lambda: "" in doors.tools.watched)

    assert STATUS not in doors.tools.watched


async def test_a_listener_is_told_of_what_it_asked_for(doors, door):
    async with (
        doors.client(door, "2026-07-28") as client,
        client.listen(resource_subscriptions=[SESSION]) as events,
    ):
        doors.tools.marks[STATUS] = "1"
        await change(doors, SESSION, "1")
        with anyio.fail_after(10):
            event = await anext(aiter(events))

    assert event.uri == SESSION


@pytest.mark.slow
async def test_many_changes_are_one_update_a_second(doors):
    heard = Heard()
    async with doors.client("socket", "2025-11-25", message_handler=heard) as client:
        await client.subscribe_resource(STATUS)
        await doors.until(lambda: STATUS in doors.tools.watched)
        with anyio.move_on_after(3.2):
            for number in range(10_000):
                doors.tools.marks[STATUS] = str(number)
                await anyio.sleep(0.01)

    assert 2 <= len(heard.methods) <= 4


async def test_nobody_is_looked_after_who_does_not_listen(doors):
    async with doors.client("http", "2026-07-28") as client:
        await client.call_tool("get_job", {"job_id": "x"})

    assert doors.tools.watched == set()
