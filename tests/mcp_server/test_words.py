"""Prompts, completions, resources, and what their errors are."""

import base64
import json

import pytest
from mcp import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

SESSION = "2025-09-12_14-30-12_사진 {a}_t2i"
URI = "seedream://sessions/2025-09-12_14-30-12_%EC%82%AC%EC%A7%84%20%7Ba%7D_t2i"


async def refused(awaitable) -> int:
    with pytest.raises(MCPError) as caught:
        await awaitable
    return caught.value.error.code


async def test_the_prompts_take_what_the_user_gives(doors, door, era):
    async with doors.client(door, era) as client:
        prompts = (await client.list_prompts()).prompts
        given = {"folder": "/photos/{x}", "instruction": "remove the background"}
        result = await client.get_prompt("bulk_retouch", given)

    assert [prompt.name for prompt in prompts] == [
        "id_photo_grid",
        "bulk_retouch",
        "review_session",
    ]
    text = result.messages[0].content.text
    assert "/photos/{x}" in text
    assert "remove the background" in text


async def test_mistakes_in_prompts_are_errors_of_the_protocol(doors, door, era):
    async with doors.client(door, era) as client:
        assert await refused(client.get_prompt("no_such", {})) == -32602
        assert await refused(client.get_prompt("bulk_retouch", {"folder": "/a"})) == -32602


async def test_a_cursor_that_nobody_gave_is_refused(doors, door, era):
    async with doors.client(door, era) as client:
        for method in ("list_tools", "list_prompts", "list_resources", "list_resource_templates"):
            assert await refused(getattr(client, method)(cursor="x")) == -32602


async def test_the_newest_sessions_are_listed_and_read(doors, door, era):
    async with doors.client(door, era) as client:
        listed = (await client.list_resources()).resources
        assert [str(resource.uri) for resource in listed] == ["seedream://status", URI]
        read = await client.read_resource(URI)
        status = await client.read_resource("seedream://status")

    assert json.loads(read.contents[0].text)["session"] == SESSION
    assert json.loads(status.contents[0].text)["state"] == "ok"


async def test_pictures_and_thumbnails_are_read(doors, door, era):
    async with doors.client(door, era) as client:
        picture = (await client.read_resource(f"{URI}/pictures/caf%C3%A9%20%7B1%7D.png")).contents
        thumbnail = (await client.read_resource(f"{URI}/thumbnails/1_2")).contents

    assert picture[0].mime_type == "image/png"
    assert base64.b64decode(picture[0].blob).decode() == f"{SESSION}/café {{1}}.png"
    assert base64.b64decode(thumbnail[0].blob) == b"\xff\xd8\xff\xd9"


@pytest.mark.parametrize(
    "uri",
    [
        "seedream://sessions/unknown",
        "seedream://sessions/",
        "seedream://sessions/a/b",
        "seedream://sessions/a/pictures/../../b",
        "seedream://nothing",
        "file:///etc/passwd",
    ],
)
async def test_what_is_not_there_is_an_error_of_the_protocol(doors, door, era, uri):
    async with doors.client(door, era) as client:
        assert await refused(client.read_resource(uri)) == -32602


async def test_what_one_begins_to_type_is_completed(doors, door, era):
    prompt = PromptReference(type="ref/prompt", name="review_session")
    template = ResourceTemplateReference(
        type="ref/resource", uri="seedream://sessions/{session}/pictures/{key}"
    )
    async with doors.client(door, era) as client:

        async def complete(ref, name: str, value: str, **known: str) -> list[str]:
            argument = {"name": name, "value": value}
            result = await client.complete(ref, argument, context_arguments=known or None)
            return result.completion.values

        assert await complete(prompt, "session", "2025") == [SESSION]
        assert await complete(template, "key", "", session=SESSION) == ["01", "02"]
        assert await complete(template, "key", "", session="unknown") == []
        assert "seedream-4-0-250828" in await complete(prompt, "model", "SEEDREAM-4")
        assert await complete(prompt, "aspect", "3") == ["3:4", "3:2"]
        assert await complete(prompt, "weather", "") == []
        unknown = PromptReference(type="ref/prompt", name="no_such")
        assert await refused(client.complete(unknown, {"name": "x", "value": ""})) == -32602


async def test_lists_that_last_may_be_kept_and_jobs_may_not(doors, door):
    async with doors.client(door, "2026-07-28") as client:
        for method in ("list_tools", "list_prompts", "list_resource_templates"):
            found = await getattr(client, method)()
            assert (found.ttl_ms, found.cache_scope) == (60_000, "private")
        found = await client.list_resources()
        assert (found.ttl_ms, found.cache_scope) == (0, "private")
        found = await client.read_resource("seedream://status")
        assert (found.ttl_ms, found.cache_scope) == (0, "private")


async def test_the_server_says_who_it_is_and_how_it_is_used(doors, door, era):
    async with doors.client(door, era) as client:
        assert client.server_info.name == "seedream-daemon"
        assert "request_key" in client.instructions
        assert client.server_capabilities.resources.subscribe
        assert client.server_capabilities.resources.list_changed
