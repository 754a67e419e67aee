"""An HTTP response -> ArkAnswer or ArkError, picture by picture as it arrives."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio
import httpx

from seedream_daemon.ark.backoff import parse_retry_after
from seedream_daemon.ark.failures import ArkError, Verdict, sort_failure
from seedream_daemon.ark.sse import EventTooLargeError, ServerEvent, SseDecoder
from seedream_daemon.ark.wire import (
    NOTHING,
    ArkAnswer,
    ArkMemberFailed,
    ArkPicture,
    ArkRefusal,
    ArkTold,
    NotUnderstoodError,
    read_answer,
    read_event,
    read_refusal,
)

MAX_PLAIN_BYTES = 64_000_000
MAX_REFUSAL_BYTES = 1_000_000
# After its last word the stream should end; it is not waited for longer than this.
FAREWELL_S = 1.0


class AnswerBrokenError(Exception):
    """An answer that stopped short or cannot be read."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Patience:
    """The time left until the next word of an answer must be there; it cancels *scope*."""

    def __init__(self, scope: anyio.CancelScope, patience_s: float) -> None:
        self._scope = scope
        self._patience_s = patience_s

    def restart(self) -> None:
        """Count from now."""
        self._scope.deadline = anyio.current_time() + self._patience_s

    def shorten(self) -> None:
        """Wait no longer than for the end of what is complete."""
        self._scope.deadline = anyio.current_time() + min(self._patience_s, FAREWELL_S)

    def suspend(self) -> None:
        """Do not count, while the time is ours and not the service's."""
        self._scope.deadline = float("inf")


class Answer:
    """What has been told so far of an answer to a request for up to *wanted* pictures."""

    def __init__(self, on_picture: Callable[[ArkPicture], Awaitable[None]], *, wanted: int) -> None:
        self._on_picture = on_picture
        self._wanted = wanted
        self._failed: list[ArkMemberFailed] = []
        self._refusal: ArkRefusal | None = None
        self._completed = False
        self._garbled = False
        self._generated: int | None = None
        self._request_id: str | None = None
        self._server_time: datetime | None = None
        self.pictures: list[ArkPicture] = []

    @property
    def is_settled(self) -> bool:
        """Whether nothing that matters is missing, should the connection break now."""
        told = len(self.pictures) + len(self._failed)
        return bool(self.pictures) or self._completed or told >= self._wanted

    async def read(self, response: httpx.Response, patience: Patience) -> None:
        """Read *response* to its end; raise AnswerBrokenError when nothing useful was in it.

        It is judged by what it looks like, not by what was asked: a model that does not stream
        answers a streaming call with a plain document.
        """
        self._request_id = response.headers.get("x-request-id")
        self._server_time = _server_time(response)
        patience.restart()
        reader: _Plain | _Events | None = None
        lead = b""
        try:
            async for piece in response.aiter_bytes():
                lead = piece if reader else lead + piece
                reader = reader or _reader_for(lead)
                if reader:
                    await self._take_all(reader.feed(lead), patience)
        except httpx.TransportError:
            # The cut may stand right behind a picture that is paid for.
            await self._take_all(reader.finish() if reader else [], patience)
            raise
        except EventTooLargeError as error:
            raise AnswerBrokenError("bad_answer", str(error)) from error
        await self._take_all(reader.finish() if reader else [], patience)
        if not (self.is_settled or self._failed or self._refusal):
            code = "bad_answer" if self._garbled else "answer_cut"
            raise AnswerBrokenError(code, "the answer ended without a picture or an error")

    async def _take_all(self, documents: "list[_Document]", patience: Patience) -> None:
        for document in documents:
            try:
                told = document(len(self.pictures) + len(self._failed))
            except NotUnderstoodError:
                # What cannot be read must not lose the pictures around it.
                self._garbled = True
                continue
            if told is not NOTHING:
                await self._take(told, patience)

    async def _take(self, told: ArkTold, patience: Patience) -> None:
        patience.suspend()
        self._failed.extend(told.failed)
        self._refusal = self._refusal or told.refusal
        self._completed = self._completed or told.completed
        if told.generated_images is not None:
            self._generated = told.generated_images
        self.pictures.extend(told.pictures)
        for picture in told.pictures:
            await self._on_picture(picture)
        if self._completed:
            patience.shorten()
        else:
            patience.restart()

    def result(self) -> ArkAnswer:
        """Return the answer; raise ArkError when it has no picture."""
        if not self.pictures:
            raise self._no_picture()
        return ArkAnswer(
            pictures=tuple(self.pictures),
            failed=tuple(self._failed),
            generated_images=self._generated,
            request_id=self._request_id,
            server_time=self._server_time,
        )

    def _no_picture(self) -> ArkError:
        verdict = None
        if self._refusal is not None:
            code, message = self._refusal.code, self._refusal.message
        elif self._failed:
            code, message = self._failed[0].code, self._failed[0].message
        else:
            code, message = "no_picture", "The service answered without a picture."
            verdict = Verdict.NEVER if self._generated == 0 else Verdict.IN_DOUBT
        return ArkError(
            code=code,
            message=message,
            verdict=verdict or sort_failure(200, code, message),
            status=200,
            request_id=self._request_id,
        )


# A document is read when its turn comes, and is told how many members came before it.
_Document = Callable[[int], ArkTold]


class _Plain:
    def __init__(self) -> None:
        self._text = bytearray()

    def feed(self, piece: bytes) -> list[_Document]:
        self._text += piece
        if len(self._text) > MAX_PLAIN_BYTES:
            raise EventTooLargeError(f"the answer has more than {MAX_PLAIN_BYTES} bytes")
        return []

    def finish(self) -> list[_Document]:
        return [lambda _: read_answer(bytes(self._text))]


class _Events:
    def __init__(self) -> None:
        self._decoder = SseDecoder()

    def feed(self, piece: bytes) -> list[_Document]:
        return [_document_of(event) for event in self._decoder.feed(piece)]

    def finish(self) -> list[_Document]:
        return [_document_of(event) for event in self._decoder.finish()]


def _document_of(event: ServerEvent) -> _Document:
    return lambda before: read_event(event.type, event.data, next_index=before)


def _reader_for(lead: bytes) -> _Plain | _Events | None:
    start = lead.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return None
    return _Plain() if start.startswith(b"{") else _Events()


async def error_from_refused(response: httpx.Response) -> ArkError:
    """Return what a response with another status than 2xx means.

    A status whose body is cut off still counts: the refusal is certain.
    """
    text = bytearray()
    with suppress(httpx.TransportError, httpx.DecodingError):
        async for piece in response.aiter_bytes():
            text += piece
            if len(text) > MAX_REFUSAL_BYTES:
                break
    status = response.status_code
    refusal = read_refusal(bytes(text)) or _gateway_words(status, bytes(text))
    now = _server_time(response) or datetime.now(UTC)
    return ArkError(
        code=refusal.code,
        message=refusal.message,
        verdict=sort_failure(status, refusal.code, refusal.message),
        status=status,
        retry_after_s=parse_retry_after(response.headers.get("retry-after"), now),
        request_id=response.headers.get("x-request-id"),
    )


def _gateway_words(status: int, text: bytes) -> ArkRefusal:
    words = " ".join(text.decode("utf-8", "replace").split())[:300]
    return ArkRefusal(code=f"http_{status}", message=words or f"HTTP status {status}, no text")


def _server_time(response: httpx.Response) -> datetime | None:
    try:
        when = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
