"""A request that came to nothing -> whether it is asked again, never, or waited for."""

from functools import partial

import anyio

from seedream_daemon.ark.backoff import wait_s
from seedream_daemon.ark.failures import ArkError, Verdict, advice, spoils_job
from seedream_daemon.events import QueuePaused, ShotRefused
from seedream_daemon.job.plan import Shot
from seedream_daemon.run.context import JobContext
from seedream_daemon.run.gate import Pause
from seedream_daemon.run.outcome import Again, Ended, Outcome, Request


class Refusals:
    """Takes the refusals and doubts of one job's requests."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._means = context.means

    async def take(self, shot: Shot, request: Request, error: ArkError, *, tries: int) -> Outcome:
        """Journal a refusal, release or doubt its money, and say what follows."""
        if error.verdict is Verdict.IN_DOUBT:
            return await self._doubted(shot, request, error)
        await self._context.journal(
            "answer",
            shot=shot.id,
            request_id=request.request_id,
            pictures=[],
            failed=[],
            done=True,
            images=0,
            error={"code": error.code, "message": error.message, "status": error.status},
            server_request_id=error.request_id,
        )
        release = partial(self._means.ledger.release, request.request_id)
        await self._context.despite_full_disk(release)
        if error.verdict is Verdict.ACCOUNT:
            self._tell_refused(shot, request, error, None)
            self._pause(error)
            return Again(wait_s=0, code=error.code, message=for_people(error), counts=False)
        context = self._context
        if error.code == "photo_changed" and (
            await context.is_away() or await context.is_cancelled()
        ):
            self._tell_refused(shot, request, error, 0)
            return Again(wait_s=0, code=error.code, message=for_people(error), counts=False)
        if error.status is not None:
            self._means.gate.prove()
        if error.verdict is Verdict.NEVER:
            self._tell_refused(shot, request, error, None)
            if spoils_job(error.code):
                self._context.spoil(error.code, for_people(error))
            await self._context.fail(
                shot, error.code, for_people(error), retryable=False, request_id=request.request_id
            )
            return Ended()
        wait = wait_s(tries, error.retry_after_s, self._means.chance())
        if error.status == 429:
            self._means.throttle.refuse(
                sent_at=request.sent_at, now=anyio.current_time(), retry_after_s=error.retry_after_s
            )
        self._tell_refused(shot, request, error, wait)
        return Again(wait_s=wait, code=error.code, message=for_people(error))

    async def _doubted(self, shot: Shot, request: Request, error: ArkError) -> Outcome:
        """No answer came though the request was sent: it may have been billed."""
        with anyio.CancelScope(shield=True):
            await self._context.journal(
                "in_doubt", shot=shot.id, request_id=request.request_id, why=error.message
            )
            doubt = partial(self._means.ledger.doubt, request.request_id)
            await self._context.despite_full_disk(doubt)
        again = self._context.asks_again(shot)
        wait = wait_s(1, None, self._means.chance()) if again else None
        self._tell_refused(shot, request, error, wait)
        if wait is not None:
            return Again(wait_s=wait, code=error.code, message=error.message)
        self._context.ended(shot, "in_doubt", "in_doubt", error.message)
        return Ended()

    def _pause(self, error: ArkError) -> None:
        if self._means.gate.pause is None:
            model = self._context.plan.model
            pause = Pause(why="account", message=for_people(error), model=model)
            self._means.gate.stop_sending(pause)
            self._means.emit(QueuePaused(why="account", message=for_people(error)))

    def _tell_refused(
        self, shot: Shot, request: Request, error: ArkError, wait: float | None
    ) -> None:
        self._means.emit(
            ShotRefused(
                job_id=self._context.job_id,
                shot=shot.id,
                request_id=request.request_id,
                attempt=request.attempt,
                code=error.code,
                status=error.status,
                message=error.message,
                verdict=error.verdict.value,
                latency_s=anyio.current_time() - request.sent_at,
                wait_s=wait,
            )
        )


def for_people(error: ArkError) -> str:
    """Say what happened and, where we know, what to do; the service's own words follow."""
    known = advice(error.code)
    return f"{known} (The service said: {error.message})" if known else error.message
