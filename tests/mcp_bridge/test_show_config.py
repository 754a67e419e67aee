"""`mcp --show-config`: what a person pastes into a client."""

import json
import subprocess
import sys
import tomllib

import pytest

CLIENTS = ("claude-code", "claude-desktop", "vscode", "cursor", "codex")


@pytest.fixture
def show(tmp_path, environment):
    """Run `mcp --show-config` in a folder of a stranger's."""

    def run(*words, before=(), **more):
        command = [sys.executable, "-P", "-m", "seedream_daemon", *before, "mcp", *words]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={
                **environment,
                "INBOX_DIR": str(tmp_path / "inbox"),
                "OUTPUT_BASE_DIR": str(tmp_path / "outputs"),
                **more,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def entry_of(client, text):
    if client == "codex":
        return tomllib.loads(text)["mcp_servers"]["seedream"]
    return json.loads(text)["servers" if client == "vscode" else "mcpServers"]["seedream"]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_snippet_starts_a_bridge_that_answers(show, environment, client):
    shown = show("--show-config", client)

    entry = entry_of(client, shown.stdout)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    line = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    answered = subprocess.run(
        [entry["command"], *entry["args"]],
        cwd="/",
        env={**environment, "SEEDREAM_SOCKET": "/nowhere/mcp.sock"},
        input=json.dumps(line) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answered.stdout)["result"]["serverInfo"]["name"] == "seedream-daemon"
    assert shown.returncode == 0


def test_without_a_name_the_snippet_is_that_of_claude_code(show):
    assert show("--show-config").stdout == show("--show-config", "claude-code").stdout


def test_the_settings_file_is_named_by_its_absolute_path(show, tmp_path):
    file = tmp_path / "my env.local"
    file.write_text("", encoding="utf-8")

    shown = show("--show-config", before=("--env", "my env.local"))

    assert entry_of("claude-code", shown.stdout)["args"][-3:] == ["--env", str(file), "mcp"]


def test_the_settings_file_of_the_current_folder_is_mentioned_and_not_used(show, tmp_path):
    (tmp_path / "env.local").write_text("MCP_PORT=1\n", encoding="utf-8")

    shown = show("--show-config")

    assert "--env" not in shown.stdout
    assert "env.local of this folder is not used" in shown.stderr


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "claude-desktop"])
def test_over_http_the_token_is_a_variable(show, tmp_path, client):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mcp-token").write_text("very-secret", encoding="utf-8")

    shown = show("--show-config", client, "--http", MCP_PORT="8950")

    assert entry_of(client, shown.stdout)["url"] == "http://127.0.0.1:8950/mcp"
    assert "very-secret" not in shown.stdout + shown.stderr
    assert f"cat {tmp_path / 'state' / 'mcp-token'}" in shown.stderr


def test_http_without_a_port_says_what_to_set(show):
    shown = show("--show-config", "--http")

    assert (shown.returncode, shown.stdout) == (3, "")
    assert "MCP_PORT is not set" in shown.stderr


def test_a_client_that_reaches_no_local_port_is_told_so(show):
    shown = show("--show-config", "claude-desktop", "--http", MCP_PORT="8950")

    assert (shown.returncode, shown.stdout) == (2, "")
    assert "leave out --http" in shown.stderr


def test_an_unknown_client_is_a_wrong_word(show):
    shown = show("--show-config", "emacs")

    assert (shown.returncode, shown.stdout) == (2, "")
