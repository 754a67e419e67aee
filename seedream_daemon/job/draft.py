"""A job with mistakes -> what is left of it to plan, so that people hear of all at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from seedream_daemon.errors import Problem
from seedream_daemon.job.mistakes import Path
from seedream_daemon.job.names import nearest
from seedream_daemon.job.plan import Kind
from seedream_daemon.job.schema import KEYS, MAX_PROMPTS, JobSpec, keys_of

SPOILT = "\0"  # stands for a photo or folder that cannot be read; no file can be called so
_ANY_TEXT = "-"
_WITH_PHOTOS = ("photos", "common", "groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job as it was read, with its mistakes and with what is valid beside them.

    `spec` is None where nothing is left to plan. Of the places in `told`, and of what they hold,
    nothing more is to be said; the empty place is the job as a whole. Of the keys in `doubtful`
    nobody knows what they were to be, so that nothing follows from them.
    """

    spec: JobSpec | None
    problems: tuple[Problem, ...] = ()
    told: frozenset[Path] = frozenset()
    doubtful: frozenset[str] = frozenset()


def mended(
    data: Mapping[str, Any],
    *,
    kind: Kind | None,
    places: Collection[Path],
    problems: tuple[Problem, ...],
    source: bytes,
) -> Draft:
    """Leave the entries at `places` out of a job, or put what harms nothing where they stood."""
    told = {place for place in places if place}
    if _too_many(data):  # each can be read
        told.discard(("prompts",))
    told |= {(key,) for key in meant(data, kind)}
    doubtful = {str(place[0]) for place in told if not _is_value(place, data, kind)} & set(KEYS)
    doubtful |= {key for key in ("prompt", "prompts") if _lacks_prompt(key, data, kind)}
    if kind is None:
        doubtful.add("kind")
    if doubtful.intersection(_WITH_PHOTOS):
        told |= {(), ("expect",)}
    if doubtful & {"model", "model_family"}:
        told.add(("count",))
    spec = _valid({"kind": "t2i"} | _mend(data, [place for place in told if place]))
    return Draft(
        spec=spec and spec.read_from(source),
        problems=problems,
        told=frozenset(told),
        doubtful=frozenset(doubtful),
    )


def meant(data: Mapping[str, Any], kind: Kind | None) -> set[str]:
    """Give the absent keys that unknown ones were probably meant to be."""
    near = (nearest(key, keys_of(kind)) for key in data if key not in KEYS)
    return {key for key in near if key is not None and key not in data}


def _is_value(place: Path, data: Mapping[str, Any], kind: Kind | None) -> bool:
    """Say whether a variable has a wrong value, but has one."""
    if place[0] != "variables" or len(place) == 1:
        return False
    return kind == "grid" or not isinstance(data["variables"][place[1]], Mapping)


def _lacks_prompt(key: str, data: Mapping[str, Any], kind: Kind | None) -> bool:
    if kind is None:  # no telling which of the two counts
        return ("prompt" in data) == ("prompts" in data)
    return key in keys_of(kind) and key not in data


def _mend(data: Mapping[str, Any], places: Collection[Path]) -> dict[str, Any]:
    kept = {key: value for key, value in data.items() if key in KEYS}
    for place in sorted(places, key=len, reverse=True):  # what holds others outweighs them
        key = str(place[0])
        if len(place) > 1:
            stand_in = SPOILT if key in _WITH_PHOTOS else _ANY_TEXT
            is_group = key == "groups" and len(place) == 2
            kept[key] = _put(kept[key], place[1:], [SPOILT] if is_group else stand_in)
        elif key in _WITH_PHOTOS:
            kept[key] = SPOILT
        else:
            kept.pop(key, None)
    return kept


def _put(value: Any, place: Path, stand_in: object) -> Any:
    """Give a copy of a table or list with another thing at a place in it."""
    if not place:
        return stand_in
    copy = value.copy()
    copy[place[0]] = _put(value[place[0]], place[1:], stand_in)
    return copy


def _too_many(data: Mapping[str, Any]) -> bool:
    prompts = data.get("prompts")
    return isinstance(prompts, list) and len(prompts) > MAX_PROMPTS


def _valid(data: dict[str, Any]) -> JobSpec | None:
    try:
        if _too_many(data):
            prompts = data["prompts"]
            spec = JobSpec.model_validate({**data, "prompts": prompts[:MAX_PROMPTS]})
            texts = tuple(text if isinstance(text, str) else _ANY_TEXT for text in prompts)
            return spec.model_copy(update={"prompts": texts})
        return JobSpec.model_validate(data)
    except ValidationError:
        return None
