"""How the daemon stands, for an agent that begins."""

from typing import TYPE_CHECKING, Any

import anyio

from seedream_daemon import __version__
from seedream_daemon.run.result import dollars
from seedream_daemon.spend.ledger import Today
from seedream_daemon.tools.words import line

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service
    from seedream_daemon.tools.stories import Stories

FRESH_S = 0.5


class StatusDesk:
    """Tells how the daemon stands; the money of the day is read twice a second at most."""

    def __init__(self, service: "Service", stories: "Stories") -> None:
        self._service = service
        self._stories = stories
        self._turn = anyio.Lock()
        self._today: tuple[float, Today] | None = None

    async def document(self) -> dict[str, Any]:
        """Give what get_status answers."""
        service, settings = self._service, self._service.settings
        today = await self._money()
        problems = self._problems()
        return {
            "state": "attention" if problems else "ok",
            "version": __version__,
            "queue": self._queue(),
            "images_per_minute": round(service.tally.per_minute(anyio.current_time()), 1),
            "spend": {
                "today_usd": dollars(today.spent),
                "in_doubt_usd": dollars(today.in_doubt),
                "left_usd": dollars(today.left),
                "tools_today_usd": dollars(today.tools_spent),
                "tools_left_usd": dollars(today.tools_left),
            },
            "limits": {
                "confirm_above_usd": dollars(settings.mcp_confirm_usd),
                "max_job_usd": dollars(settings.mcp_max_job_usd),
                "job_budget_usd": dollars(settings.job_budget_usd),
                "model": settings.seedream_model_id,
            },
            "folders": {
                "inbox": str(service.place.root),
                "photos": str(service.place.photos),
                "output": str(settings.output_base_dir),
                "roots": [str(root) for root in settings.allowed_roots],
            },
            "problems": problems,
        }

    def _queue(self) -> dict[str, int]:
        states = [self._stories.of_live(job).state for job in self._service.jobs.live.values()]
        return {
            "waiting": states.count("waiting") + len(self._service.watcher.waiting),
            "running": states.count("running"),
            "paused": states.count("paused"),
            "in_flight": self._service.engine.in_flight,
        }

    async def _money(self) -> Today:
        async with self._turn:
            now = anyio.current_time()
            if self._today is None or now - self._today[0] > FRESH_S:
                self._today = (now, await self._service.engine.means.ledger.today())
            return self._today[1]

    def _problems(self) -> list[dict[str, str]]:
        service = self._service
        means = service.engine.means
        found: list[tuple[str, str]] = []
        if service.engine.stopping:
            found.append(("The daemon is stopping.", "Ask again in about 30 s."))
        if means.gate.pause is not None:
            what = "The image service refuses the account: the key, the model or the credit."
            found.append((what, "The operator runs `seedream-daemon doctor` and mends it."))
        if means.room.short:
            found.append(("There is too little room on the disk.", "The operator makes room."))
        if service.watcher.paused:
            found.append(("The inbox is not there.", "The operator mounts its disk."))
        overdue = sum(drop.overdue for drop in service.watcher.waiting)
        if overdue:
            what = f"{overdue} folders in the inbox wait for something that a person must do."
            found.append((what, "`seedream-daemon status` tells what each of them waits for."))
        return [{"what": line(what), "mend": line(mend)} for what, mend in found]
