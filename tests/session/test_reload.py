import json
import shutil
from pathlib import Path

import pytest

from seedream_daemon.errors import SessionUnknownError, UsageError
from seedream_daemon.session.reload import find_session, list_sessions, load_session

SAMPLES = Path(__file__).parents[1] / "samples" / "sessions"


def sample(words: str) -> Path:
    (found,) = SAMPLES.glob(f"*{words}*")
    return found


def test_sessions_of_the_desktop_app_are_listed_newest_first():
    rows, rest = list_sessions(SAMPLES, limit=100)
    assert rest is None
    assert [(r.session[:10], r.kind, r.pictures, r.shots, r.state, r.complete) for r in rows] == [
        ("2025-09-15", "grid", 3, 4, "failed", False),
        ("2025-09-14", "bulk", 3, 3, "done", True),
        ("2025-09-13", "i2i", 1, 1, "done", True),
        ("2025-09-12", "t2i", 2, 2, "done", True),
        ("2025-08-06", "bulk", 2, 4, "done", False),
        ("2025-08-05", None, 0, 0, "failed", False),
        ("2025-08-04", "i2i", 1, 1, "done", True),
        ("2025-08-03", "t2i", 3, 3, "done", True),
        ("2025-08-02", "grid", 1, 1, "done", True),
        ("2025-08-01", "bulk", 2, 3, "done", False),
    ]
    assert {row.model for row in rows} == {"seedream-4-0-250828", None}
    assert not any(row.has_journal for row in rows)


def test_pages_follow_each_other_without_gap_or_repetition():
    whole, _ = list_sessions(SAMPLES, limit=100)
    seen, before = [], None
    while True:
        rows, before = list_sessions(SAMPLES, limit=3, before=before)
        seen += rows
        if before is None:
            break
    assert tuple(seen) == whole


@pytest.mark.parametrize("before", ["", "x", "2025-09-12_14-30-12", "yesterday/x"])
def test_a_page_that_nobody_named_is_refused(before):
    with pytest.raises(UsageError, match="is not where a page of sessions begins"):
        list_sessions(SAMPLES, limit=3, before=before)


def test_no_folder_has_no_sessions(tmp_path):
    assert list_sessions(tmp_path / "none", limit=5) == ((), None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "loose.txt").touch()
    assert list_sessions(tmp_path, limit=5) == ((), None)


def test_a_page_among_many_opens_only_its_own(tmp_path):
    for number in range(1000):
        folder = tmp_path / f"2025-01-01_00-{number // 60:02d}-{number % 60:02d}_x_t2i"
        folder.mkdir()
        text = json.dumps({"prompt": "x"}) if number > 995 else "not opened"
        (folder / "metadata.json").write_text(text, encoding="utf-8")
    rows, before = list_sessions(tmp_path, limit=4)
    assert [row.state for row in rows] == ["done"] * 4
    assert before == "2025-01-01_00-16-36/2025-01-01_00-16-36_x_t2i"


@pytest.mark.parametrize(
    "folder", sorted(p.name for p in SAMPLES.iterdir() if "broken" not in p.name)
)
def test_every_sample_loads_with_paths_that_lead_to_its_files(folder):
    loaded = load_session(SAMPLES / folder)
    assert (loaded["session"], loaded["path"]) == (folder, str(SAMPLES / folder))
    assert loaded["created"] == folder[:19]
    if loaded["kind"] == "grid":
        files = [
            f for part in ("cells", "refs") for one in loaded[part].values() for f in one["files"]
        ]
    else:
        files = [item["saved"] for item in loaded["items"] if item["saved"]]
    assert files
    assert all((SAMPLES / folder / file).is_file() and not file.startswith("/") for file in files)


def test_paths_of_another_machine_are_tried_by_base_name():
    loaded = load_session(sample("old_app_bulk"))
    assert [item["saved"] for item in loaded["items"]] == ["a.jpg", "b.jpg", None]
    assert loaded["missing"] == [
        "/Users/kim/Pictures/seedream/2025-08-01_08-00-00_old_app_bulk/c.jpg"
    ]
    grid = load_session(sample("old_app_grid"))
    assert grid["cells"]["1_1"]["file"] == "cells/r1_c1.jpg"
    assert grid["refs"]["1"]["files"] == ["refs/kim/01.jpg"]


