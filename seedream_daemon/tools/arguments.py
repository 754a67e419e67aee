"""The schemas of what tools take and give, as hosts put them before a model.

Some hosts refuse a whole server for a union, a reference or a null type in what a tool takes, so
there are none: where a text or a list would do, the list is shown.
"""

from collections.abc import Mapping
from typing import Any

from seedream_daemon.job.schema import json_schema
from seedream_daemon.tools.documents import OUTPUTS
from seedream_daemon.tools.shapes import SHAPES, Shape

Schema = dict[str, Any]

_KEPT = {
    "type",
    "description",
    "default",
    "enum",
    "minimum",
    "maximum",
    "items",
    "properties",
    "required",
    "additionalProperties",
}
_PHOTOS = "1 to 10 absolute paths, or that of one folder."


def input_schemas() -> dict[str, Schema]:
    """Give the schema of each tool's arguments."""
    job = _job_properties()
    schemas = {tool: _input(shape, job) for tool, shape in SHAPES.items()}
    schemas["check_job"]["properties"]["spec"]["type"] = "object"
    schemas["submit_job"]["properties"]["spec"] |= {
        "type": "object",
        "properties": job,
        "required": ["kind"],
        "additionalProperties": False,
    }
    return schemas


def _input(shape: Shape, job: Mapping[str, Schema]) -> Schema:
    own = shape.own.model_json_schema()
    # What the keys of a job mean is said once, in submit_job.
    properties = {key: _without_words(job[key]) for key in shape.job_keys}
    if "photos" in properties:
        properties["photos"]["description"] = _PHOTOS
    properties |= {name: _plain(each) for name, each in own.get("properties", {}).items()}
    required = [*shape.required, *own.get("required", ())]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _without_words(shape: Schema) -> Schema:
    return {key: value for key, value in shape.items() if key != "description"}


def _job_properties() -> dict[str, Schema]:
    return {name: _plain(shape) for name, shape in json_schema()["properties"].items()}


def _plain(shape: Any) -> Schema:
    """Leave one way to say a thing: the most telling of several, and never null."""
    choices = [each for each in shape.get("anyOf", ()) if each.get("type") != "null"]
    chosen: Mapping[str, Any] = max(choices, key=_tells, default={})
    merged = {**chosen, **shape}
    plain = {key: value for key, value in merged.items() if key in _KEPT}
    if "const" in merged:
        plain["enum"] = [merged["const"]]
    if plain.get("default", 0) in (None, {}, []):
        del plain["default"]
    if plain.get("type") == "array":
        plain["items"] = {"type": "string"}
    if plain.get("type") == "object":
        plain |= _table(plain.pop("additionalProperties", None))
    return plain


def _tells(choice: Mapping[str, Any]) -> int:
    return {"array": 1, "object": 2}.get(choice.get("type", ""), 0)


def _table(values: Any) -> Schema:
    """Describe a table's values where they are all of one type."""
    if not isinstance(values, Mapping):
        return {}
    types = {each.get("type") for each in values.get("anyOf", (values,))}
    if types <= {"string", "array"} and "array" in types:
        return {"additionalProperties": {"type": "array", "items": {"type": "string"}}}
    return {"additionalProperties": {"type": "string"}} if types == {"string"} else {}


def output_schemas() -> dict[str, Schema]:
    """Give the schema of what each tool gives; view_image gives a picture and has none."""
    return dict(OUTPUTS)
