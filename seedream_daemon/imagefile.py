"""Which kind of picture a file is by its content, and whether it ends as that kind must.

Nothing is decoded and nothing is believed about the name; the file is read in pieces, so that a
file of any size takes the same little memory.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

ImageFormat = Literal["jpeg", "png", "webp", "heic"]

EXTENSION = {"jpeg": "jpg", "png": "png", "webp": "webp", "heic": "heic"}
MIME = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "heic": "image/heic"}

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# ISO/IEC 23008-12, annexes B and C: brands of HEVC-coded still pictures and bursts.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# ISO/IEC 14496-12, and what phones append: a video (mpvd) and their own data (sefd).
_HEIF_BOXES = frozenset(
    (b"ftyp", b"meta", b"mdat", b"moov", b"moof", b"free", b"skip", b"uuid", b"mpvd", b"sefd")
)
# No picture has so many segments, chunks or boxes; a file made of nothing else must not hold us up.
_MAX_PARTS = 200_000
_PIECE_BYTES = 1 << 18
# In the coded data of a JPEG, FF stands before 00 (a stuffed byte) or a restart marker D0..D7;
# anything else after it begins a segment or ends the picture (ITU-T T.81, B.1.1).
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_SOS, _EOI = 0xDA, 0xD9


def sniff(path: Path) -> ImageFormat | None:
    """Tell "jpeg", "png", "webp" or "heic" by the first bytes of `path`; None for all else.

    Raises OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        return sniff_bytes(file.read(256))


def sniff_bytes(head: bytes) -> ImageFormat | None:
    """Tell the same from the first 256 bytes of a file."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(_PNG_SIGNATURE):
        return "png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    return "heic" if _brands(head) & _HEIC_BRANDS else None


def _brands(head: bytes) -> set[bytes]:
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}


def is_whole(path: Path, image_format: str) -> bool:
    """Tell whether the file ends as its format demands; bytes after the end do no harm.

    `image_format` is what `sniff` answered. Raises OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if image_format == "jpeg":
            return _jpeg_is_whole(file, size)
        if image_format == "png":
            return any(kind == b"IEND" for kind, _, _ in png_chunks(file, size))
        if image_format == "webp":
            head = file.read(12)
            return len(head) == 12 and int.from_bytes(head[4:8], "little") + 8 <= size
        return _heif_is_whole(file, size)


def jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """List (marker, offset of the payload, its bytes) up to and with the first SOS.

    Ends early where the file is cut or is no JPEG. The file may be read and sought in between.
    """
    at = 2
    for _ in range(_MAX_PARTS):
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        marker = head[1]
        if marker == 0xFF:  # fill bytes may stand before any marker
            at += 1
            continue
        if marker == _EOI:
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        length = int.from_bytes(head[2:4], "big")
        if length < 2:
            return
        yield marker, at + 4, length - 2
        if marker == _SOS:
            return
        at += 2 + length


def _jpeg_is_whole(file: BinaryIO, size: int) -> bool:
    # Segments are skipped by their length: the thumbnail within EXIF has an SOS and EOI too.
    coded = next((at + n for marker, at, n in jpeg_segments(file) if marker == _SOS), size)
    if coded >= size:
        return False
    file.seek(max(coded, size - 2))
    return file.read(2) == b"\xff\xd9" or _eoi_follows(file, coded)


def _eoi_follows(file: BinaryIO, at: int) -> bool:
    file.seek(at)
    skip = 0  # how many bytes of what comes next belong to a segment that has begun
    kept = b""
    while piece := file.read(_PIECE_BYTES):
        data = kept + piece
        start = skip
        while found := _JPEG_MARKER.search(data, start):
            if found[0][1] == _EOI:
                return True
            if found.end() + 2 > len(data):
                break
            # Tables and further scans of a progressive JPEG: skipped by their length.
            start = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
        # A marker and its length take 4 bytes, which may lie on both sides of the seam.
        kept = data[max(start, len(data) - 3) :]
        skip = max(0, start - len(data))
    return False


def png_chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """List (type, offset of the data, its bytes) of all chunks that are there in full."""
    at = len(_PNG_SIGNATURE)
    for _ in range(_MAX_PARTS):
        if at + 12 > size:
            return
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        if at + 12 + length > size:
            return
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += 12 + length


def heif_boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """List (type, offset of the payload, offset of the end as the box says) between two offsets.

    The last one may end after `end`: then the file is cut.
    """
    at = start
    for _ in range(_MAX_PARTS):
        if at + 8 > end:
            return
        file.seek(at)
        head = file.read(16).ljust(8, b"\0")
        length, kind = struct.unpack(">I4s", head[:8])
        payload = at + 8
        if length == 1 and len(head) == 16:
            length, payload = int.from_bytes(head[8:], "big"), at + 16
        elif length == 0:  # ISO/IEC 14496-12, 4.2: to the end of the file
            length = end - at
        if length < payload - at:
            return
        yield kind, payload, at + length
        at += length


def _heif_is_whole(file: BinaryIO, size: int) -> bool:
    seen: set[bytes] = set()
    at = 0
    for kind, payload, end in heif_boxes(file, 0, size):
        if end > size:
            # After the picture's own boxes, bytes that are no box are a trailer.
            return {b"meta", b"mdat"} <= seen and kind not in _HEIF_BOXES
        seen.add(kind)
        if kind == b"meta":
            seen |= {inner for inner, _, _ in heif_boxes(file, payload + 4, end)}
        at = end
    return b"meta" in seen and bool(seen & {b"mdat", b"idat"}) and at > 0
