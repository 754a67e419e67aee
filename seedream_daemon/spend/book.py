"""What was spent, by day, job and model, and whether one more shot may start.

An amount counts from its reservation on, at the most it can cost, on the day of the reservation.
The answer lowers it to what was billed. What was never answered keeps counting: the service may
have billed it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

MICRO = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One request that wants to start: the most images it can make and the most they can cost.

    `micro_usd` is None where the model's price is unknown. `job_cap_micro_usd` is the job's own
    cap, beside the one for all jobs; `job_cap_name` is what the person who set it calls it.
    """

    request_id: str
    job_id: str
    shot: str
    model: str
    images: int
    micro_usd: int | None
    job_cap_micro_usd: int | None = None
    job_cap_name: str = "max_cost_usd"
    origin: str = "folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most that may be spent, in micro-dollars; None is without a cap.

    `tools` binds, per day, what comes by MCP tools (origin `tool`), beside the other two.
    """

    day: int | None = None
    job: int | None = None
    tools: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapReached:
    """The shot must not start: it could pass a cap.

    `tomorrow_helps` is False where the cap is not one of a day, or is too low for this shot even
    on a day on which nothing else is spent.
    """

    which: Literal["day", "job", "tools"]
    limit_micro_usd: int
    spent_micro_usd: int
    tomorrow_helps: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A reservation without its answer; `writer` and `boot` name the process that made it."""

    request_id: str
    job_id: str
    model: str
    origin: str
    day: str
    images: int
    micro_usd: int | None
    boot: str
    writer: str
    doubtful: bool = False


@dataclass(slots=True)
class _Total:
    micro_usd: int = 0
    images: int = 0


Cell = tuple[str, str, str, str]
"""Where an amount belongs: day, job, model, origin."""


class Book:
    """The ledger added up."""

    def __init__(self) -> None:
        self._cells: dict[Cell, _Total] = {}
        self._open: dict[str, Open] = {}
        self._days: defaultdict[str, int] = defaultdict(int)
        self._tools: defaultdict[str, int] = defaultdict(int)
        self._jobs: defaultdict[str, int] = defaultdict(int)

    def reserve(self, entry: Open) -> None:
        """Count a request at the most that it can cost."""
        if entry.request_id in self._open:
            self.settle(entry.request_id, images=0, micro_usd=0)
        self._open[entry.request_id] = entry
        self._add(entry, entry.micro_usd or 0, entry.images)

    def settle(self, request_id: str, *, images: int, micro_usd: int | None) -> None:
        """Count what a request was billed, in place of what it could have been.

        A request that is not open is left alone.
        """
        entry = self._open.pop(request_id, None)
        if entry is not None:
            self._add(entry, (micro_usd or 0) - (entry.micro_usd or 0), images - entry.images)

    def doubt(self, request_id: str) -> None:
        """Mark an open request as one whose answer did not come; it keeps counting."""
        entry = self._open.get(request_id)
        if entry is not None:
            self._open[request_id] = replace(entry, doubtful=True)

    def is_open(self, request_id: str) -> bool:
        """Say whether a request still waits to be settled."""
        return request_id in self._open

    def open_of(self, job_id: str) -> tuple[str, ...]:
        """Give the requests of a job that nobody has settled, nor called in doubt."""
        entries = self._open.values()
        return tuple(e.request_id for e in entries if e.job_id == job_id and not e.doubtful)

    def may_reserve(self, wish: Reservation, *, day: str, caps: Caps) -> CapReached | None:
        """Say which cap the request could pass, None if it may start.

        A cap that waiting does not lift is told first. What has no price cannot be held
        against a cap, so the caller refuses it where one is set.
        """
        price = wish.micro_usd or 0
        job, name = _lower(caps.job, wish)
        spent = self._jobs.get(wish.job_id, 0)
        if job is not None and spent + price > job:
            return _job_cap(name, limit=job, spent=spent, price=price)
        spent = self._tools.get(day, 0)
        if wish.origin == "tool" and caps.tools is not None and spent + price > caps.tools:
            return _day_cap("tools", limit=caps.tools, spent=spent, price=price)
        spent = self._days.get(day, 0)
        if caps.day is not None and spent + price > caps.day:
            return _day_cap("day", limit=caps.day, spent=spent, price=price)
        return None

    def spent_on(self, day: str) -> int:
        """Give the micro-dollars of a day, with what is open and in doubt."""
        return self._days.get(day, 0)

    def spent_by_tools(self, day: str) -> int:
        """Give the micro-dollars that tools spent on a day, with what is open and in doubt."""
        return self._tools.get(day, 0)

    def spent_by_job(self, job_id: str) -> int:
        """Give the micro-dollars of a job, over all days, with what is open and in doubt."""
        return self._jobs.get(job_id, 0)

    def images_on(self, day: str) -> int:
        """Give the images of a day, with those that are open or in doubt."""
        return sum(total.images for cell, total in self._cells.items() if cell[0] == day)

    def in_doubt(self, in_flight: Callable[[Open], bool]) -> tuple[Open, ...]:
        """Give the requests whose answer will not come by itself: told so, or left by a kill."""
        return tuple(e for e in self._open.values() if e.doubtful or not in_flight(e))

    def report(self, days: Iterable[str], in_flight: Callable[[Open], bool]) -> dict[str, Any]:
        """Add up the given days as `spend --json` prints them; `usd` includes `in_doubt_usd`."""
        wanted = tuple(days)
        cells = [(cell, total) for cell, total in self._cells.items() if cell[0] in wanted]
        doubts = [e for e in self.in_doubt(in_flight) if e.day in wanted]
        by_day = _rows("date", ((c[0], t) for c, t in cells), ((e.day, e) for e in doubts))
        by_job = _rows("job_id", ((c[1], t) for c, t in cells), ((e.job_id, e) for e in doubts))
        by_model = _rows("model", ((c[2], t) for c, t in cells), ((e.model, e) for e in doubts))
        return {
            "days": sorted(by_day, key=lambda row: str(row["date"]), reverse=True),
            "jobs": sorted(by_job, key=lambda row: float(row["usd"]), reverse=True),
            "models": sorted(by_model, key=lambda row: float(row["usd"]), reverse=True),
        }

    def to_json(self) -> dict[str, Any]:
        """Give all that the book holds, for a checkpoint."""
        cells = [[*cell, total.micro_usd, total.images] for cell, total in self._cells.items()]
        return {"cells": cells, "open": [asdict(entry) for entry in self._open.values()]}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Book":
        """Take the book up from a checkpoint.

        Raises KeyError, TypeError or ValueError where it is not one of ours.
        """
        book = cls()
        for day, job_id, model, origin, micro_usd, images in saved["cells"]:
            book._count((day, job_id, model, origin), int(micro_usd), int(images))
        book._open = {entry["request_id"]: Open(**entry) for entry in saved["open"]}
        return book

    def _add(self, entry: Open, micro_usd: int, images: int) -> None:
        self._count((entry.day, entry.job_id, entry.model, entry.origin), micro_usd, images)

    def _count(self, cell: Cell, micro_usd: int, images: int) -> None:
        total = self._cells.setdefault(cell, _Total())
        total.micro_usd += micro_usd
        total.images += images
        if not total.micro_usd and not total.images:
            del self._cells[cell]
        day, job_id, _model, origin = cell
        self._days[day] += micro_usd
        self._jobs[job_id] += micro_usd
        if origin == "tool":
            self._tools[day] += micro_usd


