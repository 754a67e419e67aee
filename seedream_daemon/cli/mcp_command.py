"""`mcp`: the bridge that MCP clients start, and the configuration that tells them to."""

import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from seedream_daemon.cli.settled import put_line, say, settings_anywhere
from seedream_daemon.errors import ConfigError, UsageError
from seedream_daemon.mcp_bridge.place import NotConfiguredError, settings_file
from seedream_daemon.mcp_bridge.snippets import (
    CLIENTS,
    PLACES,
    TOKEN_VARIABLE,
    WITHOUT_HTTP,
    http_snippet,
    stdio_snippet,
)


@click.command()
@click.option(
    "--show-config",
    "client",
    type=click.Choice(CLIENTS),
    is_flag=False,
    flag_value=CLIENTS[0],
    help="Print what this client wants in its configuration (claude-code if none is named).",
)
@click.option("--http", is_flag=True, help="For MCP_PORT instead of a process of its own.")
@click.pass_context
def mcp(context: click.Context, *, client: str | None, http: bool) -> int:
    """Offer the tools to an AI assistant on stdin and stdout; starts a daemon if need be."""
    if client is None:
        if http:
            raise UsageError("--http goes with --show-config; the port itself is MCP_PORT's.")
        from seedream_daemon.mcp_bridge.main import run_bridge

        named = context.find_root().obj
        return run_bridge(["--env", str(named), "mcp"] if named else ["mcp"])
    if http:
        _show_http(context, client)
    else:
        _show_stdio(context, client)
    say(f"Put this into {PLACES[client]}.")
    return 0


def _show_stdio(context: click.Context, client: str) -> None:
    named = context.find_root().obj
    try:
        file = settings_file(os.environ, str(named.absolute()) if named else None)
    except NotConfiguredError as error:
        raise ConfigError(str(error)) from error
    if file is None and Path("env.local").is_file():
        say("env.local of this folder is not used; name it: --env env.local mcp --show-config.")
    env_words = ["--env", str(file)] if file else []
    put_line(stdio_snippet(client, [*_program(), *env_words, "mcp"]))


def _show_http(context: click.Context, client: str) -> None:
    if client in WITHOUT_HTTP:
        raise UsageError(f"{client} reaches no HTTP server on this machine; leave out --http.")
    settings = settings_anywhere(context)
    if settings.mcp_port is None:
        raise ConfigError("MCP_PORT is not set, so there is no HTTP. Set it, and restart serve.")
    host = f"[{settings.mcp_host}]" if ":" in settings.mcp_host else settings.mcp_host
    put_line(http_snippet(client, f"http://{host}:{settings.mcp_port}/mcp"))
    token = shlex.quote(str(settings.mcp_token_file or settings.state_dir / "mcp-token"))
    if client == "vscode":
        say(f"VS Code asks for the token once: cat {token}")
    else:
        say(f'export {TOKEN_VARIABLE}="$(cat {token})"')


def _program() -> list[str]:
    """Give the command line of this program, in absolute words that hold in any folder."""
    script = Path(sys.argv[0])
    found = str(script) if script.name == "seedream-daemon" else None
    found = shutil.which(found) if found else None
    if found:
        return [os.path.abspath(found)]  # noqa: PTH100 - a link stays as named, upgrades move it
    return [sys.executable, "-P", "-m", "seedream_daemon"]
