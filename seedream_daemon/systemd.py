"""What systemd wants to know of a service: ready, alive, stopping, and a line for people.

The protocol is one datagram per message to $NOTIFY_SOCKET (sd_notify(3)). Without systemd every
call does nothing.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio

# Half of WatchdogSec= is what sd_watchdog_enabled(3) advises; a third survives one late round.
_ROUNDS = 3
_STATUS_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """The way to the service manager; `address` is None where there is none.

    `watchdog_s` is the time after which the manager kills a service that was not called alive,
    None where it does not.
    """

    address: str | None = None
    watchdog_s: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Notifier":
        """Read what the service manager left in the environment of its main process."""
        address = environment.get("NOTIFY_SOCKET") or None
        watched = environment.get("WATCHDOG_PID", "")
        usec = environment.get("WATCHDOG_USEC", "")
        is_ours = not watched or watched == str(os.getpid())
        watchdog_s = int(usec) / 1e6 if usec.isdecimal() and int(usec) and is_ours else None
        return cls(address=address, watchdog_s=watchdog_s if address else None)

    def ready(self, status: str) -> None:
        """Say that the service works: folders checked, inbox tended."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """Give the line that `systemctl status` shows."""
        self._send(_status(text))

    def reloading(self) -> None:
        """Say that settings are read anew; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """Say that the service stops."""
        self._send("STOPPING=1", _status(status))

    def extend(self, seconds: float) -> None:
        """Ask for so many more seconds, from now, before a start or stop counts as failed."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def alive(self) -> None:
        """Keep the watchdog quiet for another `watchdog_s`."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self.address is None:
            return
        # "@" stands for the NUL of an abstract address.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(0)
                out.sendto("\n".join(lines).encode("utf-8", "replace"), address)
        except OSError:
            return  # a manager that does not listen must not stop the work


async def feed_watchdog(notifier: Notifier, is_alive: Callable[[], bool]) -> None:
    """Call the service alive as long as `is_alive` says so, until cancelled.

    Runs in the event loop on purpose: a thread would go on calling while the loop hangs. Returns
    at once where no watchdog is set.
    """
    if notifier.watchdog_s is None:
        return
    while True:
        if is_alive():
            notifier.alive()
        await anyio.sleep(notifier.watchdog_s / _ROUNDS)


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())[:_STATUS_MAX]
