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
    "request_key": "Your own id: same key, same job",
    "session": "Its name",
    "shot": "Only this one; needed if refused for its content",
    "size": "As 1296x1728",
    "spec": "The job, as in submit_job",
    "state": "Only these",
    "wait_seconds": "Wait so long for its end",
}
# The rows and next_cursor.
_LIST_FIELDS = 2
_JOB_KEYS: Mapping[str, str] = {
    "kind": "t2i: from text; i2i: from photos; bulk: one edit for each photo; grid: prompts x "
    "groups of people or products",
    "name": "Its name",
    "prompt": "{x} is a variable, {{ }} are braces",
    "prompts": "Rows of a grid",
    "model": "Model id",
    "model_family": "Of an endpoint (ep-...)",
    "size": "As 1296x1728; without aspect and preset",
    "aspect": "As 3:4",
    "preset": "1K, 2K, 4K",
    "photos": "Absolute paths, or of one folder",
    "common": "Up to 5 photos sent first, uncropped",
    "groups": "Columns of a grid, at most 10: name to photos",
    "labels": "What pages call a group",
    "variables": "Values for prompts; in a grid also a table per group",
    "crop": "Grid: cut photos to the face",
    "expect": "Photos that must be there",
    "count": "Pictures per request; the prompt must ask for several",
    "seed": "3.0 models",
    "guidance_scale": "3.0 models",
    "output_format": "Of the pictures",
    "optimize_prompt": "How the model rewrites it",
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
    """Give the schema of what a tool gives: all that is required is declared, null or not.

    Rows are described where they are the whole answer; beside other things they are an array.
    """
    named = dict.fromkeys((*schema["required"], *schema["properties"]))
    is_list = "next_cursor" in named and len(named) == _LIST_FIELDS
    properties = {}
    for name in named:
        each = dict(schema["properties"].get(name, {}))
        rows = each.pop("items", None)
        if rows is not None and is_list:
            each["items"] = of_answer(rows)
        properties[name] = each
    return {**schema, "properties": properties}


def _worded(name: str, schema: Schema) -> Schema:
    words = {**schema, "description": _ARGUMENTS[name]}
    if "properties" in words:
        keys = words["properties"].items()
        words["properties"] = {key: {**each, "description": _JOB_KEYS[key]} for key, each in keys}
        words["description"] = "The job"
    return words
