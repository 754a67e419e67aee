"""A photo that came with a request -> what the pictures show of it, or why it is refused."""

from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from seedream_daemon.emulator import refusal
from seedream_daemon.emulator.checks import Asked
from seedream_daemon.emulator.families import Size
from seedream_daemon.emulator.intake import Body, SpooledPhoto

MAX_BYTES = 10 << 20
MAX_PX = 36_000_000
THUMBNAIL_PX = 480
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A photo as the pictures show it."""

    sha256: str
    size: Size
    thumbnail: Image.Image


def read_references(asked: Asked, body: Body) -> tuple[Reference, ...]:
    """Decode the photos of a request, in order; slow, so for a worker thread.

    Raises RefusalError for the first photo that the service would not take.
    """
    return tuple(_read(value, body, asked.family.max_reference_ratio) for value in asked.images)


def _read(value: str, body: Body, max_ratio: float) -> Reference:
    photo = body.photos.get(value)
    if photo is None:
        if value.startswith(("http://", "https://")):
            raise refusal.invalid("image", f"Timeout while downloading url={value}")
        raise refusal.invalid("image", "invalid url specified.")
    kind = photo.mime.removeprefix("image/")
    if kind == photo.mime or kind != kind.lower() or photo.is_broken:
        raise refusal.invalid("image", "invalid url specified.")
    if photo.size_bytes > MAX_BYTES:
        raise refusal.invalid(
            "image",
            f"size of the input image ({-(-photo.size_bytes // (1 << 20))} MiB) "
            "exceeds the limit (10 MiB)",
            code="InvalidParameter.OversizeImage",
        )
    return _decode(photo, max_ratio)


def _decode(photo: SpooledPhoto, max_ratio: float) -> Reference:
    photo.file.seek(0)
    try:
        with Image.open(photo.file, formats=_FORMATS) as image:
            size = image.size
            _check_size(size, max_ratio)
            # A gap of 1 lets the JPEG decoder do all of the shrinking, which is nearly free.
            square = (THUMBNAIL_PX, THUMBNAIL_PX)
            image.thumbnail(square, Image.Resampling.BILINEAR, reducing_gap=1.0)
            return Reference(sha256=photo.sha256, size=size, thumbnail=image.convert("RGB"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise refusal.invalid("image", "the image cannot be decoded.") from error


def _check_size(size: Size, max_ratio: float) -> None:
    width, height = size
    if min(size) <= 14:
        raise refusal.invalid("image", "image width and height must be greater than 14 pixels.")
    if width * height > MAX_PX:
        raise _too_many_pixels()
    ratio = width / height
    if not 1 / max_ratio <= ratio <= max_ratio:
        raise refusal.invalid(
            "image",
            f"expected the aspect ratio to be between {1 / max_ratio:.2f} and {max_ratio:.2f}, "
            f"but received image with aspect ratio: {ratio:.2f} instead",
        )


def _too_many_pixels() -> refusal.RefusalError:
    return refusal.invalid("image", f"image size must be at most {MAX_PX} pixels.")
