"""Pictures on disk behind pre-signed URLs that answer GET alone, and only for a while."""

import hashlib
import hmac
import re
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import anyio
import anyio.to_thread

# "02", the milliseconds of its birth, chance, the picture's index: as the live service names them.
_NAME = re.compile(r"02(\d{13})[0-9a-f]{12}_\d+\.(?:jpeg|png)")
_SWEEP_S = 30.0


class Spool:
    """Holds pictures in a temporary folder until their URLs have expired.

    All that is known of a picture stands in its name, so that memory does not grow with them.
    """

    def __init__(self, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._secret = secrets.token_bytes(16)
        self._folder = Path(tempfile.mkdtemp(prefix="seedream-emulator-"))
        self._to_cut: set[str] = set()
        self._guard = threading.Lock()

    def new_name(self, index: int, *, png: bool, is_expired: bool = False) -> str:
        """Name a picture to come; `is_expired` names one whose URL is already too old."""
        born_ms = time.time_ns() // 1_000_000
        if is_expired:
            born_ms -= int(self._ttl_s * 1000) + 1000
        ending = "png" if png else "jpeg"
        return f"02{born_ms:013d}{secrets.token_hex(6)}_{index}.{ending}"

    def url(self, base: str, name: str) -> str:
        """Give the signed address of a picture; `base` ends without a slash."""
        born_s = self._born_s(name)
        query = {
            "X-Tos-Algorithm": "TOS4-HMAC-SHA256",
            "X-Tos-Credential": "EMULATOR/ap-southeast-1/tos/request",
            "X-Tos-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(born_s)),
            "X-Tos-Expires": f"{self._ttl_s:g}",
            "X-Tos-Signature": self._sign(name),
            "X-Tos-SignedHeaders": "host",
        }
        return f"{base}/generated/{name}?{urlencode(query)}"

    def admits(self, name: str, signature: str) -> str | None:
        """Say why a picture is not handed out, None if it is."""
        if not _NAME.fullmatch(name) or not hmac.compare_digest(
            signature.encode(), self._sign(name).encode()
        ):
            return "The request signature we calculated does not match the signature you provided"
        if time.time() >= self._born_s(name) + self._ttl_s:
            return "Request has expired"
        return None

    def write(self, name: str, content: bytes) -> None:
        """Keep a picture."""
        (self._folder / name).write_bytes(content)

    def read(self, name: str) -> bytes | None:
        """Give a picture, None if it was never made or is gone."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def cut_once(self, name: str) -> None:
        """Have the next download of this picture end in the middle."""
        with self._guard:
            self._to_cut.add(name)

    def takes_cut(self, name: str) -> bool:
        """Say whether this download is to be cut; the next one is whole."""
        with self._guard:
            is_cut = name in self._to_cut
            self._to_cut.discard(name)
            return is_cut

    async def sweep_for_ever(self) -> None:
        """Delete pictures whose URLs have expired, now and then, until cancelled."""
        while True:
            await anyio.sleep(_SWEEP_S)
            await anyio.to_thread.run_sync(self._sweep)

    def close(self) -> None:
        """Delete all pictures."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sweep(self) -> None:
        oldest = time.time() - self._ttl_s
        for path in self._folder.iterdir():
            if self._born_s(path.name) < oldest:
                path.unlink(missing_ok=True)

    def _born_s(self, name: str) -> float:
        return int(name[2:15]) / 1000

    def _sign(self, name: str) -> str:
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()
