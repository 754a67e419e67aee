"""What a photo worker is asked, and what it answers.

Nothing heavy is loaded here: the daemon itself never meets a decoder.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from seedream_daemon.errors import ExitCode, SeedreamError
from seedream_daemon.photos.inspect import MAX_SENT_PIXELS, MB

Step = Literal["convert", "shrink", "crop", "thumbnail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest:
    """One photo to make ready: read from `photo`, written to `to` as a JPEG.

    `step` is "convert" (upright JPEG under the limits), "shrink" (the same with a long side of
    2048), "crop" (1024 x 1024 around the face) or "thumbnail" (long side 512). `name` is what
    people call the photo, the name of its file where it is None. `thumbnail` is where a crop is to
    leave one of the whole photo, which is decoded anyhow.
    """

    photo: Path
    to: Path
    step: Step
    name: str | None = None
    thumbnail: Path | None = None
    max_bytes: int = 10 * MB
    max_pixels: int = MAX_SENT_PIXELS

    @property
    def called(self) -> str:
        """What messages call the photo."""
        return self.name or self.photo.name

    def to_json(self) -> dict[str, Any]:
        """Give the request as JSON."""
        return asdict(self) | {
            "photo": str(self.photo),
            "to": str(self.to),
            "thumbnail": str(self.thumbnail) if self.thumbnail else None,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        paths = {
            key: Path(data[key]) if data[key] is not None else None
            for key in ("photo", "to", "thumbnail")
        }
        return cls(**(data | paths))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A prepared photo, durable on disk at `file`.

    `width` and `height` are its own, in pixels. `crop` tells what the square is based on, None
    where nothing was cropped; `warning` says why it is only the middle. `face` (x, y, width,
    height) and `square` (x, y, side) are in pixels of the upright photo, whose size `photo_size`
    gives.
    """

    file: Path
    format: Literal["jpeg"] = "jpeg"
    mime: str = "image/jpeg"
    width: int
    height: int
    bytes: int
    sha256: str
    photo_size: tuple[int, int]
    crop: Literal["face", "corrected", "center"] | None = None
    warning: str | None = None
    face: tuple[float, float, float, float] | None = None
    square: tuple[int, int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the facts as JSON."""
        return asdict(self) | {"file": str(self.file)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        tuples = {
            key: tuple(data[key]) if data[key] is not None else None
            for key in ("photo_size", "face", "square")
        }
        return cls(**(data | tuples | {"file": Path(data["file"])}))


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One row of a contact sheet: a photo with its boxes and the crop that was made of it.

    `face` and `square` are as in `Prepared`; the row is written to `to` as a JPEG.
    """

    title: str
    photo: Path
    crop: Path
    to: Path
    face: tuple[float, float, float, float] | None = None
    square: tuple[int, int, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the row as JSON."""
        paths = {"photo": str(self.photo), "crop": str(self.crop), "to": str(self.to)}
        return asdict(self) | paths

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(**(data | {key: Path(data[key]) for key in ("photo", "crop", "to")}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One picture of a sheet: a copy with a long side of at most `side` is written to `to`."""

    picture: Path
    to: Path
    side: int

    def to_json(self) -> dict[str, Any]:
        """Give the tile as JSON."""
        return asdict(self) | {"picture": str(self.picture), "to": str(self.to)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        return cls(**(data | {key: Path(data[key]) for key in ("picture", "to")}))


class PhotoUnusableError(SeedreamError):
    """A photo cannot be prepared; its shot fails, before anything is paid, and nothing else.

    `reason` is the end of a sentence that the photo's name begins.
    """

    code = "bad_photo"
    exit_code = ExitCode.SOME_FAILED

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}.")
        self.reason = reason
