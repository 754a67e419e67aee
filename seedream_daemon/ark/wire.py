"""ArkRequest and ArkPicture <-> the JSON of the documentation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ArkRefusal:
    """An error as the service words it, for a whole request."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArkTold:
    """What one JSON document of an answer says: a whole plain answer, or one event of a stream.

    `generated_images` is None where the document does not say it. `completed` says that nothing
    is to follow.
    """

    pictures: tuple[ArkPicture, ...] = ()
    failed: tuple[ArkMemberFailed, ...] = ()
    generated_images: int | None = None
    refusal: ArkRefusal | None = None
    completed: bool = False


NOTHING = ArkTold()


class NotUnderstoodError(ValueError):
    """An answer is not what the documentation says."""


def body_fields(request: ArkRequest) -> dict[str, Any]:
    """Return the body of *request* without its photos (ModelArk/1541523).

    The watermark is always off, since the service puts one on every picture that does not say so.
    """
    fields: dict[str, Any] = {"model": request.model, "prompt": request.prompt}
    optional = {
        "size": request.size,
        "seed": request.seed,
        "guidance_scale": request.guidance_scale,
        "output_format": request.output_format,
    }
    fields.update({name: value for name, value in optional.items() if value is not None})
    if request.optimize_prompt is not None:
        fields["optimize_prompt_options"] = {"mode": request.optimize_prompt}
    if request.sets:
        several = request.max_images > 1
        fields["sequential_image_generation"] = "auto" if several else "disabled"
        if several:
            fields["sequential_image_generation_options"] = {"max_images": request.max_images}
    fields["response_format"] = "url"
    fields["watermark"] = False
    if request.stream:
        fields["stream"] = True
    return fields


def read_answer(text: str | bytes) -> ArkTold:
    """Read a plain JSON answer; raise NotUnderstoodError.

    A member without an address (and without an error) counts as failed: it cannot be had.
    """
    document = _load(text)
    refusal = _refusal(document.get("error"))
    data = document.get("data")
    if not isinstance(data, list):
        if refusal is None:
            raise NotUnderstoodError("the answer has neither `data` nor `error`")
        data = []
    pictures: list[ArkPicture] = []
    failed: list[ArkMemberFailed] = []
    for index, member in enumerate(data):
        told = _member(member if isinstance(member, dict) else {}, index)
        pictures.extend(told.pictures)
        failed.extend(told.failed)
    return ArkTold(
        pictures=tuple(pictures),
        failed=tuple(failed),
        generated_images=_generated(document),
        refusal=refusal,
        completed=True,
    )


def read_event(event_type: str, data: str, *, next_index: int = 0) -> ArkTold:
    """Read one event of a stream (ModelArk/1824137); raise NotUnderstoodError.

    *next_index* is the index of a member whose event does not tell its own.
    Events of a kind that we do not know, and previews (`partial_image`), tell nothing. `[DONE]`
    ends the answer, as `completed` does.
    """
    if data.strip() == "[DONE]":
        return ArkTold(completed=True)
    document = _load(data)
    kind = str(document.get("type") or event_type)
    index = document.get("image_index")
    number = index if isinstance(index, int) else next_index
    if kind.endswith((".partial_succeeded", ".partial_failed")):
        return _member(document, number)
    if kind.endswith(".completed"):
        return ArkTold(
            generated_images=_generated(document),
            refusal=_refusal(document.get("error")),
            completed=True,
        )
    refusal = _refusal(document.get("error"))
    return NOTHING if refusal is None else ArkTold(refusal=refusal, completed=True)


def read_refusal(text: str | bytes) -> ArkRefusal | None:
    """Return the error that the body of a refused request tells, None if it has no envelope."""
    try:
        return _refusal(_load(text).get("error"))
    except NotUnderstoodError:
        return None


def _load(text: str | bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotUnderstoodError("the answer is not JSON") from error
    if not isinstance(document, dict):
        raise NotUnderstoodError("the answer is not a JSON object")
    return document


def _member(member: Mapping[str, Any], index: int) -> ArkTold:
    url = member.get("url")
    if isinstance(url, str) and url:
        picture = ArkPicture(index=index, url=url, size=_size(member.get("size")))
        return ArkTold(pictures=(picture,))
    refusal = _refusal(member.get("error")) or ArkRefusal(
        code="no_url", message="The answer names no address for this picture."
    )
    failed = ArkMemberFailed(index=index, code=refusal.code, message=refusal.message)
    return ArkTold(failed=(failed,))


def _refusal(error: Any) -> ArkRefusal | None:
    if not error:
        return None
    if not isinstance(error, dict):
        return ArkRefusal(code="unknown", message=str(error))
    code = error.get("code") or error.get("type") or "unknown"
    return ArkRefusal(code=str(code), message=str(error.get("message") or ""))


def _size(size: Any) -> str | None:
    # The reference pages print the sign U+00D7 where the service sends an x.
    return size.replace("\u00d7", "x").replace("X", "x") if isinstance(size, str) else None


def _generated(document: Mapping[str, Any]) -> int | None:
    usage = document.get("usage")
    images = usage.get("generated_images") if isinstance(usage, dict) else None
    return images if isinstance(images, int) and not isinstance(images, bool) else None
