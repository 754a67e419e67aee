"""Plan and Shots: exactly what a job asks for, and its form in a journal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

Kind = Literal["t2i", "i2i", "bulk", "grid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """An input picture: its name as people see it and where it lies.

    `name` is NFC, relative to the drop, with "/" between folders; `path` is absolute and spelt as
    on disk. `prepare` is what must be done to it before it is sent: "asis" (byte for byte, HEIC
    excepted) or "crop" (face crop, 1024 x 1024).
    """

    name: str
    path: Path
    prepare: Literal["asis", "crop"] = "asis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The settings of a request that are the same for every shot of a job."""

    count: int = 1
    seed: int | None = None
    guidance_scale: float | None = None
    output_format: str | None = None
    optimize_prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One planned request.

    `id` is its place in the job (`r2_c3`, the photo's name as listed, `1`), the same on every
    run. `stem` is the path of its first picture inside the session, without the extension
    (`01`, `IMG_1`, `cells/r1_c2`). `photos` are in the order in which they are sent.
    """

    id: str
    name: str
    stem: str
    template: str
    prompt: str
    photos: tuple[Photo, ...] = ()
    group: str | None = None
    row: int | None = None
    col: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A column of a grid: `name` is its folder, `label` what tables and pages call it.

    `photos` are the group's own, without the common ones; `left_out` those that did not fit.
    """

    name: str
    label: str
    photos: tuple[Photo, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a job asks for, worked out: nothing of it changes while the job runs.

    `size` is what is sent ("1728x2304", a tier word, "adaptive", or None where the model takes
    none). `warnings` are sentences for people. Money is in whole micro-dollars;
    `price_micro_usd` is the most the plan can cost, None where the model's price is unknown.
    """

    kind: Kind
    name: str
    model: str
    family: str
    size: str | None
    asked: Asked
    shots: tuple[Shot, ...]
    prompts: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    common: tuple[Photo, ...] = ()
    crop: bool = False
    upright: bool = False
    oversize: str = "reject"
    on_bad_photo: str = "skip"
    max_cost_micro_usd: int | None = None
    price_micro_usd: int | None = None
    warnings: tuple[str, ...] = ()


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Give a plan as compact JSON: texts and photos once each, paths relative to `root`."""
    root = _root_of(plan)
    photos = _Table(tuple(_all_photos(plan)))
    texts = _Table((*plan.prompts, *(t for s in plan.shots for t in (s.template, s.prompt))))
    return {
        **{name: getattr(plan, name) for name in _PLAIN_FIELDS},
        "warnings": list(plan.warnings),
        "asked": {name: getattr(plan.asked, name) for name in Asked.__dataclass_fields__},
        "root": root,
        "photos": [_photo_to_json(photo, root) for photo in photos.rows],
        "texts": list(texts.rows),
        "prompts": [texts.place[prompt] for prompt in plan.prompts],
        "groups": [_group_to_json(group, photos.place) for group in plan.groups],
        "common": [photos.place[photo] for photo in plan.common],
        "shots": [_shot_to_json(shot, photos.place, texts.place) for shot in plan.shots],
    }


def plan_from_json(obj: Mapping[str, Any]) -> Plan:
    """Read what plan_to_json gave. Raises ValueError where that is not a plan."""
    try:
        return _plan_from_json(obj)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"This is not a plan: {error!r}.") from error


_PLAIN_FIELDS = (
    "kind",
    "name",
    "model",
    "family",
    "size",
    "crop",
    "upright",
    "oversize",
    "on_bad_photo",
    "max_cost_micro_usd",
    "price_micro_usd",
)

_Value = TypeVar("_Value")


class _Table(Generic[_Value]):
    """Values without repetition, and the place of each."""

    def __init__(self, values: Iterable[_Value]) -> None:
        self.rows = tuple(dict.fromkeys(values))
        self.place = {value: place for place, value in enumerate(self.rows)}


def _all_photos(plan: Plan) -> Iterable[Photo]:
    yield from plan.common
    for group in plan.groups:
        yield from group.photos
    for shot in plan.shots:
        yield from shot.photos


def _root_of(plan: Plan) -> str | None:
    """Give the drop's folder: what is left of a photo's path without its name."""
    for photo in _all_photos(plan):
        path, tail = str(photo.path), f"/{photo.name}"
        if path.endswith(tail) and len(path) > len(tail):
            return path[: -len(tail)]
    return None


def _photo_to_json(photo: Photo, root: str | None) -> str | list[str]:
    path = str(photo.path)
    if root is not None and path.startswith(f"{root}/"):
        path = path[len(root) + 1 :]
    if path == photo.name and photo.prepare == "asis":
        return path
    return [photo.name, path, photo.prepare]


def _photo_from_json(row: str | list[Any], root: str | None) -> Photo:
    parts: list[Any] = [row, row, "asis"] if isinstance(row, str) else row
    name, path, prepare = parts
    return Photo(name=name, path=Path(root or "") / path, prepare=prepare)


def _group_to_json(group: Group, place: Mapping[Photo, int]) -> dict[str, Any]:
    return {
        "name": group.name,
        "label": group.label,
        "photos": [place[photo] for photo in group.photos],
        "variables": [list(pair) for pair in group.variables],
        "left_out": list(group.left_out),
    }


def _shot_to_json(
    shot: Shot, photos: Mapping[Photo, int], texts: Mapping[str, int]
) -> dict[str, Any]:
    """Leave out what a reader fills in: a name equal to the id, text 0, None."""
    row: dict[str, Any] = {"id": shot.id, "stem": shot.stem}
    if shot.name != shot.id:
        row["name"] = shot.name
    if texts[shot.template]:
        row["template"] = texts[shot.template]
    if texts[shot.prompt]:
        row["prompt"] = texts[shot.prompt]
    if shot.photos:
        row["photos"] = [photos[photo] for photo in shot.photos]
    for key in ("group", "row", "col"):
        if (value := getattr(shot, key)) is not None:
            row[key] = value
    return row


def _shot_from_json(row: Mapping[str, Any], photos: list[Photo], texts: list[str]) -> Shot:
    return Shot(
        id=row["id"],
        name=row.get("name", row["id"]),
        stem=row["stem"],
        template=texts[row.get("template", 0)],
        prompt=texts[row.get("prompt", 0)],
        photos=tuple(photos[place] for place in row.get("photos", ())),
        group=row.get("group"),
        row=row.get("row"),
        col=row.get("col"),
    )


def _plan_from_json(obj: Mapping[str, Any]) -> Plan:
    photos = [_photo_from_json(row, obj["root"]) for row in obj["photos"]]
    texts = list(obj["texts"])
    groups = (
        Group(
            name=row["name"],
            label=row["label"],
            photos=tuple(photos[place] for place in row["photos"]),
            variables=tuple((name, value) for name, value in row["variables"]),
            left_out=tuple(row["left_out"]),
        )
        for row in obj["groups"]
    )
    return Plan(
        **{name: obj[name] for name in _PLAIN_FIELDS},
        warnings=tuple(obj["warnings"]),
        asked=Asked(**obj["asked"]),
        prompts=tuple(texts[place] for place in obj["prompts"]),
        groups=tuple(groups),
        common=tuple(photos[place] for place in obj["common"]),
        shots=tuple(_shot_from_json(row, photos, texts) for row in obj["shots"]),
    )
