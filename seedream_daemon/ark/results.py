"""Fetches a picture that the service made into a file."""

import os
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import anyio
import anyio.to_thread
import httpx

from seedream_daemon.ark.hosts import HostRule, ResultHostError, is_open_internet
from seedream_daemon.ark.transport import HearingTransport, Resolve, resolve_any, uses_proxy

__all__ = ["DownloadError", "ResultFetcher", "ResultHostError", "UrlGoneError"]

_GONE = frozenset({403, 404, 410})
# What is collected before a worker thread writes it.
_WRITE_BYTES = 1_000_000


class UrlGoneError(Exception):
    """The address answers 403, 404 or 410: signed addresses end after 24 hours."""


class DownloadError(Exception):
    """The picture did not come this time; it may come the next."""


class PictureTooLargeError(Exception):
    """The picture has more bytes than are taken; it will have them the next time too."""


class ResultFetcher:
    """Fetches pictures from where *base_url*'s service keeps them; enter it with `async with`.

    *result_hosts* are further hosts, as RESULT_HOSTS names them. Each name is resolved once per
    connection, and connected to by that address, which must be of the open internet unless it is
    *base_url*'s own. Where the environment sets a proxy the proxy resolves, and the list of names
    alone decides. No key is ever sent, and no redirect followed.
    """

    def __init__(
        self,
        base_url: str,
        result_hosts: Iterable[str] = (),
        *,
        max_bytes: int = 64_000_000,
        max_parallel: int = 16,
        idle_s: float = 60.0,
        total_s: float = 600.0,
        resolve: Resolve = resolve_any,
    ) -> None:
        self._rule = HostRule(base_url, result_hosts)
        self._resolve = resolve
        self._max_bytes = max_bytes
        self._total_s = total_s
        self._timeout = httpx.Timeout(idle_s, connect=10.0, pool=None)
        context = httpx.create_ssl_context()
        self._direct = httpx.AsyncClient(
            transport=HearingTransport(
                ssl_context=context, resolve=self._checked, max_connections=max_parallel
            ),
            trust_env=False,
            follow_redirects=False,
        )
        self._proxied = _proxied_client(context, max_parallel)

    async def __aenter__(self) -> Self:
        await self._direct.__aenter__()
        await self._proxied.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._proxied.__aexit__(kind, error, trace)
        await self._direct.__aexit__(kind, error, trace)

    async def fetch(self, url: str, draft: Path) -> int:
        """Fetch *url* into the file *draft*, fsync it and return its length in bytes.

        Raises ResultHostError, UrlGoneError, or DownloadError for what may pass; then no draft is
        left. OSError means that the file could not be written. Tries once.
        """
        place = self._rule.check(url)
        if httpx.URL(url).host != place.host:  # two readers of one URL must not disagree
            raise ResultHostError("the address of the picture can be read in two ways")
        file = await anyio.to_thread.run_sync(draft.open, "wb")
        try:
            with file:
                count = await self._fetch_into(file, url)
                await anyio.to_thread.run_sync(_make_durable, file)
        except BaseException:
            _discard(draft)  # without await: it must happen also when this task is cancelled
            raise
        return count

    async def _fetch_into(self, file: BinaryIO, url: str) -> int:
        client = self._proxied if uses_proxy(url) else self._direct
        try:
            with anyio.fail_after(self._total_s):
                async with client.stream(
                    "GET",
                    url,
                    headers={"Accept-Encoding": "identity", "User-Agent": "seedream-daemon"},
                    timeout=self._timeout,
                ) as response:
                    self._check_head(response)
                    return await self._copy(response, file)
        except TimeoutError as error:
            raise DownloadError(f"the picture took longer than {self._total_s:g} s") from error
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise DownloadError(str(error) or type(error).__name__) from error

    def _check_head(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in _GONE:
            raise UrlGoneError(f"the picture's address answers {status}: it is gone")
        if response.is_redirect:
            raise ResultHostError(f"the picture's address answers {status} and leads elsewhere")
        if status != 200:
            raise DownloadError(f"the picture's address answers {status}")
        told = response.headers.get("content-length", "")
        if told.isdigit() and int(told) > self._max_bytes:
            raise self._too_large()

    async def _copy(self, response: httpx.Response, file: BinaryIO) -> int:
        held, count = bytearray(), 0
        async for piece in response.aiter_bytes():
            held += piece
            count += len(piece)
            if count > self._max_bytes:
                raise self._too_large()
            if len(held) >= _WRITE_BYTES:
                await anyio.to_thread.run_sync(file.write, bytes(held))
                held.clear()
        await anyio.to_thread.run_sync(file.write, bytes(held))
        told = response.headers.get("content-length", "")
        if told.isdigit() and response.num_bytes_downloaded != int(told):
            raise DownloadError(f"{response.num_bytes_downloaded} bytes of {told} came")
        if count == 0:
            raise DownloadError("the picture's address answers with nothing")
        return count

    def _too_large(self) -> PictureTooLargeError:
        return PictureTooLargeError(
            f"The picture has more than {self._max_bytes / 1e6:g} MB, and is not fetched. "
            "Ask for a smaller size."
        )

    async def _checked(self, host: str, port: int) -> Sequence[str]:
        addresses = await self._resolve(host, port)
        if self._rule.is_base(host):
            return addresses
        for address in addresses:
            if not is_open_internet(address):
                raise ResultHostError(
                    f"{host} leads to {address}, which is not on the open internet; nothing is "
                    "fetched from there."
                )
        return addresses


def _proxied_client(context: ssl.SSLContext, max_parallel: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=max_parallel, keepalive_expiry=5.0)
    return httpx.AsyncClient(verify=context, limits=limits, follow_redirects=False)


def _discard(draft: Path) -> None:
    with suppress(FileNotFoundError):
        draft.unlink()


def _make_durable(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
