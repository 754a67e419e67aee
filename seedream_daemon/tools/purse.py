"""What tools may spend: what was agreed to, what is promised to jobs, what is left.

Money is in whole micro-dollars.
"""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from seedream_daemon.durable import write_atomically
from seedream_daemon.settings import Settings
from seedream_daemon.spend.ledger import Ledger, Today
from seedream_daemon.tools.refusal import ToolRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promise:
    """A job that was accepted at a price; `before` is what had been spent on it by then."""

    price: int
    before: int
    confirmed: bool


class Purse:
    """Keeps what tools have spent since a person last agreed, over restarts, in `file`.

    `price` counts from the acceptance of a job until its end tells the true amount.
    """

    def __init__(self, settings: Settings, ledger: Ledger, file: Path) -> None:
        self._settings = settings
        self._ledger = ledger
        self._file = file
        self._unconfirmed = 0
        self._promises: dict[str, _Promise] = {}

    def load(self) -> None:
        """Read what an earlier process kept; blocks."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            self._promises = {job: _Promise(**each) for job, each in kept["promises"].items()}
            self._unconfirmed = int(kept["unconfirmed"])

    async def needs_confirmation(self, price: int, live: frozenset[str]) -> bool:
        """Whether a person must agree before so much is spent. `live` are the jobs at work."""
        await self._settle(live)
        promised = sum(each.price for each in self._promises.values() if not each.confirmed)
        return price + self._unconfirmed + promised > self._settings.mcp_confirm_usd

    async def lack(
        self, price: int, live: frozenset[str], job_id: str | None = None, *, ours: bool = True
    ) -> str | None:
        """Say which limit of money forbids a job of this price now; None if none does.

        `job_id` is a job that goes on: what was spent on it counts, for the tools' own limit only
        if the job is `ours`.
        """
        await self._settle(live)
        before = await self._ledger.spent_by_job(job_id) if job_id else 0
        settings = self._settings
        for limit, name, spent in (
            (settings.mcp_max_job_usd, "MCP_MAX_JOB_USD", before if ours else 0),
            (settings.job_budget_usd, "JOB_BUDGET_USD", before),
        ):
            if limit is not None and price + spent > limit:
                return f"{_usd(price + spent)} is above {name} ({_usd(limit)} for one job)"
        today = await self._ledger.today()
        promised = await self._outstanding()
        for left, name in (
            (today.tools_left, "MCP_DAILY_BUDGET_USD, what tools may spend in a day"),
            (today.left, "DAILY_BUDGET_USD"),
        ):
            if left is not None and price + promised > left:
                free = max(0, left - promised)
                return f"{_usd(price)} is above what is left today of {name} ({_usd(free)})"
        return None

    async def refuse_lack(
        self, price: int, live: frozenset[str], job_id: str | None, *, ours: bool
    ) -> None:
        """Raise ToolRefusedError over_budget where `lack` has something to say."""
        lack = await self.lack(price, live, job_id, ours=ours)
        if lack is not None:
            raise ToolRefusedError(
                "over_budget",
                f"{lack}. Nothing was sent. Make the job smaller, or ask the operator; no tool "
                "raises a limit.",
            )

    async def promise(self, job_id: str, price: int, *, confirmed: bool) -> None:
        """Count an accepted job. A confirmed one begins the count of what is not agreed anew."""
        before = await self._ledger.spent_by_job(job_id)
        if confirmed:
            self._unconfirmed = 0
            self._promises = {
                job: _Promise(price=each.price, before=each.before, confirmed=True)
                for job, each in self._promises.items()
            }
        self._promises[job_id] = _Promise(price=price, before=before, confirmed=confirmed)
        await anyio.to_thread.run_sync(self._save)

    async def today(self) -> Today:
        """Give the money of the running day."""
        return await self._ledger.today()

    def _save(self) -> None:
        promises = {
            job: {"price": each.price, "before": each.before, "confirmed": each.confirmed}
            for job, each in self._promises.items()
        }
        text = json.dumps({"unconfirmed": self._unconfirmed, "promises": promises})
        write_atomically(self._file, text.encode(), mode=0o600)

    async def _settle(self, live: frozenset[str]) -> None:
        """Put in place of the prices of jobs that have ended what they came to."""
        for job_id in [job for job in self._promises if job not in live]:
            promise = self._promises.pop(job_id)
            if not promise.confirmed:
                spent = await self._ledger.spent_by_job(job_id)
                self._unconfirmed += max(0, spent - promise.before)

    async def _outstanding(self) -> int:
        """Give what the jobs at work may still spend, beyond what the ledger counts already."""
        total = 0
        for job_id, promise in self._promises.items():
            spent = await self._ledger.spent_by_job(job_id) - promise.before
            total += max(0, promise.price - spent)
        return total


def _usd(micro_usd: int) -> str:
    return f"${micro_usd / 1_000_000:.2f}"
