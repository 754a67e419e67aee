"""Money and pace of all processes of one STATE_DIR: reserve, send, settle.

A reservation is on the disk before its request leaves, so what a kill leaves open keeps counting
until somebody settles it. Days are those of the local calendar; the pace runs on the time since
boot, so neither a restart nor a clock that was set back lets more through.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

from seedream_daemon.errors import ConfigError
from seedream_daemon.spend.book import Book, CapReached, Caps, Open, Reservation
from seedream_daemon.spend.clock import Clock, born, system_clock
from seedream_daemon.spend.pace import WINDOW_S, Started, Window
from seedream_daemon.spend.segments import SEGMENT_BYTES, Segments

# Between a reservation and the first byte of its request lie a journal line and a connection.
# The service counts from that byte on, so our window is longer than its own.
LEAD_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """The request may leave now; its reservation is on the disk."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceWait:
    """Nothing was reserved; ask again in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The money of the running day, in micro-dollars; `left` is None without a daily cap.

    `spent` holds what is in flight and in doubt as well. `tools_spent` is the part that came by
    MCP tools.
    """

    date: str
    spent: int
    in_doubt: int
    left: int | None
    images: int
    tools_spent: int
    tools_left: int | None


class Ledger:
    """One process's door to the ledger in STATE_DIR.

    All methods may be called by many tasks at once; the disk work is done in a worker thread, in
    the order of the calls. They raise OSError where STATE_DIR cannot be written: nothing was
    reserved or settled then.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        images_per_minute: int,
        daily_budget_micro_usd: int | None = None,
        job_budget_micro_usd: int | None = None,
        tools_budget_micro_usd: int | None = None,
        clock: Clock | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._segments = Segments(state_dir, segment_bytes=segment_bytes)
        self._clock = clock or system_clock()
        self._images_per_minute = images_per_minute
        self._caps = Caps(
            day=daily_budget_micro_usd, job=job_budget_micro_usd, tools=tools_budget_micro_usd
        )
        self._book: Book | None = None
        self._window = Window(images_per_minute, window_s=WINDOW_S + LEAD_S)
        self._window_boot = self._clock.boot_id
        self._writer = f"{os.getpid()}.{born(os.getpid())}"
        self._one_at_a_time = CapacityLimiter(1)

    def limit(self, *, images_per_minute: int, caps: Caps) -> None:
        """Take other limits from now on; what is reserved stays so."""
        self._caps = caps
        self._window.per_minute = images_per_minute

    async def reserve(self, wish: Reservation) -> Reserved | PaceWait | CapReached:
        """Reserve the money and the place in the pace for one request, or say why not.

        Whoever is given Reserved sends the request at once and then calls one of `settle`,
        `release` and `doubt`. Raises ConfigError where the price is unknown and a cap is set.
        """
        return await self._in_thread(partial(self._reserve, wish))

    async def settle(self, request_id: str, *, images: int, micro_usd: int | None) -> None:
        """Record what an answered request was billed; the rest of its reservation is given back.

        Works for requests of an earlier process too. One that is not open is left alone.
        """
        fields = {"event": "settle", "images": images, "micro_usd": micro_usd}
        await self._in_thread(partial(self._close_request, request_id, fields))

    async def release(self, request_id: str) -> None:
        """Record that a request is known to be unbilled: refused, or never sent."""
        await self._in_thread(partial(self._close_request, request_id, {"event": "release"}))

    async def doubt(self, request_id: str) -> None:
        """Record that a request may have been billed and no answer will come; it keeps counting."""
        await self._in_thread(partial(self._close_request, request_id, {"event": "doubt"}))

    async def open_requests(self, job_id: str) -> tuple[str, ...]:
        """Give the requests of a job that nobody has settled, released or called in doubt."""
        return await self._in_thread(lambda: self._read().open_of(job_id))

    async def today(self) -> Today:
        """Give the money of the running day."""
        return await self._in_thread(self._today)

    async def spent_by_job(self, job_id: str) -> int:
        """Give the micro-dollars that a job has spent so far, with what is open and in doubt."""
        return await self._in_thread(lambda: self._read().spent_by_job(job_id))

    async def images_in_window(self) -> int:
        """Give the images that the requests of the last minute can have made."""
        return await self._in_thread(self._images_in_window)

    async def summary(self, days: int) -> Mapping[str, Any]:
        """Add up the last so many days, today included, as `spend --json` prints them.

        {days: [{date, usd, images, in_doubt_usd}], jobs: [{job_id, ...}], models: [{model, ...}]},
        newest day and greatest amount first. `usd` counts what is in flight and in doubt as well.
        """
        return await self._in_thread(partial(self._summary, days))

    def close(self) -> None:
        """Let go of the files; the next call opens them again."""
        self._segments.close()
        self._book = None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # One thread at a time holds the lock; a cancelled caller still waits for the disk.
        return await to_thread.run_sync(partial(self._locked, work), limiter=self._one_at_a_time)

    def _locked(self, work: Callable[[], T]) -> T:
        with self._segments.locked():
            return work()

    def _reserve(self, wish: Reservation) -> Reserved | PaceWait | CapReached:
        self._refuse_unpriced(wish)
        book = self._read()
        day = self._clock.wall().date().isoformat()
        reached = book.may_reserve(wish, day=day, caps=self._caps)
        if reached is not None:
            return reached
        up_s = self._up_s()
        wait_s = self._window.wait_s(up_s, wish.images)
        if wait_s > 0:
            return PaceWait(seconds=wait_s)
        self._write(self._reserve_line(wish, day, up_s))
        return Reserved(request_id=wish.request_id)

    def _refuse_unpriced(self, wish: Reservation) -> None:
        caps: tuple[int | None, ...] = (self._caps.day, self._caps.job, wish.job_cap_micro_usd)
        if wish.origin == "tool":
            caps = (*caps, self._caps.tools)
        if wish.micro_usd is None and any(cap is not None for cap in caps):
            raise ConfigError(
                f"The price of model {wish.model} is unknown, so it cannot run under a budget. "
                "Set PRICE_PER_IMAGE_USD, or remove the budget."
            )

    def _reserve_line(self, wish: Reservation, day: str, up_s: float) -> dict[str, Any]:
        return {
            "event": "reserve",
            "at": self._clock.wall().isoformat(timespec="milliseconds"),
            "request_id": wish.request_id,
            "job_id": wish.job_id,
            "shot": wish.shot,
            "model": wish.model,
            "origin": wish.origin,
            "day": day,
            "images": wish.images,
            "micro_usd": wish.micro_usd,
            "boot": self._clock.boot_id,
            "up_s": round(up_s, 3),
            "writer": self._writer,
        }

    def _close_request(self, request_id: str, fields: Mapping[str, Any]) -> None:
        if self._read().is_open(request_id):
            at = self._clock.wall().isoformat(timespec="milliseconds")
            event, *rest = fields.items()
            self._write(dict([event, ("at", at), ("request_id", request_id), *rest]))

    def _today(self) -> Today:
        book = self._read()
        day = self._clock.wall().date().isoformat()
        doubts = (e for e in book.in_doubt(self._is_in_flight) if e.day == day)
        spent, tools = book.spent_on(day), book.spent_by_tools(day)
        return Today(
            date=day,
            spent=spent,
            in_doubt=sum(entry.micro_usd or 0 for entry in doubts),
            left=_left(self._caps.day, spent),
            images=book.images_on(day),
            tools_spent=tools,
            tools_left=_left(self._caps.tools, tools),
        )

    def _images_in_window(self) -> int:
        self._read()
        return self._window.used(self._up_s())

    def _summary(self, days: int) -> Mapping[str, Any]:
        today = self._clock.wall().date()
        wanted = [(today - timedelta(days=back)).isoformat() for back in range(days)]
        return self._read().report(wanted, self._is_in_flight)

    def _is_in_flight(self, entry: Open) -> bool:
        pid, _, birth = entry.writer.partition(".")
        return entry.boot == self._clock.boot_id and born(int(pid)) == birth

    def _up_s(self) -> float:
        if self._window_boot != self._clock.boot_id:
            self._window.rebase()
            self._window_boot = self._clock.boot_id
        return self._clock.up_s()

    def _read(self) -> Book:
        """Catch up with what others wrote. Needs the lock."""
        if self._book is None:
            self._book = self._from_checkpoint()
        for fields in self._segments.unread():
            self._fold(self._book, fields)
        return self._book

    def _from_checkpoint(self) -> Book:
        per_minute = self._window.per_minute
        self._window = Window(per_minute, window_s=WINDOW_S + LEAD_S)
        saved = self._segments.checkpoint()
        if saved is None:
            return Book()
        self._window_boot = str(saved["boot"])
        for start in (Started(**one) for one in saved["window"]):
            self._window.start(start.request_id, start.at_s, start.images)
        return Book.from_json(saved)

    def _write(self, fields: Mapping[str, Any]) -> None:
        book = self._read()
        if self._segments.is_full():
            window = [asdict(start) for start in self._window.started()]
            self._segments.roll({**book.to_json(), "window": window, "boot": self._window_boot})
        self._segments.append(fields)
        self._fold(book, fields)

    def _fold(self, book: Book, fields: Mapping[str, Any]) -> None:
        request_id = fields["request_id"]
        match fields["event"]:
            case "reserve":
                book.reserve(_open(fields))
                if fields["boot"] != self._window_boot:
                    self._window.rebase()
                    self._window_boot = fields["boot"]
                self._window.start(request_id, fields["up_s"], fields["images"])
            case "settle":
                book.settle(request_id, images=fields["images"], micro_usd=fields["micro_usd"])
                self._window.give_back(request_id, fields["images"])
            case "release":
                book.settle(request_id, images=0, micro_usd=0)
                self._window.give_back(request_id, 0)
            case "doubt":
                book.doubt(request_id)
            case _:  # of a later version; what it may mean does not bind us
                pass


def _open(fields: Mapping[str, Any]) -> Open:
    return Open(
        request_id=fields["request_id"],
        job_id=fields["job_id"],
        model=fields["model"],
        origin=fields["origin"],
        day=fields["day"],
        images=fields["images"],
        micro_usd=fields["micro_usd"],
        boot=fields["boot"],
        writer=fields["writer"],
    )


def _left(cap: int | None, spent: int) -> int | None:
    return None if cap is None else max(0, cap - spent)
