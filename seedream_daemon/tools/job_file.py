"""A planned job -> a job.toml that names its photos by absolute path. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from seedream_daemon.job.plan import Photo, Plan
from seedream_daemon.job.schema import JobSpec

_HEAD = "# Made for a tool call. The photos stay where they are.\n"


def job_file(spec: JobSpec, plan: Plan) -> bytes:
    """Give the file. Raises UnicodeEncodeError where a photo's name is not text."""
    job = spec.model_dump(exclude_unset=True, exclude_none=True)
    job.pop("expect", None)
    job["name"] = plan.name
    if plan.kind in ("i2i", "bulk"):
        job["photos"] = _paths(dict.fromkeys(p for shot in plan.shots for p in shot.photos))
    if plan.kind == "grid":
        job["groups"] = {group.name: _paths(group.photos) for group in plan.groups}
        job.pop("common", None)
        if plan.common:
            job["common"] = _paths(plan.common)
    lines = "".join(f"{key} = {_toml(value)}\n" for key, value in job.items())
    return (_HEAD + lines).encode("utf-8")


def _paths(photos: Sequence[Photo] | Mapping[Photo, None]) -> list[str]:
    return [str(photo.path) for photo in photos]


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # The escapes of JSON are those of TOML, but for one character.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case Mapping():
            return "{" + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
        case _:
            return "[" + ", ".join(_toml(each) for each in value) + "]"
