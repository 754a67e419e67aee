"""A daemon that an agent's bridge started: it ends by itself, and makes way for another."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from seedream_daemon.daemon.control import NoDaemonError, ask_daemon
from seedream_daemon.durable import is_locked
from seedream_daemon.errors import ConfigError, UsageError
from seedream_daemon.settings import PATHS, Settings

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

IDLE_S = 600.0
LOOK_S = 1.0
# How often it is looked whether another daemon has made way.
_AWAIT_S = 0.05
# What a daemon may need to put its last pictures away, beside STOP_GRACE_SECONDS.
_MARGIN_S = 20.0


async def end_when_idle(service: "Service", idle_s: float) -> None:
    """Stop the service after so long without a job, a drop that settles, or a client."""
    busy_s = anyio.current_time()
    while anyio.current_time() - busy_s < idle_s:
        if _is_busy(service):
            busy_s = anyio.current_time()
        await anyio.sleep(min(LOOK_S, idle_s / 4))
    service.stop()


def _is_busy(service: "Service") -> bool:
    settling = any(not drop.overdue for drop in service.watcher.waiting)
    return bool(service.clients.count or service.jobs.live or settling)


async def take_over(settings: Settings) -> None:
    """Ask a daemon on demand that serves our inbox to stop, and wait until it has.

    Returns at once where the inbox is free or its daemon is an ordinary one: the inbox's lock
    then says so.
    """
    lock = settings.inbox_dir / "_running" / ".lock"
    asked = False
    with anyio.move_on_after(settings.stop_grace_seconds + _MARGIN_S):
        while await anyio.to_thread.run_sync(is_locked, lock):
            asked = asked or await anyio.to_thread.run_sync(_ask_to_stop, settings.state_dir)
            if not asked:
                return
            await anyio.sleep(_AWAIT_S)


def _ask_to_stop(state_dir: Path) -> bool:
    try:
        return bool(ask_daemon(state_dir, {"do": "make_way"}).get("stopping"))
    except (NoDaemonError, UsageError):
        return False


def refuse_current_folder(environment: Mapping[str, str], file: Path | None) -> None:
    """See to it that nothing is resolved in the folder that a host happened to start us in.

    Raises ConfigError.
    """
    relative = [
        name
        for name in sorted(PATHS)
        if (value := environment.get(name, "").strip())
        and not Path(value).expanduser().is_absolute()
    ]
    if relative:
        raise ConfigError(
            f"{', '.join(relative)}: a relative path in the environment means nothing to a daemon "
            "that an MCP host starts in any folder. Name absolute ones."
        )
    missing = [
        name for name in ("INBOX_DIR", "OUTPUT_BASE_DIR") if not environment.get(name, "").strip()
    ]
    if file is None and missing:
        own = Path("~/.config/seedream-daemon").expanduser()
        raise ConfigError(
            f"{' and '.join(missing)} cannot be guessed without a settings file. Make one with "
            f"`seedream-daemon init DIR` and name it with --env DIR/env.local, or put it at "
            f"{own / 'env.local'}."
        )
