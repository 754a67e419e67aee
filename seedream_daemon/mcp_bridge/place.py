"""Where the daemon's sockets are, from the environment and a settings file alone.

Hosts start servers in folders of strangers, so the current folder chooses nothing: neither a
settings file is taken from it nor a relative path resolved in it. The little that is needed is read
here, since the settings proper take more time and memory than all of the bridge.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from seedream_daemon.sockets import socket_path

SYSTEM_SOCKET = Path("/run/seedream-daemon/mcp.sock")
_QUOTES = "'\""


class NotConfiguredError(Exception):
    """Something about the settings keeps any daemon from being found or started."""


class Place:
    """Where a daemon may answer, and how one is started.

    `sockets` are tried in order. `env_file` is for the daemon that is started, None where there is
    none. `may_start` is false where the socket was named: then only that daemon is meant.
    """

    __slots__ = ("env_file", "may_start", "sockets", "state_dir")

    def __init__(
        self, *, sockets: tuple[Path, ...], state_dir: Path, env_file: Path | None, may_start: bool
    ) -> None:
        self.sockets = sockets
        self.state_dir = state_dir
        self.env_file = env_file
        self.may_start = may_start


def find_place(environment: Mapping[str, str], env_file: str | None) -> Place:
    """Find out where the daemon is. Raises NotConfiguredError."""
    file = settings_file(environment, env_file)
    values = _values_in(file) if file else {}
    state_dir = _path("STATE_DIR", environment, values, file) or platform_state_dir(environment)
    named = _path("SEEDREAM_SOCKET", environment, values, file)
    sockets = (named,) if named else (socket_path(state_dir, "mcp.sock"), SYSTEM_SOCKET)
    return Place(sockets=sockets, state_dir=state_dir, env_file=file, may_start=named is None)


def settings_file(environment: Mapping[str, str], env_file: str | None) -> Path | None:
    """Choose the settings file: --env, else $SEEDREAM_ENV_FILE, else the user's own, if any.

    Raises NotConfiguredError for one that is not there or not named by an absolute path.
    """
    named = env_file or environment.get("SEEDREAM_ENV_FILE")
    if not named:
        own = user_settings_file(environment)
        return own if own.is_file() else None
    file = _absolute("--env" if env_file else "SEEDREAM_ENV_FILE", named)
    if not file.is_file():
        raise NotConfiguredError(
            f"The settings file {file} does not exist. Check --env or SEEDREAM_ENV_FILE."
        )
    return file


def user_settings_file(environment: Mapping[str, str]) -> Path:
    """Give where a user keeps settings that hold in every folder; it need not exist."""
    base = environment.get("XDG_CONFIG_HOME")
    folder = Path(base) if base and Path(base).is_absolute() else _home(environment) / ".config"
    return folder / "seedream-daemon" / "env.local"


def platform_state_dir(environment: Mapping[str, str]) -> Path:
    """Give STATE_DIR's default, as the settings do."""
    if directory := environment.get("STATE_DIRECTORY"):
        return Path(directory.split(":")[0])
    if sys.platform == "darwin":
        return _home(environment) / "Library" / "Application Support" / "seedream-daemon"
    base = environment.get("XDG_STATE_HOME")
    folder = Path(base) if base and Path(base).is_absolute() else None
    return (folder or _home(environment) / ".local" / "state") / "seedream-daemon"


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home())


def _path(
    name: str, environment: Mapping[str, str], values: Mapping[str, str], file: Path | None
) -> Path | None:
    """Give a path of the settings. The environment wins; a set but empty name means the default."""
    if name in environment:
        value = environment[name].strip()
        return _absolute(name, value) if value else None
    value = values.get(name, "").strip()
    if not value or file is None:
        return None
    return Path(os.path.normpath(file.parent / Path(value).expanduser()))


def _absolute(name: str, value: str) -> Path:
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise NotConfiguredError(
            f"{name} is {value!r}, a relative path. Name an absolute one: MCP hosts start servers "
            "in any folder."
        )
    return path


def _values_in(file: Path) -> dict[str, str]:
    """Read NAME=value lines as the settings do; of a line that is anything else, nothing."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfiguredError(
            f"The settings file {file} cannot be read as UTF-8 text: {error}."
        ) from error
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    if value[:1] and value[0] in _QUOTES:
        end = value.find(value[0], 1)
        return value[1:end] if end > 0 else value
    return value.partition(" #")[0].rstrip()
