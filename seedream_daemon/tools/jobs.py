"""Documents of jobs, and pages of them."""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from seedream_daemon.run.result import dollars
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.plans import usd
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.sentences import next_step, progress_text, reason_of
from seedream_daemon.tools.shots import failure_rows, missing, price_of
from seedream_daemon.tools.stories import MOST_SHOWN, Stories, Story
from seedream_daemon.tools.words import clean, line

if TYPE_CHECKING:
    from seedream_daemon.daemon.service import Service

PAGE_BYTES = 24_000
_LOOK_S = 1.0
_RESERVE_S = 0.3  # for making the document


class JobDesk:
    """Tells of jobs."""

    def __init__(self, service: "Service", stories: Stories) -> None:
        self._service = service
        self._stories = stories

    async def story(self, job_id: str) -> Story:
        """Give what is known of a job. Raises ToolRefusedError unknown_job."""
        found = await self._stories.find(job_id)
        if found is None:
            raise ToolRefusedError(
                "unknown_job",
                f"There is no job {line(job_id, 40)!r}. list_jobs tells those there are.",
            )
        return found

    async def known(self, job_id: str) -> Story | None:
        """Give what is known of a job; None if nobody knows it."""
        return await self._stories.find(job_id)

    async def wait(self, job_id: str, seconds: float, call: Call) -> Story:
        """Wait until a job has ended or rests, at most so long, and give how it stands then."""
        until = min(anyio.current_time() + seconds, call.deadline - _RESERVE_S)
        while True:
            story = await self.story(job_id)
            if call.progress is not None:
                await self._tell(story, call)
            left = until - anyio.current_time()
            if story.ended or story.state == "paused" or left <= 0 or self._is_stopping():
                return story
            await self._stories.news(min(left, _LOOK_S))

    def _is_stopping(self) -> bool:
        """Whether the daemon ends: what is still in flight may take longer than a client does."""
        return self._service.engine.stopping

    async def _tell(self, story: Story, call: Call) -> None:
        assert call.progress is not None  # noqa: S101 - the caller looked
        counts = story.counts
        per_minute, eta_s = self._stories.pace(story.job_id)
        text = progress_text(story, per_minute=per_minute, eta_s=eta_s)
        if counts is None:
            await call.progress(0.0, None, text)
            return
        ended = counts.saved + counts.failed + counts.in_doubt + counts.lost
        await call.progress(float(ended), float(counts.shots), text)

    async def document(self, story: Story, *, repeated: bool = False) -> dict[str, Any]:
        """Give a job with every field."""
        today = await self._service.engine.means.ledger.today()
        left = [each for each in (today.left, today.tools_left) if each is not None]
        pictures = await anyio.to_thread.run_sync(self._stories.pictures, story)
        counts = story.counts
        plan, history = story.plan, story.history
        failures = failure_rows(plan, history) if plan and history else []
        _, eta_s = self._stories.pace(story.job_id)
        return {
            "job_id": story.job_id,
            "name": None if story.name is None else line(story.name),
            "kind": story.kind,
            "origin": story.origin,
            "state": story.state,
            "reason": reason_of(story),
            "shots": counts.shots if counts else None,
            "saved": counts.saved if counts else 0,
            "failed": counts.failed + counts.lost if counts else 0,
            "in_doubt": counts.in_doubt if counts else 0,
            "in_flight": self._stories.in_flight(story.job_id),
            "price_usd": usd(story.price_micro_usd),
            "cost_usd": dollars(counts.cost_micro_usd) if counts else 0.0,
            "left_today_usd": dollars(min(left)) if left else None,
            "session": story.session.name if story.session else None,
            "session_path": str(story.session) if story.session else None,
            "pictures": [clean(path, 4096) for path in pictures],
            "failures": [_cleaned(row) for row in failures[:MOST_SHOWN]],
            "more_failures": max(0, len(failures) - MOST_SHOWN),
            "eta_seconds": None if story.ended or eta_s is None else round(eta_s, 1),
            "repeated": repeated,
            "next_step": next_step(story, eta_s=eta_s, retry_usd=usd(self.retry_price(story))),
            "created": story.created,
            "finished": story.finished if story.ended else None,
        }

    def retry_price(self, story: Story) -> int | None:
        """Give the most that asking for what is missing costs, in micro-dollars."""
        if story.plan is None or story.history is None:
            return None
        again, _ = missing(story.plan, story.history)
        return price_of(story.plan, again, self._service.settings.price_per_image_usd)

    def page(self, state: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
        """Give a page of jobs, newest first. Raises ToolRefusedError bad_cursor.

        The order is that of their beginnings, which never change, so that a page goes on where
        the one before ended whatever was added meanwhile.
        """
        after = None if cursor is None else read_cursor(cursor, "jobs", float, str)
        rows = sorted(
            (row for row in self._rows() if state is None or row["state"] == state),
            key=_place,
            reverse=True,
        )
        if after is not None:
            rows = [row for row in rows if _place(row) < tuple(after)]
        shown = fitting(rows[:limit], PAGE_BYTES)
        more = len(shown) < len(rows)
        last = write_cursor("jobs", *_place(shown[-1])) if more and shown else None
        return {"jobs": shown, "next_cursor": last}

    def _rows(self) -> Iterator[dict[str, Any]]:
        jobs = self._service.jobs
        for live in jobs.live.values():
            row = {**live.row(), "origin": live.origin, "created": live.created or None}
            yield _row({**row, "state": self._stories.of_live(live).state})
        for drop in self._service.watcher.waiting:
            if drop.job_id not in jobs.live:
                yield _row({"job_id": drop.job_id, "name": drop.name, "created": drop.seen})
        for ended in jobs.ended.values():
            yield _row(ended)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    name = row.get("name")
    return {
        "job_id": row["job_id"],
        "name": None if name is None else line(name),
        "kind": row.get("kind"),
        "origin": row.get("origin") or "folder",
        "state": row.get("state") or "waiting",
        "shots": row.get("shots"),
        "saved": row.get("saved") or 0,
        "failed": row.get("failed") or 0,
        "cost_usd": row.get("cost_usd") or 0.0,
        "session": row.get("session"),
        "created": row.get("created") or None,
    }


def _cleaned(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "shot": line(row["shot"]), "key": line(row["key"])}


def _place(row: Mapping[str, Any]) -> tuple[float, str]:
    try:
        began = datetime.fromisoformat(str(row["created"])).timestamp()
    except ValueError:
        began = 0.0
    return began, str(row["job_id"])


def size_of(document: object) -> int:
    """Give the bytes of compact JSON."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def fitting(rows: list[dict[str, Any]], most_bytes: int) -> list[dict[str, Any]]:
    """Give as many rows from the start as fit, at least one."""
    left = most_bytes - 400  # the page around them
    if size_of(rows) <= left:
        return rows
    for number, row in enumerate(rows):
        left -= size_of(row) + 1
        if left < 0:
            return rows[: max(1, number)]
    return rows


def write_cursor(sort: str, *place: float | str) -> str:
    """Spell where a page ends as something that nobody builds on."""
    text = json.dumps([sort, *place], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def read_cursor(cursor: str, sort: str, *types: type) -> list[Any]:
    """Read what `write_cursor` spelt. Raises ToolRefusedError bad_cursor."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(data.decode("utf-8", "surrogatepass"))
        fits = [type(each) for each in found] == [str, *types] and found[0] == sort
    except (ValueError, TypeError, RecursionError):
        found, fits = [], False
    if not fits:
        raise ToolRefusedError(
            "bad_cursor",
            "This cursor is none that was given. Leave it out to begin with the first page, then "
            "use next_cursor as it is.",
        )
    return list(found[1:])
