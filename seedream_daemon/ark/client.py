"""Sends an ArkRequest and hands over each ArkPicture as it arrives."""

import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import anyio
import httpx

from seedream_daemon.ark.answer import Answer, AnswerBrokenError, Patience, error_from_refused
from seedream_daemon.ark.body import Body, PhotoChangedError
from seedream_daemon.ark.failures import ArkError, Verdict, hidden
from seedream_daemon.ark.transport import HearingTransport, resolve_any, uses_proxy
from seedream_daemon.ark.wire import ArkAnswer, ArkPicture, ArkRequest
from seedream_daemon.errors import ConfigError

OnPicture = Callable[[ArkPicture], Awaitable[None]]
_Responding = AbstractAsyncContextManager[httpx.Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the client is patient, in seconds.

    `send_s` is how long a request may be stuck without a byte leaving. `answer_s` is counted from
    the last byte of the request to the first word of the answer, and anew from event to event.
    """

    connect_s: float = 10.0
    send_s: float = 60.0
    answer_s: float = 600.0


class ArkClient:
    """The image API of one service and key; enter it with `async with`.

    *base_url* ends in /api/v3. *api_key* may be None where the service wants none (an emulator).
    *max_parallel* is how many calls may be under way at once. Raises ConfigError for a key that
    cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeouts: Timeouts | None = None,
        max_parallel: int = 8,
        user_agent: str = "seedream-daemon",
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._key = api_key or ""
        if not all("!" <= character <= "~" for character in self._key):
            raise ConfigError(
                "ARK_API_KEY holds a space, a line break or a character that no key has; "
                "copy it once more from the console."
            )
        self._timeouts = timeouts or Timeouts()
        self._user_agent = user_agent
        # One connection more than calls, so that a probe never waits behind them.
        self._client = _make_client(self._base_url, max_parallel + 1)

    def __repr__(self) -> str:
        return f"ArkClient({self._base_url!r})"

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def generate(
        self, request: ArkRequest, *, request_id: str, on_picture: OnPicture
    ) -> ArkAnswer:
        """Ask for pictures; await *on_picture* for each as it arrives, then return them all.

        Raises ArkError when no picture came; one with the verdict "in doubt" when the whole
        request had left. When pictures had come before the answer broke off they are returned,
        with `generated_images` None. Never repeats a request. The key stands in nothing that is
        returned or raised, even where the service repeats it.
        """
        try:
            answer = await self._generate(request, request_id, on_picture)
        except ArkError as error:
            error.hide(self._key)
            raise
        return self._without_key(answer)

    async def _generate(
        self, request: ArkRequest, request_id: str, on_picture: OnPicture
    ) -> ArkAnswer:
        answer = Answer(on_picture, wanted=request.max_images)
        with anyio.CancelScope() as scope:
            patience = Patience(scope, self._timeouts.answer_s)
            body = Body(request, on_all_sent=patience.restart)
            try:
                async with self._post(body, request_id, self._timeouts) as response:
                    if not response.is_success:
                        raise await error_from_refused(response)
                    await answer.read(response, patience)
            except PhotoChangedError as error:
                raise _not_sent("photo_changed", str(error), Verdict.NEVER) from error
            except (AnswerBrokenError, httpx.TransportError, httpx.DecodingError) as error:
                if not answer.is_settled:
                    raise _broken(error, all_sent=body.all_sent) from error
            finally:
                body.close()
        if scope.cancelled_caught and not answer.is_settled:
            raise _in_doubt("answer_timeout", "no answer came in time")
        return answer.result()

    async def probe(self, model: str) -> ArkError | None:
        """Ask at no cost whether the account may use *model*: None, or why not.

        It asks for a picture of an illegal size. A service that finds fault with the size has let
        key, account and model pass.
        """
        request = ArkRequest(model=model, prompt="probe", size="1x1")
        patience = Timeouts(connect_s=self._timeouts.connect_s, send_s=30.0, answer_s=30.0)
        body = Body(request)
        try:
            async with self._post(body, "probe", patience) as response:
                if response.is_success:
                    return None
                error = await error_from_refused(response)
        except (httpx.TransportError, httpx.DecodingError) as failure:
            return _not_sent("connect_failed", _words(failure))
        error.hide(self._key)
        found_fault = error.status == 400 and error.verdict is Verdict.NEVER
        return None if found_fault else error

    def _without_key(self, answer: ArkAnswer) -> ArkAnswer:
        failed = tuple(
            replace(
                member,
                code=hidden(member.code, self._key),
                message=hidden(member.message, self._key),
            )
            for member in answer.failed
        )
        request_id = hidden(answer.request_id or "", self._key) or None
        return replace(answer, failed=failed, request_id=request_id)

    def _post(self, body: Body, request_id: str, timeouts: Timeouts) -> _Responding:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "gzip, deflate",
            "Content-Length": str(body.content_length),
            "Content-Type": "application/json",
            "User-Agent": self._user_agent,
            "X-Client-Request-Id": request_id,
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return self._client.stream(
            "POST",
            f"{self._base_url}/images/generations",
            content=body,
            headers=headers,
            timeout=httpx.Timeout(
                connect=timeouts.connect_s,
                write=timeouts.send_s,
                read=timeouts.answer_s,
                pool=None,
            ),
        )


def _make_client(base_url: str, max_connections: int) -> httpx.AsyncClient:
    secure = base_url.startswith("https:")
    # Certificates are loaded only where they are used: it takes longer than all the rest.
    context = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if uses_proxy(base_url):
        limits = httpx.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=5.0,
        )
        return httpx.AsyncClient(verify=context, limits=limits, follow_redirects=False)
    transport = HearingTransport(
        ssl_context=context, resolve=resolve_any, max_connections=max_connections
    )
    return httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)


def _broken(error: Exception, *, all_sent: bool) -> ArkError:
    """Sort a failure without a usable answer by how much of the request had left."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return _not_sent("connect_failed", _words(error))
    if isinstance(error, AnswerBrokenError):
        return _in_doubt(error.code, str(error))
    if not all_sent:
        # The service knows the length ahead and does not act on a body that stops short.
        return _not_sent("send_failed", _words(error))
    code = "answer_timeout" if isinstance(error, httpx.TimeoutException) else "answer_cut"
    return _in_doubt(code, _words(error))


def _not_sent(code: str, message: str, verdict: Verdict = Verdict.AGAIN) -> ArkError:
    return ArkError(code=code, message=message, verdict=verdict)


def _in_doubt(code: str, message: str) -> ArkError:
    return ArkError(code=code, message=message, verdict=Verdict.IN_DOUBT)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
