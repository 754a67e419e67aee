"""Is there room on the disk for what is about to be paid for?"""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread

from seedream_daemon.events import Emit, QueuePaused, QueueReopened

# The journal must never be what does not fit: this much stays free beside the pictures.
MARGIN_BYTES = 4_000_000
LOOK_AGAIN_S = 2.0


class Room:
    """Holds requests back while a disk has no room for their pictures.

    What is in flight counts: its pictures are on their way. A picture is taken to need one byte
    per pixel, about three times what a JPEG of that size holds.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._promised = 0
        self._told_full = False
        self.short: str | None = None

    async def wait(
        self, folder: Path, wanted: int, rest: Callable[[float], Awaitable[None]]
    ) -> None:
        """Return once `folder` has room for `wanted` bytes more; `rest` sleeps between looks."""
        while True:
            lack = await anyio.to_thread.run_sync(self._lack, folder, wanted)
            if lack is None:
                self._reopen()
                return
            if self.short is None:
                self._emit(QueuePaused(why="disk", message=lack))
            self.short = lack
            await rest(LOOK_AGAIN_S)

    def tell_full(self, folder: Path) -> None:
        """Tell that something could not be written for want of room."""
        message = (
            f"The disk of {folder} is full. Nothing is lost; the work goes on when there is room."
        )
        self._told_full = True
        if self.short is None:
            self.short = message
            self._emit(QueuePaused(why="disk", message=message))

    def tell_written(self) -> None:
        """Tell that something could be written; ends what `tell_full` began."""
        if self._told_full:
            self._reopen()

    def promise(self, wanted: int) -> None:
        """Count pictures that are on their way."""
        self._promised += wanted

    def redeem(self, wanted: int) -> None:
        """Forget them again: they are on disk, or will not come."""
        self._promised -= wanted

    def _reopen(self) -> None:
        self._told_full = False
        if self.short:
            self.short = None
            self._emit(QueueReopened())

    def _lack(self, folder: Path, wanted: int) -> str | None:
        lack = lack_of_room(folder, wanted + self._promised)
        return lack and f"{lack} Nothing is sent until there is room."


def lack_of_room(folder: Path, wanted: int) -> str | None:
    """Say what is missing when `wanted` bytes and the margin do not fit; None when they do."""
    free = shutil.disk_usage(folder).free
    if free >= wanted + MARGIN_BYTES:
        return None
    return (
        f"The disk of {folder} is nearly full: {free / 1e6:.1f} MB are free and "
        f"{(wanted + MARGIN_BYTES) / 1e6:.1f} MB are needed."
    )
