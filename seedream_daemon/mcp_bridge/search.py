"""[edge] Looks for a daemon, starts one where none is, and says why there is none."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from seedream_daemon.mcp_bridge.place import NotConfiguredError, Place
from seedream_daemon.mcp_bridge.stand_in import Trouble
from seedream_daemon.mcp_bridge.starter import Starter

SEEK_S = 30.0
# A daemon that went away may be being replaced: only then is one started.
RETURN_S = 3.0
# A daemon that we know to be coming up, since it keeps ours from starting.
RIVAL_S = 8.0
# A daemon that was named and is not there at the start is hardly going to come.
NAMED_S = 1.0


class Search:
    """A search begins, and is looked after again and again until it has come to something.

    `find` says where daemons are, or raises NotConfiguredError.
    """

    def __init__(self, find: Callable[[], Place]) -> None:
        self._find = find
        self._starter = Starter()
        self._place: Place | None = None
        self._until_s = self._start_from_s = 0.0
        self._returns = False
        self._rival: Trouble | None = None
        self._closed: Path | None = None

    def begin(self) -> None:
        """Begin to look; settings are read anew, since they may have changed."""
        now = time.monotonic()
        self._place, self._rival, self._closed, self._returns = None, None, None, False
        self._start_from_s, self._until_s = now, now + SEEK_S

    def begin_again(self) -> None:
        """Begin to look for the daemon that follows one which went away."""
        self.begin()
        self._start_from_s += RETURN_S
        self._returns = True

    def look(self, *, may_start: bool) -> socket.socket | Trouble | None:
        """Look once: give a connection, why there will be none, or None for neither yet."""
        self._starter.bury()
        try:
            place = self._place or self._new_place()
            link = self._connect(place)
            if link is not None:
                self._starter.is_up()
                return link
            trouble = self._start_or_wait(place) if may_start else None
        except NotConfiguredError as error:
            trouble = Trouble("not_configured", str(error))
        except OSError as error:
            trouble = Trouble("no_daemon", f"No daemon can be started: {error}.")
        return trouble and self._with_cure(trouble)

    def _new_place(self) -> Place:
        self._place = self._find()
        if not self._place.may_start and not self._returns:
            self._until_s = time.monotonic() + NAMED_S
        return self._place

    def _connect(self, place: Place) -> socket.socket | None:
        for path in place.sockets:
            link = socket.socket(socket.AF_UNIX)
            link.settimeout(0)
            try:
                link.connect(os.fspath(path))
            except OSError as error:
                link.close()
                if isinstance(error, PermissionError):
                    self._closed = path
            else:
                return link
        return None

    def _start_or_wait(self, place: Place) -> Trouble | None:
        now = time.monotonic()
        if now >= self._until_s:
            waited = f"No daemon answers at {place.sockets[0]}; {place.state_dir} has its log."
            return self._rival or Trouble("no_daemon", waited)
        if not place.may_start:
            return None
        if self._starter.has_started:
            return self._mourn(self._starter.failure())
        if self._rival is None and now >= self._start_from_s:
            self._starter.start(place)
        return None

    def _mourn(self, trouble: Trouble | None) -> Trouble | None:
        """Take it that the daemon we started has ended: another may be why, or the settings."""
        if trouble is None or not trouble.has_rival or self._closed is not None:
            return trouble
        self._rival = trouble
        self._until_s = min(self._until_s, time.monotonic() + RIVAL_S)
        return None

    def _with_cure(self, trouble: Trouble) -> Trouble:
        if self._closed is None:
            return trouble
        return Trouble(
            "no_daemon",
            f"The socket {self._closed} of a daemon is closed to you. Be added to its group "
            f"(seedream), or mend your own: {trouble.sentence}",
        )
