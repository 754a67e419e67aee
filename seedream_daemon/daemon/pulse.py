"""What systemd hears: that we are ready, alive, and how it goes."""

import contextlib
import os
import time

import anyio
import anyio.to_thread

from seedream_daemon.daemon.service import Service
from seedream_daemon.systemd import Notifier, feed_watchdog

BEAT_S = 5.0
# While it drains the service asks for so much more time, again and again.
MORE_TIME_S = 30.0
# How late the scan of the inbox may be, beside its own interval, before it counts as stuck.
LATE_S = 60.0


class Pulse:
    """Tells the service manager how a service stands; silent where there is no manager."""

    def __init__(self, service: Service, notifier: Notifier) -> None:
        self._service = service
        self._notifier = notifier
        self._told = ""
        self._spent_micro_usd = 0
        self._thread_answered_s = time.monotonic()

    def ready(self) -> None:
        """Say that the service serves."""
        self._notifier.ready(self.sentence())

    async def ready_once_tended(self) -> None:
        """Say that the service serves as soon as the inbox is looked after."""
        await self._service.watcher.scanned()
        self.ready()

    def reloading(self) -> None:
        """Say that the settings are read anew; `ready` ends it."""
        self._notifier.reloading()

    async def beat(self) -> None:
        """Tell how it goes until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(feed_watchdog, self._notifier, self.is_alive)
            group.start_soon(self._ask_extra_time)
            while True:
                await anyio.to_thread.run_sync(os.getpid)
                self._thread_answered_s = time.monotonic()
                with contextlib.suppress(OSError):  # a sick disk must not silence the pulse
                    self._spent_micro_usd = (await self._service.engine.means.ledger.today()).spent
                if (sentence := self.sentence()) != self._told:
                    self._told = sentence
                    self._notifier.status(sentence)
                await anyio.sleep(BEAT_S)

    async def _ask_extra_time(self) -> None:
        await self._service.engine.stopped()
        self._notifier.stopping(self.sentence())
        while True:
            self._notifier.extend(MORE_TIME_S)
            await anyio.sleep(BEAT_S)

    def is_alive(self) -> bool:
        """Whether threads answer, the ledger's disk answers and the inbox is looked at.

        Called from the event loop, so an answer at all means that the loop turns.
        """
        now = time.monotonic()
        scanned = self._service.watcher.scanned_s
        late_s = 0.0 if scanned is None else now - scanned - self._service.settings.rescan_seconds
        stopping = self._service.engine.stopping
        return now - self._thread_answered_s < LATE_S and (stopping or late_s < LATE_S)

    def sentence(self) -> str:
        """Say how it goes in one line: `3 jobs, 41/120 saved, 96 img/min, $1.23 today`."""
        service = self._service
        rows = [job.row() for job in service.jobs.live.values()]
        saved = sum(row["saved"] for row in rows)
        shots = sum(row["shots"] or 0 for row in rows)
        pace = service.tally.per_minute(anyio.current_time())
        jobs = "1 job" if len(rows) == 1 else f"{len(rows)} jobs"
        money = f"${self._spent_micro_usd / 1e6:.2f} today"
        words = f"{jobs}, {saved}/{shots} saved, {pace:.0f} img/min, {money}"
        state, reason = service.state()
        return words if state == "running" else f"{state}: {reason}; {words}"
