"""Pixels -> JPEG bytes under the limits of what may be sent."""

import io
import math

from PIL import Image

QUALITY = 95
SHRUNK_LONG_SIDE = 2048
_LEAST_QUALITY = 60
_QUALITY_STEP = 5
_SMALLER = 0.7  # also makes 2 pixels 1, so that the search ends


def jpeg_under(image: Image.Image, *, max_bytes: int) -> tuple[bytes, int, int]:
    """Encode an RGB picture as JPEG of quality 95, or as much less as `max_bytes` demands.

    Gives the bytes, the width and the height. Below quality 60 the picture is made smaller
    instead. The file holds no EXIF: where a photo was taken is nobody's business.
    """
    while True:
        for quality in range(QUALITY, _LEAST_QUALITY - 1, -_QUALITY_STEP):
            data = jpeg(image, quality)
            if len(data) <= max_bytes:
                return data, image.width, image.height
        if max(image.size) == 1:
            raise ValueError(f"no JPEG is as small as {max_bytes} bytes")
        image = scaled(image, _SMALLER)


def jpeg(image: Image.Image, quality: int = QUALITY) -> bytes:
    """Encode an RGB picture as a JPEG file without any metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, exif=b"", xmp=b"", comment=b"")
    return buffer.getvalue()


def fitted(image: Image.Image, long_side: int) -> Image.Image:
    """Make a picture smaller so that its long side is at most so many pixels."""
    factor = long_side / max(image.size)
    return image if factor >= 1 else scaled(image, factor)


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Resize by a factor below 1, in good quality; no side falls below one pixel."""
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def under_pixels(image: Image.Image, max_pixels: int) -> Image.Image:
    """Make a picture smaller, if need be, so that it has at most so many pixels."""
    pixels = image.width * image.height
    if pixels <= max_pixels:
        return image
    factor = math.sqrt(max_pixels / pixels)
    size = (int(image.width * factor), int(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
