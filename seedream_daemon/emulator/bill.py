"""The emulator's bill: one JSON line per picture, on disk before the picture is told of."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One picture that is paid for.

    `request_id` is the client's X-Client-Request-Id, or the one made up for it. `index` counts
    from 0 inside the request. `url` is None where the picture travels inside the answer.
    """

    request_id: str
    model: str
    index: int
    size: str
    prompt_sha256: str
    photos: tuple[str, ...]
    url: str | None
    usd: float


class Bill:
    """Appends charges to a file; many requests share one fsync. Without a file it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._file: BinaryIO | None = None if path is None else path.open("ab", buffering=0)
        self._pending: list[bytes] = []
        self._asked = 0
        self._written = 0
        self._writing = anyio.Lock()

    async def charge(self, charges: Sequence[Charge]) -> None:
        """Return when these charges are on the disk, even if the caller is cancelled."""
        if self._file is None or not charges:
            return
        self._pending += [json.dumps(asdict(charge)).encode() + b"\n" for charge in charges]
        self._asked += len(charges)
        mine = self._asked
        with anyio.CancelScope(shield=True):
            async with self._writing:
                # Whoever comes first writes for all who wait.
                if self._written >= mine:
                    return
                batch, self._pending = self._pending, []
                await anyio.to_thread.run_sync(_append, self._file, b"".join(batch))
                self._written += len(batch)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _append(file: BinaryIO, lines: bytes) -> None:
    file.write(lines)
    os.fdatasync(file.fileno())