def test_paths_inside_are_made_relative_and_paths_outside_are_never_followed(tmp_path):
    folder = tmp_path / "s_bulk"
    shutil.copytree(sample("brighten"), folder)
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"x")
    (folder / "link.jpg").symlink_to(secret)
    says = [
        str(folder / "IMG_1.jpg"),
        str(secret),
        "../secret.jpg",
        "link.jpg",
        "./IMG_2.jpg",
        "\0",
        "",
    ]
    text = json.dumps({"items": [{"name": str(n), "saved": said} for n, said in enumerate(says)]})
    (folder / "metadata.json").write_text(text, encoding="utf-8")
    loaded = load_session(folder)
    assert [item["saved"] for item in loaded["items"]] == [
        "IMG_1.jpg", None, None, None, "./IMG_2.jpg", None, None,
    ]  # fmt: skip


def test_a_folder_of_few_fields_tells_the_pictures_that_lie_in_it():
    few = load_session(sample("few_fields"))
    assert [item["saved"] for item in few["items"]] == ["01.jpg", "02.jpg", "10.jpg"]
    bare = load_session(sample("items_without_files"))
    assert [item["saved"] for item in bare["items"]] == ["a.jpg", "b.jpg", None, None]


def test_failures_of_a_grid_name_the_cell():
    (failure,) = load_session(sample("ID_photo"))["failures"]
    assert failure == {
        "shot": "2_2",
        "name": "2_2",
        "code": "OutputImageSensitiveContentDetected",
        "message": "The picture was held back by moderation.",
        "retryable": None,
        "request_id": None,
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"[1]", b"{", b"\xff\xfe{", b'{"a":' * 5000, b"null"],
    ids=["empty", "list", "cut", "utf16", "deep", "null"],
)
def test_broken_json_is_one_clear_error(tmp_path, content):
    (tmp_path / "metadata.json").write_bytes(content)
    with pytest.raises(
        SessionUnknownError,
        match=r"metadata\.json (cannot be read as JSON|does not hold a JSON object)",
    ):
        load_session(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"items": 5, "created": 7, "model": [], "kind": "x"},
        {"items": {"a": 1}, "failed": [1]},
        {"items": [[], None, {"saved": {}}], "failed": {"1": "no", "2": None}},
    ],
)
def test_fields_of_a_wrong_type_do_no_harm(tmp_path, content):
    (tmp_path / "metadata.json").write_text(json.dumps(content), encoding="utf-8")
    assert load_session(tmp_path)["session"] == tmp_path.name
    grid = {
        "type": "grid",
        "cells": content["items"],
        "refs": content["items"],
        "prompts": 3,
        **content,
    }
    (tmp_path / "grid.json").write_text(json.dumps(grid), encoding="utf-8")
    assert load_session(tmp_path)["kind"] == "grid"


async def test_our_own_session_loads_with_or_without_its_view(begin, bulk_plan, picture):
    session = await begin(bulk_plan(3))
    path = session.writer.path
    await session.send("IMG_1.jpg")
    await session.answer("IMG_1.jpg")
    await session.receive("IMG_1.jpg", picture(1))
    await session.writer.append(
        "failed", shot="IMG_2.jpg", code="x", message="no", retryable=False, request_id="q2"
    )
    assert load_session(path)["state"] == "running"
    await session.writer.close("failed", "1 of 3")
    loaded = load_session(path)
    assert (loaded["state"], loaded["reason"], loaded["pictures"]) == ("failed", "1 of 3", 1)
    assert [failure["shot"] for failure in loaded["failures"]] == ["IMG_2.jpg"]
    view = path / "metadata.json"
    fresh = json.loads(view.read_bytes())
    lie = json.dumps({**fresh, "prompt": "no", "items": [], "state": "done"}).encode()
    for content in (None, b"", b'{"prompt": "old", "journal_seq": 2}', b'{"prompt": "app"}', lie):
        view.unlink(missing_ok=True)
        if content is not None:
            view.write_bytes(content)
        rebuilt = load_session(path)
        assert rebuilt == loaded
    (row,), _ = list_sessions(path.parent, limit=5)
    assert (row.name, row.pictures, row.shots, row.has_journal) == ("my shoot", 1, 3, True)


