"""What the bridge says without a daemon is what the server says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import validate

from seedream_daemon.mcp_bridge.stand_in import StandIn, Trouble, status_document

ROOT = Path(__file__).parents[2]
TROUBLE = Trouble("not_configured", "There is no key. Put one into env.local.")
META = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
ERAS = pytest.mark.parametrize("meta", [{}, META], ids=["handshake", "2026-07-28"])


def answer(method, params):
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.loads(StandIn().answer(message, TROUBLE))


def test_the_recorded_answers_are_those_of_the_server():
    checked = subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "record_answers.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr


@ERAS
def test_all_twelve_tools_are_listed(meta):
    tools = answer("tools/list", meta)["result"]["tools"]

    assert len(tools) == 12


@ERAS
def test_get_status_answers_as_its_schema_says(meta):
    tools = answer("tools/list", meta)["result"]["tools"]
    schema = next(tool["outputSchema"] for tool in tools if tool["name"] == "get_status")

    status = answer("tools/call", {"name": "get_status", **meta})["result"]

    validate(status["structuredContent"], schema)
    assert json.loads(status["content"][0]["text"]) == status["structuredContent"]
    assert status_document(TROUBLE)["problems"][0]["mend"] == TROUBLE.sentence


@ERAS
def test_lists_are_answered_and_what_needs_a_daemon_is_an_error(meta):
    assert answer("resources/list", meta)["result"]["resources"] == []
    assert answer("prompts/list", meta)["result"]["prompts"]
    assert "There is no key." in answer("prompts/get", {"name": "x", **meta})["error"]["message"]


def test_answers_of_2026_say_that_they_are_complete():
    for method in ("tools/list", "resources/list", "server/discover"):
        assert answer(method, META)["result"]["resultType"] == "complete"
    called = answer("tools/call", {"name": "list_jobs", **META})["result"]
    assert called["resultType"] == "complete"
    assert "ttlMs" not in called


def test_a_notification_is_not_answered():
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}

    assert StandIn().answer(message, TROUBLE) is None
