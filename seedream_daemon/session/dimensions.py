"""The edge: how wide and high a received picture is, by its header. Nothing is decoded."""

from pathlib import Path
from typing import BinaryIO

from seedream_daemon.imagefile import jpeg_segments

# Start of frame, ITU-T T.81 table B.1: C0..CF without the tables DHT, JPG and DAC.
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def dimensions(path: Path, image_format: str) -> tuple[int, int] | None:
    """Give width and height in pixels of a "jpeg", "png" or "webp"; None if they are not told.

    Raises OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        match image_format:
            case "jpeg":
                return _of_jpeg(file)
            case "png":
                return _of_png(file.read(24))
            case "webp":
                return _of_webp(file.read(30))
            case _:
                return None


def _of_jpeg(file: BinaryIO) -> tuple[int, int] | None:
    for marker, offset, length in jpeg_segments(file):
        if marker in _SOF and length >= 5:
            file.seek(offset + 1)
            sides = file.read(4)
            return int.from_bytes(sides[2:], "big"), int.from_bytes(sides[:2], "big")
    return None


def _of_png(head: bytes) -> tuple[int, int] | None:
    if head[12:16] != b"IHDR" or len(head) < 24:
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _of_webp(head: bytes) -> tuple[int, int] | None:
    """Read the three kinds of first chunk, RFC 9649 sections 2.5 to 2.7."""
    if len(head) < 30:
        return None
    match head[12:16]:
        case b"VP8 ":
            width, height = (int.from_bytes(head[at : at + 2], "little") for at in (26, 28))
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            width, height = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
            return width + 1, height + 1
        case _:
            return None
