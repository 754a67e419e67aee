import json
from dataclasses import replace

import pytest

from seedream_daemon.session.views import view_bytes

MORE = {
    "kind",
    "name",
    "job_id",
    "size",
    "state",
    "reason",
    "shots",
    "saved",
    "pictures",
    "complete",
    "journal_seq",
    "failed",
}


async def view_of(session, name: str) -> dict:
    await session.writer.close("done")
    return json.loads((session.writer.path / name).read_bytes())


@pytest.mark.parametrize("kind", ["t2i", "i2i"])
async def test_metadata_of_a_single_shot_has_the_contracts_fields(
    begin, single_plan, picture, kind
):
    session = await begin(single_plan(kind))
    await session.send("1", count=2)
    await session.answer("1", (1, 2))
    for number in (1, 2):
        await session.receive("1", picture(number, sides=(8, 6)), number)
    content = await view_of(session, "metadata.json")
    contract = {"prompt", "model", "created", "num_images", "sizes", "urls", "items"}
    assert content.keys() == contract | MORE | {"template"} | (
        {"photos"} if kind == "i2i" else set()
    )
    assert content["prompt"] == "a cat"
    assert content["template"] == "a {x}"
    assert content["created"] == "2025-09-12_14-30-12"
    assert content["num_images"] == 2
    assert content["sizes"] == ["8x6", "8x6"]
    assert content["urls"] == ["https://ark.test/1/1", "https://ark.test/1/2"]
    assert content["items"][1] == {
        "name": "02", "saved": "02.jpg", "size": "8x6", "url": "https://ark.test/1/2", "shot": "1",
    }  # fmt: skip
    assert (session.writer.path / "references").is_dir() == (kind == "i2i")


async def test_metadata_of_a_bulk_has_an_item_per_picture_in_the_order_of_the_plan(
    begin, bulk_plan, picture
):
    session = await begin(bulk_plan(3))
    for number in (3, 1):
        await session.send(f"IMG_{number}.jpg")
        await session.answer(f"IMG_{number}.jpg")
        await session.receive(f"IMG_{number}.jpg", picture(number))
    await session.writer.append(
        "failed",
        shot="IMG_2.jpg",
        code="BadPhoto",
        message="IMG_2.jpg is empty.",
        retryable=False,
        request_id=None,
    )
    content = await view_of(session, "metadata.json")
    assert [(item["name"], item["saved"]) for item in content["items"]] == [
        ("IMG_1.jpg", "IMG_1.jpg"),
        ("IMG_3.jpg", "IMG_3.jpg"),
    ]
    contract = {"prompt", "model", "created", "num_images", "items"}
    assert content.keys() == contract | MORE | {"template"}
    assert content["failed"]["IMG_2.jpg"]["code"] == "BadPhoto"
    assert not content["complete"]


async def test_an_item_of_a_bulk_is_named_by_its_photo_and_knows_its_shot(
    begin, bulk_plan, picture
):
    plan = bulk_plan(1)
    (shot,) = plan.shots
    shot = replace(shot, id="photos/IMG_1.jpg", name="photos/IMG_1.jpg")
    session = await begin(replace(plan, shots=(shot,)))
    await session.send(shot.id)
    await session.answer(shot.id)
    await session.receive(shot.id, picture(1))
    (item,) = (await view_of(session, "metadata.json"))["items"]
    assert (item["name"], item["shot"]) == ("IMG_1.jpg", "photos/IMG_1.jpg")


async def test_grid_json_has_the_contracts_fields(begin, grid_plan, picture):
    session = await begin(grid_plan)
    thumbnails = session.writer.path / "refs" / "man_chubby"
    thumbnails.mkdir(parents=True)
    (thumbnails / "01.jpg").write_bytes(picture(9))
    photo = "groups/man_chubby/a.jpg"
    await session.writer.append("prepare_begin", durable=False, shot="r1_c1", photo=photo)
    await session.writer.append(
        "prepare_end", durable=False, shot="r1_c1", photo=photo, sha256="d", crop="face"
    )
    await session.send("r1_c1", count=2)
    await session.answer("r1_c1", (1, 2))
    for number in (1, 2):
        await session.receive("r1_c1", picture(number), number)
    await session.writer.append(
        "failed", shot="r2_c2", code="x", message="no", retryable=True, request_id="q9"
    )
    content = await view_of(session, "grid.json")
    contract = {
        "type", "created", "model", "width", "height", "seed", "apply_crop", "group_names", "prompts",
        "variables", "cells", "refs", "failed",
    }  # fmt: skip
    assert content.keys() == contract | MORE | {"common", "left_out"}
    assert (content["type"], content["width"], content["height"], content["seed"]) == (
        "grid",
        1296,
        1728,
        "7",
    )
    assert content["apply_crop"] is True
    assert content["group_names"] == ["Man, chubby", "woman"]
    assert content["prompts"] == ["ID photo of a {gender}", "{gender}, grey jacket"]
    assert content["variables"] == [{"gender": "man"}, {"gender": "woman"}]
    assert content["cells"] == {
        "1_1": {
            "file": "cells/r1_c1.jpg",
            "files": ["cells/r1_c1.jpg", "cells/r1_c1_2.jpg"],
            "prompt": "ID photo of a man",
            "size": "4x4",
            "url": "https://ark.test/r1_c1/1",
            "shot": "r1_c1",
        }
    }
    assert content["refs"] == {
        "1": {
            "group": "man_chubby",
            "files": ["refs/man_chubby/01.jpg"],
            "crops": {"01.jpg": "face"},
        },
        "2": {"group": "woman", "files": [], "crops": {}},
    }
    assert content["failed"]["2_2"] == {
        "shot": "r2_c2", "name": "woman 2", "code": "x", "message": "no", "retryable": True, "request_id": "q9",
    }  # fmt: skip
    assert content["left_out"] == [{"group": "woman", "files": ["k.jpg"]}]


def test_a_view_is_json_with_a_line_for_each_row():
    content = {
        "a": 1,
        "items": [{"x": "사진"}, {"y": "\udcff"}],
        "none": [],
        "cells": {"1_1": {"z": []}, "1_2": {}},
    }
    text = view_bytes(content).decode("utf-8")
    assert json.loads(text) == content
    assert (
        text
        == """{
"a": 1,
"items": [
 {"x": "사진"},
 {"y": "\\udcff"}
],
"none": [],
"cells": {
 "1_1": {"z": []},
 "1_2": {}
}
}
"""
    )
