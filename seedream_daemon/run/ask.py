"""One request for one shot: booked, journaled, sent, and its outcome journaled.

What must hold when the process is killed at any point: `sending` is on disk before the request
leaves, so that a request in flight is known to be in doubt; a picture's address is on disk before
its download starts, so that it can be fetched for 24 hours.
"""

import uuid
from functools import partial

import anyio

from seedream_daemon.ark.failures import ArkError, Verdict
from seedream_daemon.ark.wire import ArkAnswer, ArkPicture, ArkRequest
from seedream_daemon.events import ShotAnswered, ShotSending
from seedream_daemon.job.fingerprint import fingerprint
from seedream_daemon.job.plan import Shot
from seedream_daemon.run.context import JobContext
from seedream_daemon.run.outcome import Answered, CapReachedError, OnAnswered, Outcome, Request
from seedream_daemon.run.pricing import likely_pixels, shot_price
from seedream_daemon.run.ready import ReadyPhotos
from seedream_daemon.run.refusals import Refusals
from seedream_daemon.spend.book import CapReached, Reservation
from seedream_daemon.spend.ledger import PaceWait

STOPPED = "The service was stopped before the answer came; the request may have been billed."


class Asker:
    """Sends the requests of one job."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._means = context.means
        self._session = context.session
        self._refusals = Refusals(context)

    async def ask(
        self, shot: Shot, ready: ReadyPhotos, tries: int, on_answered: OnAnswered
    ) -> Outcome:
        """Send one request, the `tries`-th in a row, and say what follows.

        `on_answered` is called for each picture once its address is on disk. Raises
        GateClosedError when nothing is sent any more, CapReachedError before money is spent.
        """
        means = self._means
        wanted = likely_pixels(self._context.plan.size) * self._context.plan.asked.count
        if shot.photos:
            await self._context.wait_for_photos()
        async with means.gate.slot(self._context.job_id):
            await self._obey_hold()
            await means.room.wait(self._session.path, wanted, means.gate.rest)
            await self._context.refuse_if_cancelled()
            request = await self._reserve(shot, on_answered)
            means.room.promise(wanted)
            try:
                return await self._send(shot, ready, request, tries)
            finally:
                means.room.redeem(wanted)

    async def _obey_hold(self) -> None:
        """Leave the service alone as long as it asked for."""
        while (hold_s := self._means.throttle.hold_until - anyio.current_time()) > 0:
            await self._means.gate.rest(hold_s)

    async def _reserve(self, shot: Shot, on_answered: OnAnswered) -> Request:
        """Book money and a place in the pace, waiting for the pace."""
        plan = self._context.plan
        request = Request(
            attempt=self._context.of(shot).attempts + 1,
            request_id=uuid.uuid4().hex,
            price_micro_usd=self.price(shot, plan.asked.count),
            on_answered=on_answered,
        )
        reservation = Reservation(
            request_id=request.request_id,
            job_id=self._context.job_id,
            shot=shot.id,
            model=plan.model,
            images=plan.asked.count,
            micro_usd=request.price_micro_usd,
            job_cap_micro_usd=self._context.cap_micro_usd,
            origin=self._context.origin,
        )
        while True:
            booked = await self._context.despite_full_disk(
                partial(self._means.ledger.reserve, reservation), self._means.gate.rest
            )
            match booked:
                case PaceWait(seconds=seconds):
                    await self._means.gate.rest(seconds)
                    await self._context.refuse_if_cancelled()
                case CapReached():
                    raise CapReachedError(booked)
                case _:
                    return request

    def price(self, shot: Shot, images: int) -> int | None:
        """What so many pictures of this shot cost, in micro-dollars; None if unknown."""
        return shot_price(
            self._context.plan,
            self._context.family,
            shot,
            images=images,
            per_image_micro_usd=self._means.policy.price_per_image_micro_usd,
        )

    async def _send(self, shot: Shot, ready: ReadyPhotos, request: Request, tries: int) -> Outcome:
        await self._journal_sending(shot, ready, request)
        request.sent_at = anyio.current_time()
        answer: ArkAnswer | ArkError | None = None
        with anyio.CancelScope() as scope:
            self._means.asking.add(scope)
            self._means.gate.sent()
            try:
                answer = await self._generate(shot, ready, request)
            finally:
                self._means.asking.discard(scope)
        if answer is None:
            answer = ArkError(code="stopped", message=STOPPED, verdict=Verdict.IN_DOUBT)
        if isinstance(answer, ArkError) and request.told:
            # Cut after a picture came: what came is paid for and kept, and nothing is asked twice.
            answer = ArkAnswer(
                pictures=(), failed=(), generated_images=None, request_id=None, server_time=None
            )
        if isinstance(answer, ArkError):
            return await self._refusals.take(shot, request, answer, tries=tries)
        return await self._answered(shot, request, answer)

    async def _journal_sending(self, shot: Shot, ready: ReadyPhotos, request: Request) -> None:
        plan = self._context.plan
        append = partial(
            self._session.append,
            "sending",
            shot=shot.id,
            attempt=request.attempt,
            request_id=request.request_id,
            fingerprint=fingerprint(plan, shot, ready.digests),
            count=plan.asked.count,
            price_micro_usd=request.price_micro_usd,
        )
        # Nothing has left yet: where the disk is full a stop need not wait for it.
        await self._context.despite_full_disk(append, self._means.gate.rest)
        self._means.emit(
            ShotSending(
                job_id=self._context.job_id,
                shot=shot.id,
                attempt=request.attempt,
                request_id=request.request_id,
                photos_inline=len(ready.photos),
                payload_bytes=ready.bytes,
            )
        )

    async def _generate(
        self, shot: Shot, ready: ReadyPhotos, request: Request
    ) -> ArkAnswer | ArkError:
        plan, asked, family = self._context.plan, self._context.plan.asked, self._context.family

        async def on_picture(picture: ArkPicture) -> None:
            await self._journal_picture(shot, request, picture)

        try:
            return await self._means.client.generate(
                ArkRequest(
                    model=plan.model,
                    prompt=shot.prompt,
                    size=plan.size,
                    photos=ready.photos,
                    stream=family.stream,
                    sets=family.sets,
                    max_images=asked.count,
                    seed=asked.seed,
                    guidance_scale=asked.guidance_scale,
                    output_format=asked.output_format,
                    optimize_prompt=asked.optimize_prompt,
                ),
                request_id=request.request_id,
                on_picture=on_picture,
            )
        except ArkError as error:
            return error

    async def _journal_picture(self, shot: Shot, request: Request, picture: ArkPicture) -> None:
        self._means.gate.prove()
        number = self._context.of(shot).free_number()
        with anyio.CancelScope(shield=True):
            await self._context.journal(
                "answer",
                shot=shot.id,
                request_id=request.request_id,
                pictures=[
                    {
                        "number": number,
                        "index": picture.index,
                        "url": picture.url,
                        "size": picture.size,
                    }
                ],
                done=False,
            )
        answered = next(p for p in self._context.of(shot).pending if p.number == number)
        request.told.append(answered)
        request.on_answered(answered)

    async def _answered(self, shot: Shot, request: Request, answer: ArkAnswer) -> Outcome:
        latency_s = anyio.current_time() - request.sent_at
        self._means.gate.prove()
        self._means.throttle.succeed()
        self._means.gate.deal()
        images = len(request.told) if answer.generated_images is None else answer.generated_images
        cost = self.price(shot, images) if images else 0
        await self._context.journal(
            "answer",
            shot=shot.id,
            request_id=request.request_id,
            pictures=[],
            failed=[
                {"index": member.index, "code": member.code, "message": member.message}
                for member in answer.failed
            ],
            done=True,
            images=images,
            server_request_id=answer.request_id,
        )
        settle = partial(
            self._means.ledger.settle, request.request_id, images=images, micro_usd=cost or 0
        )
        await self._context.despite_full_disk(settle)
        self._means.emit(
            ShotAnswered(
                job_id=self._context.job_id,
                shot=shot.id,
                request_id=request.request_id,
                pictures=len(request.told),
                images_billed=images,
                cost_micro_usd=cost or 0,
                latency_s=latency_s,
            )
        )
        return Answered()
