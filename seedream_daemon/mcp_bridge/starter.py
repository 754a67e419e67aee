"""[edge] Starts a daemon on demand, and says why one did not come up."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import seedream_daemon
from seedream_daemon.mcp_bridge.place import NotConfiguredError, Place
from seedream_daemon.mcp_bridge.stand_in import Trouble

if TYPE_CHECKING:
    import subprocess

LOG_NAME = "on-demand.log"
MOST_LOG_BYTES = 2_000_000
_TOLD_BY = "seedream-daemon: "
# What a supervisor of the host said to the host alone.
_NOT_FOR_IT = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")
# How the daemon's own words say that the inbox has a daemon already.
_SERVED = "is already served by"


class Starter:
    """At most one daemon that this bridge has started."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._up: list[subprocess.Popen[bytes]] = []
        self._log: Path | None = None
        self._log_began = 0

    @property
    def has_started(self) -> bool:
        """Whether there is a daemon that has neither come up nor failed yet."""
        return self._process is not None

    def start(self, place: Place) -> None:
        """Start `serve --on-demand`, in a process session of its own that outlives the bridge.

        Raises NotConfiguredError where STATE_DIR cannot be used, OSError where nothing starts.
        """
        import subprocess  # noqa: PLC0415 - most bridges find a daemon, and never need it

        words = ["--env", str(place.env_file)] if place.env_file else []
        with self._open_log(place.state_dir) as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable, "-P", "-m", "seedream_daemon", *words, "serve", "--on-demand"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                start_new_session=True,
                umask=0o077,  # sessions hold faces
            )

    def is_up(self) -> None:
        """Note that a daemon answers: how ours ends from now on is no failure to start."""
        if self._process is not None:
            self._up.append(self._process)
            self._process = None

    def bury(self) -> None:
        """Take leave of those that have ended since they were up, or they stay as zombies."""
        self._up = [process for process in self._up if process.poll() is None]

    def failure(self) -> Trouble | None:
        """Say why the daemon that was started has ended; None as long as it runs."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None:
            return None
        self._process = None
        sentence = self._last_words()
        if _SERVED in sentence:
            sentence += (
                " Its socket is closed to you: ask its user, or be added to group seedream if it "
                "is the system's."
            )
            return Trouble("no_daemon", sentence, has_rival=True)
        if code == 3:
            return Trouble("not_configured", sentence)
        sentence = sentence or f"The daemon ended at once; {self._log} says why."
        # It ends well only where another daemon has asked it to.
        return Trouble("no_daemon", sentence, has_rival=code == 0)

    def _open_log(self, state_dir: Path) -> "contextlib.AbstractContextManager[int]":
        log = state_dir / LOG_NAME
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileNotFoundError):
                if log.stat().st_size > MOST_LOG_BYTES:
                    log.replace(log.with_name(f"{LOG_NAME}.1"))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(log, flags, 0o600)
        except OSError as error:
            raise NotConfiguredError(
                f"STATE_DIR {state_dir} cannot be used: {error.strerror}. "
                "Name a folder that you may write to."
            ) from error
        self._log, self._log_began = log, os.fstat(descriptor).st_size
        return _closing(descriptor)

    def _last_words(self) -> str:
        """Read the paragraph that the command line ends with."""
        if self._log is None:
            return ""
        try:
            with self._log.open("rb") as file:
                file.seek(self._log_began)
                text = file.read(MOST_LOG_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""
        _, told, words = text.rpartition(_TOLD_BY)
        return " ".join(words.split()) if told else ""


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _environment() -> dict[str, str]:
    """Give the daemon's environment; it finds this package wherever it lies."""
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT}
    package = str(Path(seedream_daemon.__file__).parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}
