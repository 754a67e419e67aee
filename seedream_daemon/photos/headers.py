"""The size and the EXIF turn of a photo, read from its header without any picture library.

The daemon looks at every photo of a drop, and a drop comes from anybody: so nothing here decodes,
allocates by what a header says, or calls C code. Pillow is not used even for headers, because it
reads a WebP whole and makes room for its canvas on opening.
"""

from pathlib import Path
from typing import BinaryIO, NamedTuple

from seedream_daemon.imagefile import heif_boxes, jpeg_segments, png_chunks

# Frame headers SOF0..SOF15, without DHT, JPG and DAC, which share the range (ITU-T T.81, B.1.1.3).
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MAX_EXIF_BYTES = 1 << 16
_MAX_META_BYTES = 1 << 20
_MAX_WEBP_CHUNKS = 200_000  # frames of an animation; a file of nothing else must not hold us up


class Header(NamedTuple):
    """Width and height in pixels as stored, and the EXIF orientation 1..8 (1: as it is)."""

    width: int
    height: int
    orientation: int = 1


def read_header(path: Path, image_format: str) -> Header | None:
    """Read the header of a "jpeg", "png", "webp" or "heic"; None where none can be made out.

    The size of a HEIC is the upright one: its turn is part of the format and always applied.
    Raises OSError if the file cannot be read.
    """
    read = {"jpeg": _jpeg, "png": _png, "webp": _webp, "heic": _heic}[image_format]
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        header = read(file, size)
    return header if header is not None and header.width > 0 and header.height > 0 else None


def _jpeg(file: BinaryIO, _size: int) -> Header | None:
    orientation = None
    for marker, at, length in jpeg_segments(file):
        if marker == 0xE1 and orientation is None:
            orientation = _exif_orientation(_read_at(file, at, length))
        if marker in _SOF:
            frame = _read_at(file, at, 6)
            height, width = _big(frame[1:3]), _big(frame[3:5])
            # EXIF stands before the frame header in every file that follows its standard.
            return Header(width, height, orientation or 1)
    return None


def _png(file: BinaryIO, size: int) -> Header | None:
    found = None
    for kind, at, length in png_chunks(file, size):
        if kind == b"IHDR":
            ihdr = _read_at(file, at, 8)
            found = Header(_big(ihdr[:4]), _big(ihdr[4:8]))
        elif kind == b"eXIf" and found is not None:
            exif = _read_at(file, at, min(length, _MAX_EXIF_BYTES))
            return found._replace(orientation=_tiff_orientation(exif) or 1)
    return found


def _webp(file: BinaryIO, size: int) -> Header | None:
    at, found = 12, None
    for _ in range(_MAX_WEBP_CHUNKS):
        if at + 8 > size:
            break
        head = _read_at(file, at, 8 + 10)
        kind, length, data = head[:4], int.from_bytes(head[4:8], "little"), head[8:]
        if kind == b"EXIF":
            exif = _read_at(file, at + 8, min(length, _MAX_EXIF_BYTES))
            turn = _exif_orientation(exif) or _tiff_orientation(exif) or 1
            return found and found._replace(orientation=turn)
        found = found or _webp_size(kind, data)
        at += 8 + length + length % 2
    return found


def _webp_size(kind: bytes, data: bytes) -> Header | None:
    if kind == b"VP8X":
        return Header(1 + _little(data[4:7]), 1 + _little(data[7:10]))
    if kind == b"VP8L":
        bits = _little(data[1:5])
        return Header(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        return Header(_little(data[6:8]) & 0x3FFF, _little(data[8:10]) & 0x3FFF)
    return None


def _heic(file: BinaryIO, size: int) -> Header | None:
    boxes = {kind: (at, min(end, size)) for kind, at, end in heif_boxes(file, 0, size)}
    if b"meta" not in boxes:
        return None
    at, end = boxes[b"meta"]
    meta = {kind: (lo, hi) for kind, lo, hi in heif_boxes(file, at + 4, end)}
    if not {b"pitm", b"iprp"} <= meta.keys():
        return None
    pitm = _read_at(file, *_span(meta[b"pitm"]))
    primary = _big(pitm[4:6] if pitm[:1] == b"\0" else pitm[4:8])
    iprp = {kind: (lo, hi) for kind, lo, hi in heif_boxes(file, *meta[b"iprp"])}
    if not {b"ipco", b"ipma"} <= iprp.keys():
        return None
    properties = list(heif_boxes(file, *iprp[b"ipco"]))
    ours = _associations(_read_at(file, *_span(iprp[b"ipma"])), primary)
    width = height = 0
    for index in ours:
        kind, lo, _ = properties[index - 1] if 0 < index <= len(properties) else (b"", 0, 0)
        if kind == b"ispe":
            ispe = _read_at(file, lo, 12)
            width, height = _big(ispe[4:8]), _big(ispe[8:12])
        elif kind == b"irot" and _read_at(file, lo, 1)[:1] in (b"\1", b"\3"):
            width, height = height, width
    return Header(width, height)


def _associations(ipma: bytes, item: int) -> list[int]:
    """List the numbers of the properties of `item` (ISO/IEC 23008-12, 9.3.1)."""
    id_bytes = 2 if ipma[:1] == b"\0" else 4
    each = 2 if ipma[3:4] and ipma[3] & 1 else 1
    at = 8
    while at + id_bytes < len(ipma):
        number, count = _big(ipma[at : at + id_bytes]), ipma[at + id_bytes]
        at += id_bytes + 1
        if number == item:
            cells = (ipma[i : i + each] for i in range(at, at + count * each, each))
            # The highest bit says that a reader must know the property.
            return [_big(cell) & (1 << 8 * each - 1) - 1 for cell in cells]
        at += count * each
    return []


def _exif_orientation(segment: bytes) -> int | None:
    return _tiff_orientation(segment[6:]) if segment.startswith(b"Exif\0") else None


def _tiff_orientation(tiff: bytes) -> int | None:
    order = {b"II": "little", b"MM": "big"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return None

    def number(at: int, count: int) -> int:
        return int.from_bytes(tiff[at : at + count], "big" if order == "big" else "little")

    ifd = number(4, 4)
    for entry in range(ifd + 2, ifd + 2 + 12 * number(ifd, 2), 12):
        if entry + 12 > len(tiff):
            break
        if number(entry, 2) == 0x0112:
            # A SHORT by the standard; some programs write a LONG (type 4).
            turn = number(entry + 8, 4 if number(entry + 2, 2) == 4 else 2)
            return turn if 1 <= turn <= 8 else None
    return None


def _read_at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _span(box: tuple[int, int]) -> tuple[int, int]:
    return box[0], min(box[1] - box[0], _MAX_META_BYTES)


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
