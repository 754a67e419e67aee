"""The tools' schemas as they stand before a model: every argument with a word, and all of it short.

The words on the keys of a job are shorter here than in the schema of job.toml: a host puts this
list before a model at every turn, and people read that one once.
"""

from collections.abc import Mapping

from seedream_daemon.tools.arguments import Schema

_ARGUMENTS: Mapping[str, str] = {
    "aspect": "As 3:4",
    "confirm_usd": "The price_usd agreed to",
    "count": "At most so many",
    "cursor": "next_cursor of the page before",
    "folder": "Absolute path; holds a job.toml",
    "job_id": "Its job_id",
    "key": "An item's key; in a grid 2_3 is a cell, 2_* a row, *_3 a column; absent: the sheet",
    "kind": "Only these",
    "limit": "Rows a page",
    "max_side": "Pixels",
    "model": "Model id",
    "photos": "1 to 10 absolute paths, or of one folder",
    "preset": "1K, 2K, 4K",
    "prompt": "What to make",
    "request_key": "Same key, same job",
    "session": "Its name",
    "shot": "Only this one; needed if refused for its content",
    "size": "As 1296x1728",
    "spec": "The job, as in submit_job",
    "state": "Only these",
    "wait_seconds": "Wait for its end",
}
_NUMBERS_OR_NULL = frozenset({"shots", "price_usd", "left_today_usd", "eta_seconds"})
# Of any text: a path.
_LONGEST = 4096
_JOB_KEYS: Mapping[str, str] = {
    "kind": "bulk: one edit for each photo; grid: prompts x groups",
    "name": "Its name",
    "prompt": "{x} is a variable, {{ }} are braces",
    "prompts": "Rows of a grid",
    "model": "Model id",
    "model_family": "Of an endpoint (ep-...)",
    "size": "As 1296x1728",
    "aspect": "As 3:4",
    "preset": "1K, 2K, 4K",
    "photos": "Absolute paths, or of one folder",
    "common": "Up to 5 photos sent first, uncropped",
    "groups": "Columns of a grid: name to photos",
    "labels": "What pages call a group",
    "variables": "For prompts; in a grid also per group",
    "crop": "Grid: cut photos to the face",
    "expect": "Photos that must be there",
    "count": "Pictures per request",
    "seed": "3.0 models",
    "guidance_scale": "3.0 models",
    "output_format": "Of the pictures",
    "optimize_prompt": "Rewrites it",
    "oversize": "Photos over the limits",
    "upright": "Turn photos marked as turned",
    "max_cost_usd": "Its own limit",
    "on_bad_photo": "In bulk",
}


def before_a_model(schema: Schema) -> Schema:
    """Give the schema of a tool's arguments, each with a word on it."""
    properties = {name: _worded(name, each) for name, each in schema["properties"].items()}
    return {**schema, "properties": properties}


def of_answer(schema: Schema) -> Schema:
    """Give the schema of what a tool gives: all that is required is declared.

    What may be null says how long or how small it is if it is not; a row is only an element of an
    array. Types of each would not fit into what the whole list may have.
    """
    declared = {}
    for name in dict.fromkeys((*schema["required"], *schema["properties"])):
        known = schema["properties"].get(name, {})
        bound = {"minimum": 0} if name in _NUMBERS_OR_NULL else {"maxLength": _LONGEST}
        declared[name] = {key: each for key, each in known.items() if key != "items"} or bound
    return {**schema, "properties": declared}


def _worded(name: str, schema: Schema) -> Schema:
    words = {**schema, "description": _ARGUMENTS[name]}
    if "properties" in words:
        keys = words["properties"].items()
        words["properties"] = {key: {**each, "description": _JOB_KEYS[key]} for key, each in keys}
        words["description"] = "The job"
    return words
