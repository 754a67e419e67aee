"""A whole daemon as agents have it: processes, sockets, an emulator with a bill."""

import json
import stat
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp.types import ElicitResult
from PIL import Image

YES = ElicitResult(action="accept", content={"confirm": True})


async def say_yes(context, params):
    return YES


async def ask(client, tool: str, **arguments):
    """The document that a tool gives; an error fails the test."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return result.structured_content


async def refusal(client, tool: str, **arguments) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    return result.content[0].text


def grid_spec(folder: Path) -> dict:
    """A grid of 2 prompts x 2 groups whose photos lie where tools may read."""
    for colour, name in enumerate(("ann", "ben")):
        (folder / name).mkdir()
        Image.new("RGB", (640, 800), (90 * colour, 120, 200)).save(folder / name / "1.jpg")
    return {
        "kind": "grid",
        "crop": False,
        "prompts": ["a portrait of {name}", "a portrait of {name}, smiling"],
        "groups": {name: [str(folder / name)] for name in ("ann", "ben")},
        "variables": {"ann": {"name": "Ann"}, "ben": {"name": "Ben"}},
    }


FAIL_ONE_SHOT = """
[[fault]]
match = { prompt = "Ben, smiling" }
fault = "moderation"
times = 1
"""


@pytest.mark.slow
async def test_the_agent_story(daemon, door, era):
    """Check, confirm, submit a grid, wait, lose the connection, view, retry, restart, reload."""
    one = await daemon("--latency", "0.5", faults=FAIL_ONE_SHOT, MCP_CONFIRM_USD="0.05")
    seen = []

    async def note(done, total, message):
        seen.append(done)

    async with one.client(door, era, elicitation_callback=say_yes) as client:
        status = await ask(client, "get_status")
        photos = Path(status["folders"]["photos"])
        spec = grid_spec(photos)
        plan = await ask(client, "check_job", spec=spec)
        assert plan["problems"] == []
        assert (plan["ok"], plan["shots"], plan["needs_confirmation"]) == (True, 4, True)
        job = await ask(client, "submit_job", spec=spec, request_key="story")
        waited = await client.call_tool(
            "get_job", {"job_id": job["job_id"], "wait_seconds": 45}, progress_callback=note
        )
        assert waited.structured_content["state"] == "failed"
        assert waited.structured_content["saved"] == 3
    assert seen == sorted(set(seen))

    async with one.client(door, era, elicitation_callback=say_yes) as client:
        again = await ask(client, "submit_job", spec=spec, request_key="story")
        assert (again["job_id"], again["repeated"]) == (job["job_id"], True)
        sheet = await client.call_tool("view_image", {"job_id": job["job_id"]})
        assert [block.type for block in sheet.content] == ["text", "image"]
        failures = waited.structured_content["failures"]
        retried = await ask(
            client,
            "retry_job",
            job_id=job["job_id"],
            shot=failures[0]["shot"],
            wait_seconds=45,
            request_key="retry",
        )
        assert (retried["state"], retried["saved"]) == ("done", 4)

    await one.stop()
    await one.start()
    async with one.client(door, era) as client:
        session = retried["session"]
        loaded = await ask(client, "load_session", session=session)
        assert [item["key"] for item in loaded["items"]] == ["1_1", "1_2", "2_1", "2_2"]
        assert {item["state"] for item in loaded["items"]} == {"saved"}
        listed = await ask(client, "list_sessions")
        assert [row["session"] for row in listed["sessions"]] == [session]
        picture = await client.call_tool("view_image", {"session": session, "key": "2_2"})
        assert json.loads(picture.content[0].text)["key"] == "2_2"
    assert len(one.emulator.bill()) == 4


@pytest.mark.slow
async def test_the_doors_are_shut_to_others(daemon):
    one = await daemon()

    assert stat.S_IMODE((one.state / "mcp.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE((one.state / "mcp-token").stat().st_mode) == 0o600
    async with httpx2.AsyncClient() as web:
        assert (await web.get(one.address)).status_code == 401
        assert (await web.get(f"{one.address}?token={one.token}")).status_code == 401
        assert (await web.get(one.address, headers={"Host": "evil.example"})).status_code == 421
        health = await web.get(one.address.replace("/mcp", "/health"))
        assert (health.status_code, health.text.strip()) == (200, "ok")


@pytest.mark.slow
@pytest.mark.parametrize("streams", [50])
async def test_fifty_open_streams_do_not_keep_it_from_ending(daemon, streams):
    one = await daemon()

    async def listen(stack_ready, door):
        async with (
            one.client(door, "2026-07-28") as client,
            client.listen(resource_subscriptions=["seedream://status"]) as events,
        ):
            stack_ready()
            async for _ in events:
                pass

    async def hold_old(stack_ready):
        async with one.client("http", "2025-11-25"):
            stack_ready()
            await anyio.sleep_forever()

    open_now = 0

    def count():
        nonlocal open_now
        open_now += 1

    async def suffer(work, *arguments):
        # Each client tells in its own way that its server went away.
        try:
            await work(count, *arguments)
        except Exception:  # noqa: BLE001
            return

    async with anyio.create_task_group() as tasks:
        for number in range(streams):
            if number % 3:
                tasks.start_soon(suffer, listen, ("socket", "http")[number % 2])
            else:
                tasks.start_soon(suffer, hold_old)
        with anyio.fail_after(40):
            while open_now < streams:  # noqa: ASYNC110
                await anyio.sleep(0.05)
        took = await one.stop()
        tasks.cancel_scope.cancel()

    print(f"SIGTERM to exit with {streams} open streams: {took:.2f} s")
    assert took <= 2
    assert "Traceback" not in one.log.read_text(encoding="utf-8")


@pytest.mark.slow
async def test_a_wider_token_file_keeps_it_from_serving(daemon, tmp_path):
    one = await daemon()
    await one.stop()
    (one.state / "mcp-token").chmod(0o644)

    with pytest.raises(AssertionError, match="chmod 600"):
        await one.start()

    assert one.process.returncode == 3
