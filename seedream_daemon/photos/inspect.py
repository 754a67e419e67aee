"""What a photo is before anybody decodes it, and why it cannot be sent.

The figures are those of the image generation API's input pictures (ModelArk/1541523).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from seedream_daemon.imagefile import MIME, ImageFormat, is_whole, sniff_bytes
from seedream_daemon.photos.headers import read_header

MB = 1_000_000
MAX_SENT_PIXELS = 36_000_000
MAX_DECODED_PIXELS = 256_000_000
MIN_SIDE = 14
MAX_ASPECT = 16

_OTHER_KINDS = {
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF or a raw photo",
    b"MM\0*": "a TIFF or a raw photo",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive or an office document",
    b"8BPS": "a Photoshop file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoFacts:
    """What the header of a photo says.

    `format` is "jpeg", "png", "webp" or "heic", None where it is none of them; then `instead` says
    what it is ("a text file") as far as can be told. `width` and `height` are in pixels before the
    EXIF turn, 0 where the header cannot be made out. `orientation` is EXIF's, 1 where there is
    none or a broken one. `whole` says that the file ends as its format demands.
    """

    format: ImageFormat | None
    mime: str | None
    bytes: int
    width: int = 0
    height: int = 0
    orientation: int = 1
    whole: bool = False
    instead: str | None = None


def inspect(path: Path) -> PhotoFacts:
    """Read what the header and the end of a file say; nothing is decoded.

    Raises OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(4096)
        size = file.seek(0, 2)
    image_format = sniff_bytes(head)
    if image_format is None:
        return PhotoFacts(format=None, mime=None, bytes=size, instead=_describe(head))
    header = read_header(path, image_format)
    return PhotoFacts(
        format=image_format,
        mime=MIME[image_format],
        bytes=size,
        width=header.width if header else 0,
        height=header.height if header else 0,
        orientation=header.orientation if header else 1,
        whole=is_whole(path, image_format),
    )


def _describe(head: bytes) -> str | None:
    for magic, words in _OTHER_KINDS.items():
        if head.startswith(magic):
            return words
    if head[4:8] == b"ftyp":
        return "an AVIF" if b"avif" in head[8:64] or b"avis" in head[8:64] else "a video"
    if b"\0" in head:
        return None
    try:
        # The piece may end within a character, which is up to 4 bytes long.
        head[:-3].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "a text file"


def digest(path: Path) -> str:
    """Give the SHA-256 of a file in hex, read in pieces. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def limits_problem(
    facts: PhotoFacts, *, max_input_mb: float | None, max_pixels: int = MAX_SENT_PIXELS
) -> str | None:
    """Say why a photo cannot be sent as it is, as the end of a sentence that its name begins.

    `max_input_mb` is in units of 1,000,000 bytes; None where the bytes will be made anew.
    """
    return (
        unreadable_problem(facts)
        or _bytes_problem(facts, max_input_mb)
        or _pixels_problem(facts, max_pixels)
        or _side_problem(facts)
        or _aspect_problem(facts)
    )


def conversion_problem(facts: PhotoFacts) -> str | None:
    """Say why a photo cannot be sent even when it is made anew and smaller."""
    return limits_problem(facts, max_input_mb=None, max_pixels=MAX_DECODED_PIXELS)


def crop_problem(facts: PhotoFacts) -> str | None:
    """Say why no square can be cut from a photo."""
    return (
        unreadable_problem(facts)
        or _pixels_problem(facts, MAX_DECODED_PIXELS)
        or _side_problem(facts)
    )


def unreadable_problem(facts: PhotoFacts) -> str | None:
    """Say why a file is no photo that anybody could use: empty, cut short, something else."""
    if facts.bytes == 0:
        return "is empty; copy it again"
    if facts.format is None:
        allowed = "save it as JPEG, PNG, WebP or HEIC"
        return (
            f"is {facts.instead}, not a photo; {allowed}"
            if facts.instead
            else (f"is not a photo in a format that is known here; {allowed}")
        )
    if not facts.whole:
        return f"is cut short (it ends after {facts.bytes:,} bytes); copy it again"
    if facts.width == 0 or facts.height == 0:
        return f"is damaged: its {facts.format.upper()} header gives no size; export it again"
    return None


def _bytes_problem(facts: PhotoFacts, max_input_mb: float | None) -> str | None:
    if max_input_mb is None or facts.bytes <= max_input_mb * MB:
        return None
    found = f"{facts.bytes / MB:.2f}"
    if float(found) <= max_input_mb:  # rounding must not say "10.00 MB, over 10 MB"
        found = f"{facts.bytes / MB:.6f}"
    return (
        f"is {found} MB, over the {max_input_mb:g} MB of MAX_INPUT_MB; "
        'save it smaller or set oversize = "shrink"'
    )


def _pixels_problem(facts: PhotoFacts, max_pixels: int) -> str | None:
    pixels = facts.width * facts.height
    if pixels <= max_pixels:
        return None
    advice = "save it smaller"
    if pixels <= MAX_DECODED_PIXELS:
        advice += ' or set oversize = "shrink"'
    return (
        f"is {facts.width} x {facts.height} pixels ({pixels / 1e6:.1f} megapixels), over the "
        f"{max_pixels / 1e6:g} megapixels that are taken; {advice}"
    )


def _side_problem(facts: PhotoFacts) -> str | None:
    if min(facts.width, facts.height) > MIN_SIDE:
        return None
    return (
        f"is {facts.width} x {facts.height} pixels, but each side must be longer than "
        f"{MIN_SIDE} pixels; use a larger photo"
    )


def _aspect_problem(facts: PhotoFacts) -> str | None:
    if max(facts.width, facts.height) <= MAX_ASPECT * min(facts.width, facts.height):
        return None
    return (
        f"is {facts.width} x {facts.height} pixels, but its long side may be at most "
        f"{MAX_ASPECT} times its short side; cut it to a less narrow shape"
    )
