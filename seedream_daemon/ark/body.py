"""ArkRequest -> body in pieces, base64 spliced in, length known ahead.

A request may carry 140 MB of photos and many requests are under way at once, so no photo is ever
whole in memory: each is read, encoded and handed over piece by piece.
"""

import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio.to_thread
import httpx
import pybase64

from seedream_daemon.ark.wire import ArkRequest, SentPhoto, body_fields

# A multiple of 3, so that only the last piece of a photo is padded.
PIECE_BYTES = 384 * 1024


class PhotoChangedError(Exception):
    """A photo is not what it was when the request was made; the body was left incomplete."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


class Body(httpx.AsyncByteStream):
    """The JSON body of one request, to be sent once.

    `content_length` is exact: what does not come to it is broken off with PhotoChangedError, and
    a server does not act on a body that stops short. `all_sent` turns true as the last byte is
    handed over: from then on a missing answer may mean a billed request. *on_all_sent* is called
    when the last byte has been taken.
    """

    def __init__(
        self, request: ArkRequest, *, on_all_sent: Callable[[], None] | None = None
    ) -> None:
        self._on_all_sent = on_all_sent
        self._photos = request.photos
        self._texts = _texts_around(request)
        self._file: int | None = None
        self.all_sent = False
        self.content_length = sum(map(len, self._texts)) + sum(
            (photo.size_bytes + 2) // 3 * 4 for photo in self._photos
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces; raise PhotoChangedError."""
        for text, photo in zip(self._texts, self._photos, strict=False):
            yield text
            self._file = await anyio.to_thread.run_sync(_open, photo)
            left = photo.size_bytes
            while left:
                encoded, count = await anyio.to_thread.run_sync(_read, self._file, photo, left)
                left -= count
                yield encoded
            self.close()
        self.all_sent = True
        yield self._texts[-1]
        if self._on_all_sent is not None:
            self._on_all_sent()

    def close(self) -> None:
        """Close the photo that was being read when the sending was given up."""
        # A sender that stops early leaves the iterator where it stands, for nobody knows how long.
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _texts_around(request: ArkRequest) -> tuple[bytes, ...]:
    """Return the JSON in front of, between and behind the photos: one more than there are."""
    text = json.dumps(body_fields(request), ensure_ascii=False, separators=(",", ":"))
    whole = text.encode("utf-8")
    if not request.photos:
        return (whole,)
    heads = [f'"data:{photo.mime};base64,'.encode("ascii") for photo in request.photos]
    several = len(heads) > 1
    first = whole[:-1] + b',"image":' + (b"[" if several else b"") + heads[0]
    between = (b'",' + head for head in heads[1:])
    return (first, *between, b'"]}' if several else b'"}')


def _open(photo: SentPhoto) -> int:
    try:
        file = os.open(photo.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise PhotoChangedError(photo.path, f"cannot be read: {error.strerror}") from error
    size = os.fstat(file).st_size
    if size != photo.size_bytes:
        os.close(file)
        raise PhotoChangedError(photo.path, f"has {size} bytes and had {photo.size_bytes}")
    return file


def _read(file: int, photo: SentPhoto, left: int) -> tuple[bytes, int]:
    wanted = min(PIECE_BYTES, left)
    try:
        piece = os.read(file, wanted)
        while len(piece) < wanted and (more := os.read(file, wanted - len(piece))):
            piece += more
        # At the photo's end one byte more is asked for, to see that there is none.
        longer = wanted == left and os.read(file, 1)
    except OSError as error:
        raise PhotoChangedError(photo.path, f"cannot be read: {error.strerror}") from error
    if longer or len(piece) < wanted:
        raise PhotoChangedError(photo.path, "changed its length while it was sent")
    return pybase64.b64encode(piece), wanted
