"""Hears of changes in the inbox where that can work, and says so where it cannot."""

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from anyio import CancelScope, RunFinishedError, from_thread, to_thread
from anyio.lowlevel import EventLoopToken, current_token

from seedream_daemon.errors import ConfigError
from seedream_daemon.inbox import mounts
from seedream_daemon.inbox.nudge import Hints, Nudges

Mode = Literal["auto", "events", "poll"]


class Ears:
    """A watch on the inbox that falls back to silence, once, with one warning.

    `wake` is called in the event loop after events; `warn` is told why none will come.
    """

    def __init__(
        self, root: Path, *, mode: Mode, wake: Callable[[], None], warn: Callable[[str], None]
    ) -> None:
        self._root = root
        self._mode = mode
        self._wake = wake
        self._warn = warn
        self._nudges: Nudges | None = None

    @property
    def hear(self) -> bool:
        """Whether events come."""
        return self._nudges is not None

    async def open(self) -> None:
        """Begin to listen. Raises ConfigError where WATCH=events cannot work."""
        why = await self._listen()
        if why is not None and self._mode == "events":
            raise ConfigError(f"WATCH=events cannot work: {why}. Set WATCH=auto or WATCH=poll.")
        self._give_up(why)

    async def keep(self) -> bool:
        """See to it that events still come, or that it is known that they do not.

        Answers True where something may have been missed, so that another scan is due.
        """
        if self._nudges is None and self._mode != "poll":
            self._give_up(await self._listen())
            return True
        if self._nudges is not None and not self._nudges.is_alive():
            await self.close()
            self._give_up("the observer of the inbox died")
            return True
        return False

    def expect_leave(self, name: str) -> None:
        """Say that we are about to take a name out of the inbox ourselves."""
        if self._nudges is not None:
            self._nudges.expect_leave(name)

    def forget_leave(self, name: str) -> None:
        """Say that we did not take it after all."""
        if self._nudges is not None:
            self._nudges.forget_leave(name)

    def hints(self) -> Hints:
        """Give what the events since the last call said."""
        return Hints() if self._nudges is None else self._nudges.take()

    async def close(self) -> None:
        """Stop listening; `keep` begins anew."""
        nudges, self._nudges = self._nudges, None
        if nudges is not None:
            # In a thread: stop() waits for the observer, and that may wait for this event loop.
            with CancelScope(shield=True):
                await to_thread.run_sync(nudges.stop)

    async def _listen(self) -> str | None:
        """Start the observer; give why it is of no use, None if it is or is not wanted."""
        if self._mode == "poll":
            return None
        nudges = Nudges(self._root, partial(_wake, current_token(), self._wake))
        # The probe's own event needs the loop to run, and the loop must not wait for the probe.
        self._nudges = nudges
        why = await to_thread.run_sync(partial(_start, nudges, self._root, self._mode))
        if why is not None:
            await self.close()
        return why

    def _give_up(self, why: str | None) -> None:
        if why is not None:
            self._mode = "poll"
            self._warn(f"{why}: the inbox is polled instead. WATCH=poll silences this.")


def _wake(token: EventLoopToken, wake: Callable[[], None]) -> None:
    with contextlib.suppress(RunFinishedError):
        from_thread.run_sync(wake, token=token)


def _start(nudges: Nudges, root: Path, mode: Mode) -> str | None:
    kind = _file_system(root)
    if mode == "auto" and mounts.is_silent(kind):
        return f"a file system of type {kind} does not tell what others write to it"
    try:
        nudges.start()
    except OSError as error:
        return f"the inbox cannot be watched ({error.strerror or error})"
    return None if nudges.probe() else "no events come from the inbox"


def _file_system(root: Path) -> str:
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return mounts.file_system(str(root.resolve()), text)
