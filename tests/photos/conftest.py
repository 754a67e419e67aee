from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from skimage import data

Save = Callable[..., Path]


@pytest.fixture(scope="session")
def person() -> Image.Image:
    """A photo of one person, 512 x 512; her face box is about (185, 62, 85, 114)."""
    return Image.fromarray(data.astronaut())


@pytest.fixture
def nobody() -> Image.Image:
    """A drawing without a face."""
    across = np.linspace(0, 255, 400, dtype=np.uint8)
    return Image.fromarray(np.dstack([np.tile(across, (300, 1))] * 3))


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write a picture under a name; `turned` gives it an EXIF orientation."""

    def write(
        image: Image.Image, name: str = "a.jpg", *, turned: int | None = None, **options: object
    ) -> Path:
        path = tmp_path / name
        if path.suffix.lower() in {".heic", ".heif"}:
            heif = pillow_heif.from_pillow(image)
            if turned is not None:
                heif[0].info["exif"] = exif_of(turned)
            heif.save(path, quality=90, **options)
            return path
        if turned is not None:
            options["exif"] = exif_of(turned)
        image.save(path, **options)
        return path

    return write


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


# What was done to an upright picture before it was stored with this orientation.
_TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="session")
def lay() -> Callable[[Image.Image, int], Image.Image]:
    """Turn an upright picture as a phone stores it under an EXIF orientation."""

    def turn(image: Image.Image, orientation: int) -> Image.Image:
        how = _TO_STORED[orientation]
        return image if how is None else image.transpose(how)

    return turn


@pytest.fixture(scope="session")
def shown() -> Callable[[Path], Image.Image]:
    """Read a picture whole."""

    def read(path: Path) -> Image.Image:
        with Image.open(path) as image:
            image.load()
            return image

    return read
