"""Waits for the inbox before anything is served."""

import os
import signal
from functools import partial

import anyio
import anyio.abc
import anyio.to_thread

from seedream_daemon.errors import ConfigError, ExitCode, SeedreamError
from seedream_daemon.events import Emit, QueuePaused
from seedream_daemon.inbox.place import NotThere, Place, open_inbox
from seedream_daemon.settings import Settings
from seedream_daemon.systemd import Notifier

INBOX_LOOK_S = 2.0


class StoppedBeforeServingError(SeedreamError):
    """A signal came while the inbox was still waited for; that is no failure."""

    code = "stopped"
    exit_code = ExitCode.OK


async def open_place(settings: Settings, emit: Emit, *, once: bool) -> Place:
    """Open the inbox; where a known one is gone nothing is made in its place, and we wait.

    Raises ConfigError where it cannot be used, with `once` also where it is gone.
    """
    look = partial(open_inbox, settings.inbox_dir, state_dir=settings.state_dir)
    place = await anyio.to_thread.run_sync(look)
    if isinstance(place, Place):
        return place
    if once:
        raise ConfigError(f"{place.reason}.")
    async with anyio.create_task_group() as waiting:
        await waiting.start(_raise_at_signal)
        emit(QueuePaused(why="inbox", message=place.reason))
        notifier = Notifier.from_environment(os.environ)
        notifier.ready(f"paused: {place.reason}")
        found: Place | NotThere = place
        while not isinstance(found, Place):
            notifier.alive()
            await anyio.sleep(INBOX_LOOK_S)
            found = await anyio.to_thread.run_sync(look)
        waiting.cancel_scope.cancel()
    assert isinstance(found, Place)  # noqa: S101 - the only way out of the loop
    return found


async def _raise_at_signal(*, task_status: anyio.abc.TaskStatus[None]) -> None:
    """End the service, which has nothing to put in order yet."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            raise StoppedBeforeServingError("Stopped before the inbox was there.")