def usd(micro_usd: int) -> str:
    """Print an amount with its sign: at least two decimals, at most six."""
    whole, rest = divmod(micro_usd, MICRO)
    return f"${whole}.{f'{rest:06d}'.rstrip('0').ljust(2, '0')}"


def _lower(for_all_jobs: int | None, wish: Reservation) -> tuple[int | None, str]:
    own = wish.job_cap_micro_usd
    if own is not None and (for_all_jobs is None or own <= for_all_jobs):
        return own, wish.job_cap_name
    return for_all_jobs, "JOB_BUDGET_USD"


def _job_cap(name: str, *, limit: int, spent: int, price: int) -> CapReached:
    return CapReached(
        which="job",
        limit_micro_usd=limit,
        spent_micro_usd=spent,
        tomorrow_helps=False,
        message=f"The next shot can cost {usd(price)}, and the job has spent {usd(spent)} of the "
        f"{usd(limit)} that {name} allows. Raise {name}, then resume the session.",
    )


def _day_cap(which: Literal["day", "tools"], *, limit: int, spent: int, price: int) -> CapReached:
    name = "DAILY_BUDGET_USD" if which == "day" else "MCP_DAILY_BUDGET_USD"
    helps = price <= limit
    cure = f"It goes on tomorrow, or when {name} is raised." if helps else f"Raise {name}."
    return CapReached(
        which=which,
        limit_micro_usd=limit,
        spent_micro_usd=spent,
        tomorrow_helps=helps,
        message=f"The next shot can cost {usd(price)}, and {usd(spent)} of the {usd(limit)} a day "
        f"that {name} allows are spent. {cure}",
    )


def _rows(
    name: str,
    totals: Iterable[tuple[str, _Total]],
    doubts: Iterable[tuple[str, Open]],
) -> list[dict[str, Any]]:
    spent: defaultdict[str, _Total] = defaultdict(_Total)
    for key, total in totals:
        spent[key].micro_usd += total.micro_usd
        spent[key].images += total.images
    in_doubt: defaultdict[str, int] = defaultdict(int)
    for key, entry in doubts:
        in_doubt[key] += entry.micro_usd or 0
    return [
        {
            name: key,
            "usd": total.micro_usd / MICRO,
            "images": total.images,
            "in_doubt_usd": in_doubt.get(key, 0) / MICRO,
        }
        for key, total in spent.items()
    ]
