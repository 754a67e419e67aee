"""What each MCP client wants to have in its configuration. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

NAME = "seedream"
TOKEN_VARIABLE = "SEEDREAM_MCP_TOKEN"  # noqa: S105 - a variable's name, not its value
CLIENTS = ("claude-code", "claude-desktop", "vscode", "cursor", "codex")
# Where people put the snippet.
PLACES: Mapping[str, str] = {
    "claude-code": ".mcp.json of a project, or ~/.claude.json for all",
    "claude-desktop": "claude_desktop_config.json (Settings, Developer, Edit Config)",
    "vscode": ".vscode/mcp.json, or the user's mcp.json (MCP: Open User Configuration)",
    "cursor": ".cursor/mcp.json, or ~/.cursor/mcp.json",
    "codex": "~/.codex/config.toml",
}
# Claude Desktop dials HTTP servers from elsewhere, where 127.0.0.1 is another machine.
WITHOUT_HTTP = frozenset({"claude-desktop"})
_INPUT = "seedream-token"


def stdio_snippet(client: str, words: Sequence[str]) -> str:
    """Give a client's entry that starts the bridge by `words`, a command line."""
    command, arguments = words[0], list(words[1:])
    if client == "codex":
        listed = ", ".join(_toml(word) for word in arguments)
        return _codex(f"command = {_toml(command)}", f"args = [{listed}]")
    entry: dict[str, Any] = {"command": command, "args": arguments}
    if client in {"claude-code", "vscode"}:
        entry = {"type": "stdio", **entry}
    return _entry(client, entry)


def http_snippet(client: str, url: str) -> str:
    """Give a client's entry for the daemon's port; the token stands in it as a variable only."""
    if client == "codex":
        variable = f"bearer_token_env_var = {_toml(TOKEN_VARIABLE)}"
        return _codex(f"url = {_toml(url)}", variable)
    variable = {
        "vscode": f"${{input:{_INPUT}}}",
        "cursor": f"${{env:{TOKEN_VARIABLE}}}",
    }.get(client, f"${{{TOKEN_VARIABLE}}}")
    entry: dict[str, Any] = {"url": url, "headers": {"Authorization": f"Bearer {variable}"}}
    if client != "cursor":
        entry = {"type": "http", **entry}
    inputs = [
        {
            "type": "promptString",
            "id": _INPUT,
            "description": "Token of seedream-daemon",
            "password": True,
        }
    ]
    return _entry(client, entry, {"inputs": inputs} if client == "vscode" else {})


def _entry(client: str, entry: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> str:
    key = "servers" if client == "vscode" else "mcpServers"
    return json.dumps({**(more or {}), key: {NAME: entry}}, ensure_ascii=False, indent=2)


def _codex(*lines: str) -> str:
    return "\n".join((f"[mcp_servers.{NAME}]", *lines))


def _toml(text: str) -> str:
    """Quote a string for TOML, whose basic strings are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
