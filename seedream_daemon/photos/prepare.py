"""[edge] One photo, whole: read, decode, crop, encode, write. Runs in a photo worker."""

import hashlib
import math
from collections.abc import Callable

from PIL import Image

from seedream_daemon.durable import write_atomically
from seedream_daemon.photos.crop import as_stored
from seedream_daemon.photos.croppers import DETECT_LONG_SIDE, Cropper, Cut
from seedream_daemon.photos.decode import Decoded, can_be_resampled, decode, to_plain_rgb, to_srgb
from seedream_daemon.photos.encode import SHRUNK_LONG_SIDE, fitted, jpeg, jpeg_under, under_pixels
from seedream_daemon.photos.steps import Prepared, PrepareRequest

CROP_SIDE = 1024
THUMBNAIL_LONG_SIDE = 512
# Of larger photos a reduced copy is decoded. Most faces in it fill a square of 1024 pixels; for
# one that does not the photo is decoded again. Less would save half of the time for a few photos
# and cost half as much again for the others.
_LEAST_SHORT_SIDE = 2560
_THUMBNAIL_QUALITY = 85


def prepare(request: PrepareRequest, get_cropper: Callable[[], Cropper]) -> Prepared:
    """Do what the request asks and write the result durably.

    `get_cropper` is called only where something is cropped: detectors take time to load.

    Raises PhotoDamagedError if the photo cannot be decoded, OSError if it cannot be read or the
    result cannot be written.
    """
    if request.step == "crop":
        return _crop(request, get_cropper())
    if request.step == "thumbnail":
        return _thumbnail(request)
    return _convert(request)


def _crop(request: PrepareRequest, cropper: Cropper) -> Prepared:
    photo = decode(request.photo, enough=lambda w, h: _LEAST_SHORT_SIDE / min(w, h))
    if request.thumbnail is not None:
        small = _small_upright(photo, THUMBNAIL_LONG_SIDE)
        write_atomically(request.thumbnail, jpeg(small, _THUMBNAIL_QUALITY))
    cut = cropper.cut(detection_copy(photo), photo.width, photo.height)
    least = CROP_SIDE / cut.square.side
    if photo.scale < min(1, least):
        photo = decode(request.photo, enough=lambda _w, _h: least)
    data, width, height = jpeg_under(cut_out(photo, cut), max_bytes=request.max_bytes)
    return _written(request, data, (width, height), photo, cut)


def detection_copy(photo: Decoded) -> Image.Image:
    """Make the small, upright RGB copy on which a face is looked for."""
    image = photo.image if can_be_resampled(photo.image) else to_plain_rgb(photo.image)
    factor = max(image.size) // DETECT_LONG_SIDE
    if factor > 1:  # whole pixels first, which is cheap
        image = image.reduce(factor)
    return photo.upright(to_plain_rgb(fitted(image, DETECT_LONG_SIDE)))


def cut_out(photo: Decoded, cut: Cut) -> Image.Image:
    """Cut the square out, bring it to 1024 x 1024 in sRGB and turn it upright."""
    image = photo.image if can_be_resampled(photo.image) else to_srgb(photo.image)
    stored = as_stored(cut.square, photo.orientation, photo.width, photo.height)
    x, y, side = (number * photo.scale for number in stored)
    box = (x, y, min(x + side, image.width), min(y + side, image.height))
    size = (CROP_SIDE, CROP_SIDE)
    return photo.upright(
        to_srgb(image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=3.0))
    )


def _thumbnail(request: PrepareRequest) -> Prepared:
    photo = decode(request.photo, enough=lambda w, h: THUMBNAIL_LONG_SIDE / max(w, h))
    image = _small_upright(photo, THUMBNAIL_LONG_SIDE)
    return _written(request, jpeg(image, _THUMBNAIL_QUALITY), image.size, photo)


def _convert(request: PrepareRequest) -> Prepared:
    if request.step == "shrink":
        photo = decode(request.photo, enough=lambda w, h: SHRUNK_LONG_SIDE / max(w, h))
        image = _small_upright(photo, SHRUNK_LONG_SIDE)
    else:
        photo = decode(request.photo, enough=lambda w, h: math.sqrt(request.max_pixels / (w * h)))
        image = photo.image if can_be_resampled(photo.image) else to_srgb(photo.image)
        image = photo.upright(to_srgb(under_pixels(image, request.max_pixels)))
    data, width, height = jpeg_under(image, max_bytes=request.max_bytes)
    return _written(request, data, (width, height), photo)


def _small_upright(photo: Decoded, long_side: int) -> Image.Image:
    # Smaller first: looking colours up takes longer the more pixels there are.
    image = photo.image if can_be_resampled(photo.image) else to_srgb(photo.image)
    return photo.upright(to_srgb(fitted(image, long_side)))


def _written(
    request: PrepareRequest,
    data: bytes,
    size: tuple[int, int],
    photo: Decoded,
    cut: Cut | None = None,
) -> Prepared:
    write_atomically(request.to, data)
    return Prepared(
        file=request.to,
        width=size[0],
        height=size[1],
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        photo_size=(photo.width, photo.height),
        crop=cut.how if cut else None,
        warning=_warning(request.called, cut),
        face=cut.face if cut else None,
        square=cut.square if cut else None,
    )


def _warning(name: str, cut: Cut | None) -> str | None:
    if cut is None or cut.why is None:
        return None
    return f"{name}: {cut.why}, so the middle of the photo is used."
