"""An ASGI app that answers POST /images/generations like Ark (BytePlus ModelArk/1541523)."""

import hashlib
import math
import secrets
import time
import traceback
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from seedream_daemon.emulator import refusal
from seedream_daemon.emulator.answers import CutShort, EventStream, Reset, Silence
from seedream_daemon.emulator.bill import Bill, Charge
from seedream_daemon.emulator.checks import Asked, check, model_of
from seedream_daemon.emulator.connections import Connections
from seedream_daemon.emulator.faults import Fault, Faults
from seedream_daemon.emulator.generation import Generation, Studio
from seedream_daemon.emulator.intake import Body, read_body
from seedream_daemon.emulator.limits import ImagesPerMinute
from seedream_daemon.emulator.references import read_references
from seedream_daemon.emulator.spool import Spool

_GONE = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>{why}</Message><RequestId>{id}</RequestId></Error>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the app is made of. `key` None lets any key pass that is not empty."""

    key: str | None
    faults: Faults
    limits: ImagesPerMinute
    bill: Bill
    spool: Spool
    studio: Studio
    connections: Connections


class App:
    """The two endpoints."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def asgi(self) -> Starlette:
        """Give the app for the server."""
        return Starlette(
            routes=[
                Route("/api/v3/images/generations", self._generate, methods=["POST"]),
                Route("/generated/{name}", self._download, methods=["GET", "HEAD"]),
            ],
            exception_handlers={Exception: _tell_bug},
        )

    async def _generate(self, request: Request) -> Response:
        request_id = f"02{time.time_ns() // 1_000_000}{secrets.token_hex(8)}"
        client_id = request.headers.get("x-client-request-id", "")
        client_id = client_id or f"unknown-{time.strftime('%Y%m%d%H%M%S')}-{secrets.token_hex(8)}"
        began = time.monotonic()
        response: Response
        try:
            response = await self._answer(request, client_id)
        except refusal.RefusalError as error:
            response = JSONResponse(error.body(request_id), error.status)
            response.headers["content-type"] = "application/json; charset=utf-8"
            if error.retry_after_s is not None:
                response.headers["retry-after"] = str(math.ceil(error.retry_after_s))
        except ClientDisconnect:
            # It went before its body was complete: nothing is billed and nobody reads an answer.
            response = Silence()
        response.headers["x-request-id"] = request_id
        response.headers["x-client-request-id"] = client_id
        elapsed_ms = round((time.monotonic() - began) * 1000)
        response.headers["x-envoy-upstream-service-time"] = str(elapsed_ms)
        return response

    async def _answer(self, request: Request, client_id: str) -> Response:
        if not self._is_authorised(request):
            async for _ in request.stream():
                pass
            raise refusal.no_key()
        body = await read_body(request.stream())
        arrived = time.monotonic()
        try:
            generation, fault = await self._accept(body, str(request.base_url).rstrip("/"))
        finally:
            body.close()
        generation = replace(generation, due_from=arrived)
        await self._parts.bill.charge(_charges(generation, client_id))
        return await self._respond(generation, fault)

    def _is_authorised(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return False
        return self._parts.key is None or secrets.compare_digest(
            key.strip().encode(), self._parts.key.encode()
        )

    async def _accept(self, body: Body, base: str) -> tuple[Generation, Fault | None]:
        """Decide what is made. Raises RefusalError for mistakes, faults and limits."""
        model, _ = model_of(body.fields)
        if self._parts.faults.of_model(model, str(body.fields.get("prompt"))):
            raise refusal.not_open(model)
        asked = check(body.fields)
        references = (
            await anyio.to_thread.run_sync(
                read_references, asked, body, limiter=self._parts.studio.limiter
            )
            if asked.images
            else ()
        )
        fault = self._parts.faults.of_request(asked.model, asked.prompt)
        if fault is not None:
            _refuse_by(fault, asked)
        wait_s = self._parts.limits.admit(asked.model, asked.count(), time.monotonic())
        if wait_s is not None:
            raise refusal.too_many_images(wait_s)
        failing = min(2, asked.count()) if fault is not None and fault.name == "partial" else None
        is_expired = fault is not None and fault.name == "expired_url"
        generation = self._parts.studio.plan(
            asked, references, base=base, failing=failing, is_expired=is_expired
        )
        return generation, fault

    async def _respond(self, generation: Generation, fault: Fault | None) -> Response:
        name = None if fault is None else fault.name
        studio = self._parts.studio
        if name == "reset":
            return Reset(self._parts.connections)
        if name == "stall":
            return Silence()
        if name == "cut_download":
            for member in generation.members:
                self._parts.spool.cut_once(member.name)
        if generation.asked.stream:
            return EventStream(
                lambda send: studio.tell(generation, send, is_cut=name == "cut_stream")
            )
        content = await studio.make(generation)
        whole = JSONResponse(content, headers={"content-type": "application/json; charset=utf-8"})
        if name == "cut_stream":
            return CutShort(bytes(whole.body), media_type="application/json")
        return whole

    async def _download(self, request: Request) -> Response:
        name = request.path_params["name"]
        spool = self._parts.spool
        why = spool.admits(name, request.query_params.get("X-Tos-Signature", ""))
        if request.method == "HEAD":
            why = "The request signature we calculated does not match the signature you provided"
        content = await anyio.to_thread.run_sync(spool.read, name) if why is None else None
        if content is None:
            text = _GONE.format(why=why or "The specified key does not exist.", id="0")
            return Response(text, 404 if why is None else 403, media_type="application/xml")
        kind = "image/png" if name.endswith(".png") else "image/jpeg"
        if spool.takes_cut(name):
            return CutShort(content, media_type=kind)
        return Response(content, media_type=kind)


def _tell_bug(_request: Request, error: Exception) -> Response:
    """Show a mistake of the emulator itself, which its server is told to keep to itself."""
    traceback.print_exception(error)
    return PlainTextResponse("The emulator has a bug; see its standard error.", 500)


def _refuse_by(fault: Fault, asked: Asked) -> None:
    """Raise the refusal that a fault stands for, if it stands for one."""
    match fault.name:
        case "429":
            raise refusal.too_many_images(fault.retry_after_s)
        case "500":
            raise refusal.internal(fault.retry_after_s)
        case "moderation":
            raise refusal.moderated()
        case "SetLimitExceeded":
            raise refusal.set_limit(asked.model)


def _charges(generation: Generation, client_id: str) -> tuple[Charge, ...]:
    asked = generation.asked
    price = asked.family.price_of(generation.size, len(generation.references))
    return tuple(
        Charge(
            request_id=client_id,
            model=asked.model,
            index=member.index,
            size=generation.size_text,
            prompt_sha256=hashlib.sha256(asked.prompt.encode()).hexdigest(),
            photos=tuple(reference.sha256 for reference in generation.references),
            url=member.url,
            usd=price / 1_000_000,
        )
        for member in generation.members
        if not member.fails
    )
