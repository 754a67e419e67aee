"""The edge: writes a session. One writer at a time on the whole machine, by a lock.

The journal is written first and believed; pictures appear under their final names only whole, and
metadata.json and grid.json follow when it is time.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import anyio
from anyio import CancelScope, CapacityLimiter, to_thread

from seedream_daemon.durable import LockedFile
from seedream_daemon.failpoints import failpoint
from seedream_daemon.job.plan import Plan, plan_to_json
from seedream_daemon.session.commit import GroupCommit
from seedream_daemon.session.folder import make_session, remove_drafts, take_session
from seedream_daemon.session.history import History
from seedream_daemon.session.layout import draft_name
from seedream_daemon.session.pictures import (
    Kept,
    PictureBrokenError,
    PictureName,
    borrow,
    publish,
    was_published,
    withdraw,
)
from seedream_daemon.session.recall import Recalled
from seedream_daemon.session.segment import JournalFile
from seedream_daemon.session.shot_facts import Sending
from seedream_daemon.session.view_files import ViewPace, find_thumbnails, write_view
from seedream_daemon.session.views import view, view_bytes

__all__ = ["Kept", "PictureBrokenError", "SessionWriter", "local_now"]

# Pictures are synced beside the journal and never hold it up.
_PICTURE_THREADS = 4


def local_now() -> datetime:
    """Give the local time with its offset."""
    return datetime.now(UTC).astimezone()


class SessionWriter:
    """A session that this process writes, from `create` or `open` until `close` or `release`.

    `history` is what the journal on disk says: an entry is in it once it is on disk. `bad_lines`
    are sentences about journal lines that were skipped when the session was opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        plan: Plan,
        recalled: Recalled,
        lock: LockedFile,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self.path = path
        self.plan = plan
        self.history: History = recalled.history
        self.bad_lines = recalled.bad_lines
        self._lock = lock
        self._monotonic = monotonic
        self._journal = JournalFile(path, last_number=recalled.last_number)
        self._commit = GroupCommit(self._journal, self.history, now)
        self._files = {kept.file for shot in self.history.shots.values() for kept in shot.kept}
        self._stems = {shot.id: shot.stem for shot in plan.shots}
        self._pace = ViewPace()
        self._view_turn = anyio.Lock()
        self._picture_threads = CapacityLimiter(_PICTURE_THREADS)

    @classmethod
    async def create(
        cls,
        base: Path,
        plan: Plan,
        *,
        job: Mapping[str, Any],
        now: Callable[[], datetime] = local_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Make a session folder under `base`, with its journal and first view.

        `job` holds job_id, folder (None without a drop), origin and what else is to stand in the
        first entry. Raises OSError, and then nothing is left of the folder.
        """
        made = await to_thread.run_sync(make_session, base, plan, now())
        writer = cls(
            made.path,
            plan=plan,
            recalled=made.recalled,
            lock=made.lock,
            now=now,
            monotonic=monotonic,
        )
        try:
            await writer._begin(made.job, job)
        except BaseException:
            writer.release()
            with CancelScope(shield=True):
                await to_thread.run_sync(made.remove)
            raise
        return writer

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        now: Callable[[], datetime] = local_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Take over a session that was begun before; what a killed process left is put in order.

        Requests that were in flight are journaled as in doubt, drafts are removed. Raises
        SessionBusyError if a process writes the session, SessionUnknownError if none lies there
        or it holds no plan, OSError.
        """
        taken = await to_thread.run_sync(take_session, path)
        writer = cls(
            path,
            plan=taken.plan,
            recalled=taken.recalled,
            lock=taken.lock,
            now=now,
            monotonic=monotonic,
        )
        try:
            await writer._put_in_order()
        except BaseException:
            writer.release()
            raise
        return writer

    async def append(self, event: str, *, durable: bool = True, **fields: Any) -> None:
        """Write one entry; when this returns it is on disk (without `durable`: written).

        Calls at the same time share one write and one sync. Once begun it is finished, also when
        the caller is cancelled. Raises OSError if the disk is full or fails; then the entry is
        not in the journal and the next call may succeed. Raises TypeError or ValueError for
        fields that are no JSON.
        """
        failpoint(f"before_{event}_record")
        await self._commit.append(event, fields, durable=durable)
        failpoint(f"after_{event}_record")

    def draft(self, shot: str, number: int) -> Path:
        """Say where a picture is to be received before it is kept; nothing is made there."""
        return self.path / draft_name(shot, number)

    async def keep(
        self, draft: Path, *, shot: str, number: int, stem: str, url: str | None = None
    ) -> Kept:
        """Turn a received draft into the picture `number` (from 1) of a shot, and journal it.

        The file is named by `stem` (that of the planned shot) and by what it holds. Finished
        once begun. Raises PictureBrokenError (the draft is gone; receive it again) or OSError
        (the draft is still there; keep it again when there is room).
        """
        name = PictureName(kind=self.plan.kind, stem=stem, number=number)
        return await self._keep(draft, shot, name, "picture", url=url)

    async def adopt(
        self,
        source: Path,
        *,
        shot: str,
        number: int,
        stem: str,
        from_session: str,
        fingerprint: str,
    ) -> Kept:
        """Take a picture over from another session, unpaid, by a hard link or else a copy.

        `source` stays as it is. The shot counts as saved. Raises as `keep` does.
        """
        draft = self.draft(shot, number)
        await to_thread.run_sync(borrow, source, draft, limiter=self._picture_threads)
        name = PictureName(kind=self.plan.kind, stem=stem, number=number)
        origin = {"from_session": from_session, "fingerprint": fingerprint}
        return await self._keep(draft, shot, name, "adopted", **origin)

    async def refresh(self) -> None:
        """Bring metadata.json or grid.json up to date if enough has changed and time has passed.

        Cheap when it is not time. Raises OSError; the old file is then intact.
        """
        due = self._pace.is_due(now=self._monotonic(), journal_bytes=self._journal.written_bytes)
        if due and not self._view_turn.locked():
            await self._write_view(forced=False)

    async def close(self, state: str, reason: str | None = None) -> None:
        """Journal the end in `state`, write the final view and let the session go.

        Finished once begun. Raises OSError if the disk does not take it; the session is let go
        all the same.
        """
        with CancelScope(shield=True):
            try:
                await self.append("end", state=state, reason=reason)
                await self._write_view(forced=True)
            finally:
                self.release()

    def release(self) -> None:
        """Let the session go without a word; a second call does nothing."""
        self._journal.close()
        self._lock.release()

    async def _begin(self, made: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        await self.append("job", **{**job, **made})
        await self.append("plan", plan=plan_to_json(self.plan))
        await self.refresh()

    async def _put_in_order(self) -> None:
        for picture in self.history.to_fetch():
            draft = self.draft(picture.shot, picture.number)
            if picture.shot in self._stems and await to_thread.run_sync(was_published, draft):
                stem = self._stems[picture.shot]
                with contextlib.suppress(PictureBrokenError):
                    await self.keep(draft, shot=picture.shot, number=picture.number, stem=stem)
        await to_thread.run_sync(remove_drafts, self.path)
        for sending in self.history.dangling():
            await self._end_of(sending)

    async def _end_of(self, sending: Sending) -> None:
        """Say what came of a request that was in flight when its process died."""
        if not sending.pictures_told:
            why = "killed while in flight"
            await self.append("in_doubt", shot=sending.shot, request_id=sending.request_id, why=why)
            return
        # It was answering: what it told is paid for and can be fetched, more will not come.
        await self.append(
            "answer",
            shot=sending.shot,
            request_id=sending.request_id,
            pictures=[],
            failed=[],
            done=True,
            images=None,
            error=None,
            server_request_id=None,
            server_time=None,
        )

    async def _keep(
        self, draft: Path, shot: str, name: PictureName, event: str, **fields: Any
    ) -> Kept:
        failpoint("after_draft")
        with CancelScope(shield=True):
            place = partial(publish, draft, self.path, name, is_known=self._files.__contains__)
            kept = await to_thread.run_sync(place, limiter=self._picture_threads)
            self._files.add(kept.file)
            try:
                await self.append(
                    event,
                    shot=shot,
                    number=name.number,
                    file=kept.file,
                    bytes=kept.bytes,
                    sha256=kept.sha256,
                    width=kept.width,
                    height=kept.height,
                    **fields,
                )
            except OSError:
                self._files.discard(kept.file)
                await to_thread.run_sync(withdraw, draft, kept.path)
                raise
            await to_thread.run_sync(partial(draft.unlink, missing_ok=True))
        return kept

    async def _write_view(self, *, forced: bool) -> None:
        async with self._view_turn:
            find = partial(find_thumbnails, self.path, self.plan)
            thumbnails = await to_thread.run_sync(find) if self.plan.groups else {}
            content = view_bytes(view(self.plan, self.history, thumbnails))
            now, journal_bytes = self._monotonic(), self._journal.written_bytes
            if not forced and not self._pace.has_room(len(content), journal_bytes=journal_bytes):
                self._pace.skipped(len(content), now=now)
                return
            await to_thread.run_sync(write_view, self.path, self.plan.kind, content)
            self._pace.wrote(len(content), now=now)
