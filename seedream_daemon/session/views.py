"""Plan + history -> metadata.json and grid.json. Pure.

The field names are those of a desktop app whose sessions people have; fields are added, none is
renamed. Paths are relative to the session, with "/".
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from seedream_daemon.job.plan import Group, Plan, Shot
from seedream_daemon.jsontext import json_bytes
from seedream_daemon.session.history import History
from seedream_daemon.session.shot_facts import Failure, KeptPicture

Thumbnails = Mapping[str, tuple[str, ...]]

_NOT_WANTED = Failure(code="", message="", retryable=False, request_id=None)


def view(plan: Plan, history: History, thumbnails: Thumbnails) -> dict[str, Any]:
    """Give what the session's JSON file is to hold now.

    `thumbnails` are the files that lie in refs/, by the group's folder name.
    """
    if plan.kind == "grid":
        return grid_json(plan, history, thumbnails)
    return metadata_json(plan, history)


def view_bytes(content: Mapping[str, Any]) -> bytes:
    """Spell a view as it stands in the file: a line for each field, item and cell.

    Row by row, since indenting all of it would take ten times the memory and time.
    """
    fields = (json_bytes(key) + b": " + _rows(value) for key, value in content.items())
    return b"{\n" + b",\n".join(fields) + b"\n}\n"


def _rows(value: Any) -> bytes:
    if isinstance(value, dict) and value:
        rows = (b" " + json_bytes(key) + b": " + json_bytes(row) for key, row in value.items())
        return b"{\n" + b",\n".join(rows) + b"\n}"
    if isinstance(value, list) and value:
        return b"[\n" + b",\n".join(b" " + json_bytes(row) for row in value) + b"\n]"
    return json_bytes(value)


def metadata_json(plan: Plan, history: History) -> dict[str, Any]:
    """Give metadata.json of a t2i, i2i or bulk: one item per picture on disk."""
    kept = [(shot, picture) for shot in plan.shots for picture in _kept(history, shot)]
    content: dict[str, Any] = {
        **_head(plan, history),
        "prompt": plan.shots[0].prompt if plan.shots else "",
        "template": plan.prompts[0] if plan.prompts else "",
        "num_images": len(kept),
        "items": [_item(plan.kind, shot, picture) for shot, picture in kept],
        "failed": {
            shot.id: _failed(shot, failure)
            for shot in plan.shots
            if (failure := _failure(history, shot)) is not None
        },
    }
    if plan.kind != "bulk":
        content["sizes"] = [_size(picture) for _, picture in kept]
        content["urls"] = [picture.url for _, picture in kept]
    if plan.kind == "i2i":
        content["photos"] = [photo.name for shot in plan.shots for photo in shot.photos]
    return content


def grid_json(plan: Plan, history: History, thumbnails: Thumbnails) -> dict[str, Any]:
    """Give grid.json: cells, failed and refs by row and column, group from 1."""
    width, height = _sides(plan.size)
    seed = plan.asked.seed
    return {
        "type": "grid",
        **_head(plan, history),
        "width": width,
        "height": height,
        "seed": None if seed is None else str(seed),
        "apply_crop": plan.crop,
        "group_names": [group.label for group in plan.groups],
        "prompts": list(plan.prompts),
        "variables": [dict(group.variables) for group in plan.groups],
        "cells": {
            _cell(shot): _cell_json(shot, kept)
            for shot in plan.shots
            if (kept := _kept(history, shot))
        },
        "refs": {
            str(number): _refs(group, history, thumbnails)
            for number, group in enumerate(plan.groups, start=1)
        },
        "failed": {
            _cell(shot): _failed(shot, failure)
            for shot in plan.shots
            if (failure := _failure(history, shot)) is not None
        },
        "common": [photo.name for photo in plan.common],
        "left_out": [
            {"group": group.name, "files": list(group.left_out)}
            for group in plan.groups
            if group.left_out
        ],
    }


def failures(plan: Plan, history: History) -> list[dict[str, Any]]:
    """Give every shot that ended as failed, in_doubt or lost, in the order of the plan."""
    found = ((shot, _failure(history, shot)) for shot in plan.shots)
    return [_failed(shot, failure) for shot, failure in found if failure is not None]


def _head(plan: Plan, history: History) -> dict[str, Any]:
    counts = history.counts()
    return {
        "kind": plan.kind,
        "name": plan.name,
        "job_id": history.job.get("job_id"),
        "created": history.job.get("created"),
        "model": plan.model,
        "size": plan.size,
        "state": history.state,
        "reason": history.reason,
        "shots": counts.shots,
        "saved": counts.saved,
        "pictures": counts.pictures,
        "complete": counts.saved == counts.shots,
        # By this a reader tells whether the journal went on since.
        "journal_seq": history.last_seq,
    }


def _kept(history: History, shot: Shot) -> tuple[KeptPicture, ...]:
    lived = history.shots.get(shot.id)
    return lived.kept if lived else ()


def _failure(history: History, shot: Shot) -> Failure | None:
    lived = history.shots.get(shot.id)
    if lived is None or lived.state.value not in ("failed", "in_doubt", "lost"):
        return None
    return lived.failure or _NOT_WANTED


def _failed(shot: Shot, failure: Failure) -> dict[str, Any]:
    return {
        "shot": shot.id,
        "name": shot.name,
        "code": failure.code,
        "message": failure.message,
        "retryable": failure.retryable,
        "request_id": failure.request_id,
    }


def _item(kind: str, shot: Shot, picture: KeptPicture) -> dict[str, Any]:
    # The desktop app tells a photo by its file's name, and a picture without photo by its own.
    name = shot.name.rpartition("/")[2] if kind == "bulk" else PurePosixPath(picture.file).stem
    return {
        "name": name,
        "saved": picture.file,
        "size": _size(picture),
        "url": picture.url,
        "shot": shot.id,
    }


def _size(picture: KeptPicture) -> str | None:
    if picture.width and picture.height:
        return f"{picture.width}x{picture.height}"
    return picture.size


def _cell(shot: Shot) -> str:
    return f"{shot.row}_{shot.col}"


def _cell_json(shot: Shot, kept: tuple[KeptPicture, ...]) -> dict[str, Any]:
    first = kept[0]
    return {
        "file": first.file,
        "files": [picture.file for picture in kept],
        "prompt": shot.prompt,
        "size": _size(first),
        "url": first.url,
        "shot": shot.id,
    }


def _refs(group: Group, history: History, thumbnails: Thumbnails) -> dict[str, Any]:
    # Told by the names of the thumbnails, beside which a reader of old sessions looks them up.
    prepared: Iterable[tuple[str, Any]] = (
        (f"{number:02d}.jpg", history.prepared.get(photo.name, {}).get("crop"))
        for number, photo in enumerate(group.photos, start=1)
    )
    return {
        "group": group.name,
        "files": list(thumbnails.get(group.name, ())),
        "crops": {name: crop for name, crop in prepared if crop},
    }


def _sides(size: str | None) -> tuple[int | None, int | None]:
    width, x, height = (size or "").partition("x")
    if x and width.isdecimal() and height.isdecimal():
        return int(width), int(height)
    return None, None
