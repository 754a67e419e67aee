import hashlib
import json
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from seedream_daemon.mcp_server.catalog import INSTRUCTIONS, tool_list

GOLDEN = Path(__file__).parent / "tools_list.json"
# A host that meets one of these in what a tool takes may refuse the whole server.
FORBIDDEN = {"anyOf", "oneOf", "allOf", "not", "$ref", "$defs"}
HINTS = {
    "TFTF": "check_job get_job list_jobs list_sessions load_session view_image get_status",
    "FFFT": "generate_image edit_image submit_job retry_job",
    "FTTF": "cancel_job",
}


def listed() -> list[dict]:
    return [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tool_list()]


def compact(document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_list_of_tools_is_the_one_in_the_golden_file():
    assert json.loads(GOLDEN.read_text(encoding="utf-8")) == listed(), (
        "if this is meant: python tests/mcp_server/print_tools.py --write"
    )


def test_the_list_is_small_enough_to_stand_before_a_model():
    before_a_model = ("name", "description", "inputSchema")
    told = [{key: tool[key] for key in before_a_model} for tool in listed()]

    assert sum(len(compact(tool)) for tool in told) <= 10_000
    assert len(compact(listed())) <= 18_000
    assert len(INSTRUCTIONS.encode()) <= 800


def test_no_schema_of_arguments_holds_what_some_hosts_refuse():
    def walk(node, path: str) -> None:
        if isinstance(node, list):
            for number, each in enumerate(node):
                walk(each, f"{path}[{number}]")
        elif isinstance(node, dict):
            assert not FORBIDDEN & node.keys(), path
            # In `properties` the keys are names of arguments, not words of the schema.
            assert "type" not in node or path.endswith("properties") or node["type"] != "null"
            assert path.endswith("properties") or not isinstance(node.get("type"), list), path
            for key, each in node.items():
                walk(each, f"{path}.{key}")

    for tool in listed():
        walk(tool["inputSchema"], tool["name"])
        assert tool["inputSchema"]["additionalProperties"] is False


def test_every_hint_is_given_as_the_contract_has_it():
    for hints, names in HINTS.items():
        for tool in listed():
            if tool["name"] in names.split():
                given = tool["annotations"]
                order = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
                assert "".join("TF"[not given[hint]] for hint in order) == hints, tool["name"]
    assert sorted(" ".join(HINTS.values()).split()) == sorted(tool["name"] for tool in listed())


def test_every_tool_but_the_one_that_gives_pictures_says_what_it_gives():
    without = [tool["name"] for tool in listed() if "outputSchema" not in tool]

    assert without == ["view_image"]


def test_edit_image_says_where_photos_must_lie():
    text = {tool["name"]: tool["description"] for tool in listed()}["edit_image"]

    assert text.endswith(
        "Pictures pasted into the chat have no path: ask the user to save them into "
        "folders.photos of get_status."
    )


async def lines_of(socket, *messages: dict) -> list[dict]:
    """What a connection answers to messages, one line each."""
    async with await anyio.connect_unix(socket) as stream:
        for message in messages:
            await stream.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        said = BufferedByteReceiveStream(stream)
        answers = sum("id" in message for message in messages)
        return [await said.receive_until(b"\n", 100_000) for _ in range(answers)]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_the_list_has_the_same_bytes_in_every_era(doors, version):
    asked = {"id": 2, "method": "tools/list"}
    begin = {
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    _, old = await lines_of(
        doors.socket,
        {"id": 1, "method": "initialize", "params": begin},
        {"method": "notifications/initialized"},
        asked,
    )
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    (new,) = await lines_of(doors.socket, {**asked, "params": {"_meta": meta}})

    def tools_in(line: bytes) -> str:
        text = line.decode()
        start = text.index('"tools":[') + len('"tools":')
        return text[start : json.JSONDecoder().raw_decode(text, start)[1]]

    assert tools_in(old) == tools_in(new)


async def test_the_list_is_the_same_everywhere(doors, door, era):
    digests = set()
    for _ in range(2):
        async with doors.client(door, era) as client:
            tools = (await client.list_tools()).tools
            whole = [
                tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools
            ]
            digests.add(hashlib.sha256(compact(whole)).hexdigest())

    assert digests == {hashlib.sha256(compact(listed())).hexdigest()}
