"""A photo's file -> pixels: 8 bits, sRGB, without transparency, and how they must be turned.

Only the photo workers load this module. It is the only one that knows pillow-heif.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from seedream_daemon.photos.inspect import (
    MAX_DECODED_PIXELS,
    PhotoFacts,
    inspect,
    unreadable_problem,
)

pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
# Pillow warns above this and raises above twice as much. Ours is the stricter rule: an error, and
# from the header, before a decoder is made.
Image.MAX_IMAGE_PIXELS = MAX_DECODED_PIXELS

_PILLOW_FORMAT = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "heic": "HEIF"}
# EXIF 2.32, tag 0x0112 -> what brings such a photo upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SRGB = ImageCms.createProfile("sRGB")
# Greys and colours, dark to bright, by which a profile is told from sRGB, and how far (of 255)
# rounding may take them.
_STEPS = (0, 64, 160, 255)
_PROBE = Image.frombytes("RGB", (64, 1), bytes(chain.from_iterable(product(_STEPS, repeat=3))))
_ROUNDING = 2


class PhotoDamagedError(Exception):
    """A photo cannot be decoded; the text is the end of a sentence that its name begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The pixels of a photo as they lie in its file and in its own colours.

    `image` may be a reduced copy; `width` and `height` are those of the whole photo once it is
    upright. Turning 12 megapixels takes as long as decoding half of them, so it is left to those
    who have made less of the image: `upright` turns what is made of it.
    """

    image: Image.Image
    orientation: int
    width: int
    height: int

    @property
    def scale(self) -> float:
        """How large the copy is, as a part of the photo."""
        return max(self.image.size) / max(self.width, self.height)

    def upright(self, image: Image.Image) -> Image.Image:
        """Turn `image`, which is made of ours, as the EXIF orientation says."""
        turn = _UPRIGHT.get(self.orientation)
        return image if turn is None else image.transpose(turn)


def decode(path: Path, *, enough: Callable[[int, int], float] | None = None) -> Decoded:
    """Read the first picture of a file.

    `enough` tells, by the width and height of the photo, which scale of it would do: a JPEG then
    comes as a reduced copy of at least that scale, in a fraction of the time and memory. Raises
    PhotoDamagedError, or OSError if the file cannot be read.
    """
    facts = _facts(path)
    with path.open("rb") as file:
        try:
            image = _load(file, facts, enough)
        except MemoryError as error:
            megapixels = facts.width * facts.height / 1e6
            raise PhotoDamagedError(
                f"needs more memory than a photo is given ({megapixels:.0f} megapixels as "
                f"{facts.mime}); save it smaller"
            ) from error
        except (OSError, SyntaxError, ValueError, RuntimeError, EOFError) as error:
            raise PhotoDamagedError(f"cannot be decoded ({error}); export it again") from error
    turned = facts.orientation >= 5
    return Decoded(
        image=image,
        orientation=facts.orientation,
        width=facts.height if turned else facts.width,
        height=facts.width if turned else facts.height,
    )


def _facts(path: Path) -> PhotoFacts:
    facts = inspect(path)
    problem = unreadable_problem(facts)
    if problem is not None:
        raise PhotoDamagedError(problem)
    if facts.width * facts.height > MAX_DECODED_PIXELS:
        raise PhotoDamagedError(
            f"is {facts.width} x {facts.height} pixels, over the "
            f"{MAX_DECODED_PIXELS // 1_000_000} megapixels that are decoded"
        )
    return facts


def _load(
    file: io.BufferedReader, facts: PhotoFacts, enough: Callable[[int, int], float] | None
) -> Image.Image:
    image = Image.open(file, formats=[_PILLOW_FORMAT[facts.format or ""]])
    least = enough(*image.size) if enough is not None and facts.format == "jpeg" else 1.0
    if least < 1:
        size = (math.ceil(image.width * least), math.ceil(image.height * least))
        image.draft(image.mode, size)
    image.load()
    return image


def to_srgb(image: Image.Image) -> Image.Image:
    """Bring any picture to 8-bit RGB in sRGB, with what is transparent on white."""
    return _flattened(image, image.info.get("icc_profile"))


def to_plain_rgb(image: Image.Image) -> Image.Image:
    """Do the same but take the colours as they stand: faces are found in any of them."""
    return _flattened(image, None)


def can_be_resampled(image: Image.Image) -> bool:
    """Tell whether pixels of this kind may be averaged: not palettes, 16 bits, colour keys."""
    return image.mode in ("RGB", "L", "CMYK", "RGBA", "LA") and "transparency" not in image.info


def _flattened(image: Image.Image, profile: bytes | None) -> Image.Image:
    image = _eight_bits(image)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    if alpha is not None or image.mode not in ("RGB", "L", "CMYK"):
        image = _as_rgb(image)
    image = _through_profile(image, profile)
    if alpha is None:
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=alpha)
    return white


def _eight_bits(image: Image.Image) -> Image.Image:
    if not image.mode.startswith("I"):
        return image
    grey = (np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey)


def _through_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile:
        return _as_rgb(image)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, image.mode, "RGB")
        if image.mode == "RGB" and _changes_nothing(transform):
            return image
        result = ImageCms.applyTransform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A broken profile, or one for other channels: every viewer then shows the plain values.
        return _as_rgb(image)
    return result if result is not None else _as_rgb(image)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    # Most profiles are sRGB's own. Their names do not tell: those of linear light bear it as well.
    probe = ImageCms.applyTransform(_PROBE, transform)
    return probe is not None and all(
        abs(ours - theirs) <= _ROUNDING
        for ours, theirs in zip(probe.tobytes(), _PROBE.tobytes(), strict=True)
    )


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert without the copy that Pillow makes of what is RGB: of 250 megapixels it is 1 GB."""
    return image if image.mode == "RGB" else image.convert("RGB")
