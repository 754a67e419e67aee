"""What every command begins with: settings, their warnings, the event loop."""

import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seedream_daemon.errors import ConfigError

if TYPE_CHECKING:
    from seedream_daemon.settings import Settings

Result = TypeVar("Result")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def settings_for(context: click.Context) -> "Settings":
    """Read the settings; warnings go to stderr."""
    from seedream_daemon.settings import load_settings

    settings, warnings = load_settings(os.environ, context.find_root().obj)
    for warning in warnings:
        say(warning)
    return settings


def settings_anywhere(context: click.Context) -> "Settings":
    """Read the settings where the current folder is a stranger's, as it is for MCP hosts."""
    from seedream_daemon.daemon.on_demand import refuse_current_folder
    from seedream_daemon.mcp_bridge.place import NotConfiguredError, settings_file

    named = context.find_root().obj
    try:
        file = settings_file(os.environ, str(named) if named else None)
    except NotConfiguredError as error:
        raise ConfigError(str(error)) from error
    refuse_current_folder(os.environ, file)
    from seedream_daemon.settings import load_settings

    settings, warnings = load_settings(os.environ, file, use_current_folder=False)
    for warning in warnings:
        say(warning)
    return settings


def in_loop(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run a coroutine function to its end."""
    import anyio

    return anyio.run(work)


def say(message: str) -> None:
    """Tell a person something, beside the data."""
    print(message, file=sys.stderr)


def put(document: Any) -> None:
    """Print one JSON document."""
    print(as_json(document, indent=2))


def as_json(document: Any, *, indent: int | None = None) -> str:
    """Give JSON that stdout can hold: all of it ASCII where its encoding is not UTF-8."""
    whole = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    return json.dumps(document, ensure_ascii=not whole, indent=indent)


def counted(number: int, noun: str) -> str:
    """Give `1 shot`, `2 shots`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def put_line(text: str) -> None:
    """Print one line of data."""
    print(text)
