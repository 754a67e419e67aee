"""The body of a request, as it arrives -> its fields, and its photos in spool files.

A request may carry 100 MB of photos, and many arrive at once: each photo is cut out of the JSON
and decoded while it comes in, so that memory does not grow with it.
"""

import binascii
import hashlib
import json
import re
import secrets
import tempfile
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass

import anyio.to_thread

from seedream_daemon.emulator import refusal

_PIECE_BYTES = 1 << 20
_MAX_FIELDS_BYTES = 8 << 20
_MAX_KEPT_BYTES = 64 << 20
_KEEP_TAIL_BYTES = 128
# Not after a backslash: there the quote stands inside a text.
_PHOTO_BEGINS = re.compile(rb'(?<!\\)"data:([^",;\\]{1,64});base64,')


class SpooledPhoto:
    """A photo that came with a request: its media type as sent, digest, length and bytes."""

    def __init__(self, mime: str) -> None:
        self.mime = mime
        self.size_bytes = 0
        self.is_broken = False
        # Closed with the request that owns it, not with this block.
        self.file = tempfile.SpooledTemporaryFile(max_size=_PIECE_BYTES)  # noqa: SIM115
        self._digest = hashlib.sha256()
        self._rest = b""

    @property
    def sha256(self) -> str:
        """Give the digest of the decoded bytes."""
        return self._digest.hexdigest()

    def add(self, encoded: bytes) -> None:
        """Take the next piece of base64, cut anywhere."""
        encoded = self._rest + encoded.replace(b"\\/", b"/")
        whole = len(encoded) - len(encoded) % 4
        self._rest = encoded[whole:]
        try:
            decoded = binascii.a2b_base64(encoded[:whole], strict_mode=True) if whole else b""
        except binascii.Error:
            self.is_broken = True
            return
        self.size_bytes += len(decoded)
        self._digest.update(decoded)
        if self.size_bytes <= _MAX_KEPT_BYTES:
            self.file.write(decoded)

    def end(self) -> None:
        """Note that the text of the photo is complete."""
        self.is_broken = self.is_broken or bool(self._rest) or not self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A complete body: in `fields` each photo is replaced by its key in `photos`."""

    fields: Mapping[str, object]
    photos: Mapping[str, SpooledPhoto]

    def close(self) -> None:
        """Delete the spool files."""
        for photo in self.photos.values():
            photo.file.close()


class Intake:
    """Takes a body apart while it arrives."""

    def __init__(self) -> None:
        self._token = secrets.token_hex(12)
        self._fields = bytearray()
        self._pending = b""
        self._photo: SpooledPhoto | None = None
        self._photos: dict[str, SpooledPhoto] = {}

    def feed(self, piece: bytes) -> None:
        """Take the next bytes, cut anywhere. Raises RefusalError if there is too much text."""
        self._pending += piece
        while self._step():
            pass
        if len(self._fields) > _MAX_FIELDS_BYTES:
            raise refusal.unreadable_body()

    def finish(self) -> Body:
        """Give what the body said. Raises RefusalError if it was no JSON object."""
        self._fields += self._pending
        try:
            fields = json.loads(bytes(self._fields))
        except (ValueError, RecursionError) as error:
            raise refusal.unreadable_body() from error
        if not isinstance(fields, dict):
            raise refusal.unreadable_body()
        return Body(fields=fields, photos=self._photos)

    def close(self) -> None:
        """Delete what was spooled, for a body that will not be answered."""
        for photo in self._photos.values():
            photo.file.close()

    def _step(self) -> bool:
        return self._read_fields() if self._photo is None else self._read_photo(self._photo)

    def _read_fields(self) -> bool:
        begin = _PHOTO_BEGINS.search(self._pending)
        if begin is None:
            # The tail may hold the first half of a photo's beginning.
            safe = max(0, len(self._pending) - _KEEP_TAIL_BYTES)
            while safe and self._pending[safe : safe + 1] == b'"':
                safe -= 1  # a quote must be seen together with the backslash before it
            self._fields += self._pending[:safe]
            self._pending = self._pending[safe:]
            return False
        key = f"{self._token}-{len(self._photos) + 1}"
        self._photo = self._photos[key] = SpooledPhoto(begin[1].decode("ascii", "replace"))
        self._fields += self._pending[: begin.start()] + f'"{key}"'.encode("ascii")
        self._pending = self._pending[begin.end() :]
        return True

    def _read_photo(self, photo: SpooledPhoto) -> bool:
        end = self._pending.find(b'"')
        if end >= 0:
            photo.add(self._pending[:end])
            photo.end()
            self._photo = None
            self._pending = self._pending[end + 1 :]
            return True
        # A backslash at the end may belong to an escaped slash.
        whole = len(self._pending) - self._pending.endswith(b"\\")
        photo.add(self._pending[:whole])
        self._pending = self._pending[whole:]
        return False


async def read_body(pieces: AsyncIterable[bytes]) -> Body:
    """Read a body to its end, decoding in a worker thread.

    Raises RefusalError if it cannot be read, and whatever `pieces` raises when the client goes.
    """
    intake = Intake()
    gathered = bytearray()
    try:
        async for piece in pieces:
            gathered += piece
            if len(gathered) >= _PIECE_BYTES:
                await anyio.to_thread.run_sync(intake.feed, bytes(gathered))
                gathered.clear()
        if len(gathered) > _PIECE_BYTES // 8:
            await anyio.to_thread.run_sync(intake.feed, bytes(gathered))
        else:
            intake.feed(bytes(gathered))
        return intake.finish()
    except BaseException:
        intake.close()
        raise
