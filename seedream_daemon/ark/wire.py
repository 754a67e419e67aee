"""ArkRequest and ArkPicture <-> the JSON of the documentation."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPhoto:
    """A photo as it will be sent: read from `path` in pieces, `size_bytes` long.

    `mime` is the lower-case media type that the data URL names, such as `image/jpeg`.
    """

    path: Path
    mime: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArkRequest:
    """One call of POST /images/generations. What is None is left out of the body.

    `sets` says that the model knows sequential generation: then `max_images` > 1 asks for "auto"
    and 1 for "disabled"; where it is False the field is left out, since such models refuse it.
    """

    model: str
    prompt: str
    size: str | None = None
    photos: tuple[SentPhoto, ...] = ()
    stream: bool = False
    sets: bool = False
    max_images: int = 1
    seed: int | None = None
    guidance_scale: float | None = None
    output_format: str | None = None
    optimize_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArkPicture:
    """One picture of an answer: where it can be fetched for 24 hours, and its size as told."""

    index: int
    url: str
    size: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArkMemberFailed:
    """One member of a set that was not made; the others are."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArkAnswer:
    """A whole answer.

    `generated_images` is what the service says it bills, None where it did not say (a stream that
    ended without `completed`). `request_id` is the server's. `server_time` is its Date header.
    """

    pictures: tuple[ArkPicture, ...]
    failed: tuple[ArkMemberFailed, ...]
    generated_images: int | None
    request_id: str | None
    server_time: datetime | None