async def test_what_the_journal_tells_is_looked_up_on_the_disk(begin, bulk_plan, picture):
    session = await begin(bulk_plan(2))
    path = session.writer.path
    await session.send("IMG_1.jpg")
    await session.answer("IMG_1.jpg")
    await session.receive("IMG_1.jpg", picture(1))
    await session.writer.close("failed")
    (path / "IMG_1.jpg").rename(path / "IMG_2.jpg")
    loaded = load_session(path)
    assert [(item["name"], item["saved"]) for item in loaded["items"]] == [("IMG_1.jpg", None)]
    assert loaded["missing"] == ["IMG_1.jpg"]


async def test_a_bad_line_is_reported_though_the_view_is_up_to_date(begin, bulk_plan):
    session = await begin(bulk_plan(1))
    await session.send("IMG_1.jpg")
    await session.writer.close("failed")
    journal = session.writer.path / "journal-0001.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"attempt":1', b'"attempt":2')
    journal.write_bytes(b"".join(lines))
    loaded = load_session(session.writer.path)
    assert loaded["problems"] == ["journal-0001.jsonl:3: skipped, because its crc does not match."]


async def test_a_killed_session_is_paused_and_a_busy_one_running(begin, bulk_plan):
    session = await begin(bulk_plan(1))
    path = session.writer.path
    (row,), _ = list_sessions(path.parent, limit=5)
    assert row.state == "running"
    session.writer.release()
    assert load_session(path)["state"] == "paused"
    assert load_session(path)["reason"] == "interrupted"
    (path / "journal-0001.jsonl").write_bytes(b'{"seq"')
    assert load_session(path)["state"] == "paused"


async def test_the_list_tells_the_state_that_the_journal_tells(begin, reopen, bulk_plan):
    def listed() -> str:
        (row,), _ = list_sessions(path.parent, limit=5)
        assert row.state == load_session(path)["state"]
        return row.state

    first = await begin(bulk_plan(1))
    path = first.writer.path
    await first.writer.close("failed")
    assert listed() == "failed"
    second = await reopen(path)
    await second.send("IMG_1.jpg")
    assert listed() == "running"
    await second.writer.append("paused", reason="no account")
    assert listed() == "paused"
    await second.writer.append("end", state="cancelled", reason=None)
    assert listed() == "cancelled"
    await second.send("IMG_1.jpg", "q2")
    second.writer.release()
    assert listed() == "paused"


async def test_a_bad_line_is_reported_and_the_rest_is_shown(begin, bulk_plan, picture):
    session = await begin(bulk_plan(2))
    await session.send("IMG_1.jpg")
    await session.answer("IMG_1.jpg")
    await session.receive("IMG_1.jpg", picture(1))
    session.writer.release()
    journal = session.writer.path / "journal-0001.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"attempt":1', b'"attempt":2')
    journal.write_bytes(b"".join(lines))
    loaded = load_session(session.writer.path)
    assert loaded["problems"] == ["journal-0001.jsonl:3: skipped, because its crc does not match."]
    assert loaded["pictures"] == 1


def test_a_session_is_found_by_name_and_by_path():
    path = sample("red_fox")
    assert find_session(SAMPLES, path.name) == path
    assert find_session(Path("/nowhere"), str(path)) == path
    assert find_session(Path("/nowhere"), f"{path}/") == path
    with pytest.raises(SessionUnknownError, match="Did you mean 2025-09-12_14-30-12_a_red_fox_t2i"):
        find_session(SAMPLES, "2025-09-12_14-30-12_a_red_fix_t2i")
    for name in ("", "..", "nothing-like-it", "\0", "references"):
        with pytest.raises(SessionUnknownError, match="There is no session"):
            find_session(SAMPLES, name)
