import json
import os
import tracemalloc
from pathlib import Path

import anyio
import pytest

from seedream_daemon.errors import SessionBusyError, SessionUnknownError
from seedream_daemon.session.recall import recall
from seedream_daemon.session.shot_facts import ShotState
from seedream_daemon.session.store import PictureBrokenError, SessionWriter


def lines(session: Path) -> list[dict]:
    text = "".join(p.read_text(encoding="utf-8") for p in sorted(session.glob("journal-*.jsonl")))
    return [json.loads(line) for line in text.splitlines()]


def events(session: Path) -> list[str]:
    return [line["event"] for line in lines(session)]


async def test_a_new_session_has_its_name_journal_and_view(begin, bulk_plan, tmp_path):
    session = await begin(bulk_plan(2))
    path = session.writer.path
    assert path == tmp_path / "outputs" / "2025-09-12_14-30-12_Brighten_the_photo_bulk"
    assert sorted(p.name for p in path.iterdir()) == [
        ".lock",
        "journal-0001.jsonl",
        "metadata.json",
    ]
    job, plan = lines(path)
    assert {k: v for k, v in job.items() if k != "crc"} == {
        "seq": 1,
        "at": "2025-09-12T14:30:12.000+09:00",
        "event": "job",
        "schema": 1,
        "job_id": "j0123456789",
        "folder": None,
        "origin": "command",
        "name": "my shoot",
        "kind": "bulk",
        "created": "2025-09-12_14-30-12",
        "snippet": "Brighten_the_photo",
    }
    assert plan["event"] == "plan"
    session.writer.release()


async def test_a_taken_name_gets_a_number_after_the_snippet(begin, bulk_plan):
    plan = bulk_plan(1)
    sessions = [await begin(plan) for _ in range(3)]
    assert [s.writer.path.name for s in sessions] == [
        "2025-09-12_14-30-12_Brighten_the_photo_bulk",
        "2025-09-12_14-30-12_Brighten_the_photo-2_bulk",
        "2025-09-12_14-30-12_Brighten_the_photo-3_bulk",
    ]
    for session in sessions:
        session.writer.release()


async def test_a_picture_is_kept_byte_for_byte_and_journaled(begin, bulk_plan, picture):
    session = await begin(bulk_plan(1))
    await session.send("IMG_1.jpg")
    await session.answer("IMG_1.jpg")
    kept = await session.receive("IMG_1.jpg", picture(7, sides=(6, 5)))
    assert (kept.file, kept.width, kept.height) == ("IMG_1.jpg", 6, 5)
    assert kept.path.read_bytes() == picture(7, sides=(6, 5))
    assert session.writer.history.shots["IMG_1.jpg"].state is ShotState.SAVED
    entry = lines(session.writer.path)[-1]
    assert [entry[key] for key in ("event", "shot", "number", "file", "bytes", "sha256")] == [
        "picture", "IMG_1.jpg", 1, "IMG_1.jpg", kept.bytes, kept.sha256,
    ]  # fmt: skip
    assert not list(session.writer.path.glob(".seedream-draft-*"))
    session.writer.release()


@pytest.mark.parametrize(
    ("image_format", "name"), [("PNG", "01.png"), ("WEBP", "01.webp"), ("JPEG", "01.jpg")]
)
async def test_a_picture_is_named_by_what_it_holds(begin, single_plan, picture, image_format, name):
    session = await begin(single_plan())
    kept = await session.receive("1", picture(1, image_format, (31, 17)))
    assert (kept.file, kept.width, kept.height) == (name, 31, 17)
    session.writer.release()


async def test_pictures_of_a_set_are_numbered_as_their_kind_wants(
    begin, single_plan, bulk_plan, grid_plan, picture
):
    files = []
    for plan in (single_plan("t2i"), bulk_plan(1), grid_plan):
        session = await begin(plan)
        files += [(await session.receive(plan.shots[0].id, picture(n), n)).file for n in (1, 2)]
        session.writer.release()
    assert files == [
        "01.jpg", "02.jpg", "IMG_1.jpg", "IMG_1_2.jpg", "cells/r1_c1.jpg", "cells/r1_c1_2.jpg",
    ]  # fmt: skip


async def test_what_is_cut_short_or_no_picture_is_not_kept(begin, single_plan, picture):
    session = await begin(single_plan())
    whole = picture(1, sides=(64, 64))
    with pytest.raises(
        PictureBrokenError, match=f"only in part: {len(whole) - 40} bytes of a jpeg"
    ):
        await session.receive("1", whole[:-40])
    with pytest.raises(PictureBrokenError, match="not a JPEG, PNG or WebP picture"):
        await session.receive("1", b"<html>busy</html>")
    assert sorted(p.name for p in session.writer.path.iterdir()) == [
        ".lock",
        "journal-0001.jsonl",
        "metadata.json",
    ]
    assert "picture" not in events(session.writer.path)
    session.writer.release()


async def test_no_file_is_ever_replaced(begin, single_plan, picture):
    session = await begin(single_plan())
    (session.writer.path / "01.jpg").write_bytes(b"mine")
    (session.writer.path / "02.jpg").symlink_to("/etc/passwd")
    first = await session.receive("1", picture(1), 1)
    second = await session.receive("1", picture(2), 2)
    assert (first.file, second.file) == ("01-2.jpg", "02-2.jpg")
    assert (session.writer.path / "01.jpg").read_bytes() == b"mine"
    assert (session.writer.path / "02.jpg").is_symlink()
    session.writer.release()


async def test_an_equal_file_that_the_journal_does_not_know_is_taken_for_the_picture(
    begin, single_plan, picture
):
    session = await begin(single_plan())
    (session.writer.path / "01.jpg").write_bytes(picture(1))
    kept = await session.receive("1", picture(1))
    assert kept.file == "01.jpg"
    assert not list(session.writer.path.glob("01-*"))
    session.writer.release()


async def test_two_pictures_of_one_name_and_content_are_two_files(begin, bulk_plan, picture):
    plan = bulk_plan(2)
    session = await begin(plan)
    for shot in plan.shots:
        draft = session.writer.draft(shot.id, 1)
        draft.write_bytes(picture(1))
        await session.writer.keep(draft, shot=shot.id, number=1, stem="same")
    assert sorted(p.name for p in session.writer.path.glob("*.jpg")) == ["same-2.jpg", "same.jpg"]
    session.writer.release()


@pytest.mark.parametrize("stem", ["-dash", "사진 한 장", "🦊", "ü" * 127, "x" * 251])
async def test_any_name_that_a_file_system_takes_is_kept(begin, bulk_plan, picture, stem):
    session = await begin(bulk_plan(1))
    for number in (1, 2):
        draft = session.writer.draft("IMG_1.jpg", number)
        draft.write_bytes(picture(number, "PNG"))
        kept = await session.writer.keep(draft, shot="IMG_1.jpg", number=number, stem=stem)
        assert len(os.fsencode(kept.file)) <= 255
        assert kept.path.read_bytes() == picture(number, "PNG")
    session.writer.release()


async def test_a_second_writer_is_told_who_holds_the_session(begin, bulk_plan, reopen):
    session = await begin(bulk_plan(1))
    with pytest.raises(SessionBusyError, match=f"is being written by process {os.getpid()} on "):
        await reopen(session.writer.path)
    session.writer.release()
    again = await reopen(session.writer.path)
    again.writer.release()


async def test_folders_that_are_no_session_are_left_as_they_are(reopen, tmp_path):
    with pytest.raises(SessionUnknownError, match="There is no session folder"):
        await reopen(tmp_path / "none")
    (tmp_path / "desktop").mkdir()
    with pytest.raises(SessionUnknownError, match="has no journal"):
        await reopen(tmp_path / "desktop")
    assert not list((tmp_path / "desktop").iterdir())
    (tmp_path / "desktop" / "journal-0001.jsonl").write_bytes(b'{"seq":1,"at"')
    with pytest.raises(SessionUnknownError, match="holds no plan, so nothing was sent"):
        await reopen(tmp_path / "desktop")


async def test_every_start_has_a_journal_of_its_own_and_seq_goes_on(begin, bulk_plan, reopen):
    session = await begin(bulk_plan(1))
    await session.writer.close("paused", "SIGTERM")
    path = session.writer.path
    again = await reopen(path)
    assert [p.name for p in sorted(path.glob("journal-*"))] == ["journal-0001.jsonl"]
    await again.send("IMG_1.jpg")
    await again.writer.close("done")
    assert [p.name for p in sorted(path.glob("journal-*"))] == [
        "journal-0001.jsonl",
        "journal-0002.jsonl",
    ]
    assert [line["seq"] for line in lines(path)] == [1, 2, 3, 4, 5]
    assert json.loads((path / "metadata.json").read_text(encoding="utf-8"))["state"] == "done"


async def test_a_request_in_flight_at_a_kill_is_in_doubt_at_the_next_start(
    begin, bulk_plan, reopen
):
    session = await begin(bulk_plan(2))
    await session.send("IMG_1.jpg", "q1")
    await session.send("IMG_2.jpg", "q2")
    await session.answer("IMG_2.jpg", request_id="q2")
    session.writer.release()

    again = await reopen(session.writer.path)
    shot = again.writer.history.shots["IMG_1.jpg"]
    assert (shot.state, shot.doubts, shot.failure.message) == (
        ShotState.IN_DOUBT,
        1,
        "killed while in flight",
    )
    assert [picture.shot for picture in again.writer.history.to_fetch()] == ["IMG_2.jpg"]
    again.writer.release()

    once_more = await reopen(session.writer.path)
    assert once_more.writer.history.shots["IMG_1.jpg"].doubts == 1
    once_more.writer.release()


async def test_a_set_cut_short_by_a_kill_is_saved_with_what_came(
    begin, single_plan, reopen, picture
):
    session = await begin(single_plan())
    await session.send("1", count=4)
    await session.answer("1", (1,), done=False)
    await session.receive("1", picture(1), 1)
    await session.answer("1", (2,), done=False)
    session.writer.release()

    again = await reopen(session.writer.path)
    shot = again.writer.history.shots["1"]
    assert (shot.state, shot.doubts) == (ShotState.ANSWERED, 0)
    await again.receive("1", picture(2), 2)
    assert shot.state is ShotState.SAVED
    assert again.writer.history.counts().images_billed == 2
    again.writer.release()


async def test_leftover_drafts_are_removed_and_other_files_are_not(begin, bulk_plan, reopen):
    session = await begin(bulk_plan(1))
    draft = session.writer.draft("IMG_1.jpg", 1)
    draft.write_bytes(b"half")
    (session.writer.path / ".mine").write_bytes(b"")
    session.writer.release()
    again = await reopen(session.writer.path)
    assert not draft.exists()
    assert (session.writer.path / ".mine").exists()
    again.writer.release()


async def test_a_picture_named_but_not_journaled_at_a_kill_needs_no_download(
    begin, bulk_plan, reopen, picture
):
    session = await begin(bulk_plan(1))
    await session.send("IMG_1.jpg")
    await session.answer("IMG_1.jpg")
    draft = session.writer.draft("IMG_1.jpg", 1)
    draft.write_bytes(picture(3))
    os.link(draft, session.writer.path / "IMG_1.jpg")
    session.writer.release()

    again = await reopen(session.writer.path)
    assert again.writer.history.shots["IMG_1.jpg"].state is ShotState.SAVED
    assert not again.writer.history.to_fetch()
    assert sorted(p.name for p in session.writer.path.glob("*.jpg")) == ["IMG_1.jpg"]
    assert not draft.exists()
    again.writer.release()


async def test_pictures_are_adopted_by_link_and_cost_nothing(begin, bulk_plan, picture):
    old = await begin(bulk_plan(1))
    kept = await old.receive("IMG_1.jpg", picture(5))
    new = await begin(bulk_plan(2))
    adopted = await new.writer.adopt(
        kept.path,
        shot="IMG_2.jpg",
        number=1,
        stem="IMG_2",
        from_session=old.writer.path.name,
        fingerprint="e" * 64,
    )
    assert adopted.path.samefile(kept.path)
    shot = new.writer.history.shots["IMG_2.jpg"]
    assert (shot.state, shot.fingerprint, shot.images_billed) == (ShotState.SAVED, "e" * 64, 0)
    assert lines(new.writer.path)[-1]["from_session"] == old.writer.path.name
    assert kept.path.read_bytes() == picture(5)
    old.writer.release()
    new.writer.release()


async def test_appends_at_one_time_share_the_disk_and_keep_their_order(begin, bulk_plan):
    session = await begin(bulk_plan(1))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for number in range(500):
                group.start_soon(session.send, "IMG_1.jpg", f"q{number}")
    assert [line["seq"] for line in lines(session.writer.path)] == list(range(1, 503))
    assert len({line["request_id"] for line in lines(session.writer.path)[2:]}) == 500
    session.writer.release()


async def test_an_append_that_is_cancelled_is_written_all_the_same(begin, bulk_plan):
    session = await begin(bulk_plan(1))
    with anyio.CancelScope() as scope:
        scope.cancel()
        await session.writer.append("in_doubt", shot="IMG_1.jpg", request_id="q1", why="cut")
    assert events(session.writer.path)[-1] == "in_doubt"
    assert session.writer.history.shots["IMG_1.jpg"].state is ShotState.IN_DOUBT
    session.writer.release()


async def test_fields_that_are_no_json_harm_nobody_else(begin, bulk_plan):
    session = await begin(bulk_plan(1))
    with pytest.raises(TypeError):
        await session.writer.append("photo", photo=Path("a"))
    with pytest.raises(ValueError, match="cannot be called seq"):
        await session.writer.append("photo", seq=1)
    await session.send("IMG_1.jpg")
    assert events(session.writer.path) == ["job", "plan", "sending"]
    session.writer.release()


@pytest.mark.slow
async def test_views_of_2000_pictures_weigh_at_most_twice_the_journal(
    begin, bulk_plan, clock, picture
):
    plan = bulk_plan(2000)
    session = await begin(plan)
    path = session.writer.path
    view, content = path / "metadata.json", picture(1)
    last, rewrites, written = view.stat().st_ino, 0, view.stat().st_size

    async def shoot(shot: str) -> None:
        await session.send(shot)
        await session.answer(shot)
        await session.receive(shot, content)

    with anyio.fail_after(50):
        for start in range(0, 2000, 20):
            async with anyio.create_task_group() as group:
                for shot in plan.shots[start : start + 20]:
                    group.start_soon(shoot, shot.id)
            clock.go_on(12)
            await session.writer.refresh()
            if view.stat().st_ino != last:
                last, rewrites = view.stat().st_ino, rewrites + 1
                written += view.stat().st_size
                json.loads(view.read_bytes())
            assert written <= 2 * (path / "journal-0001.jsonl").stat().st_size + 65536
    assert rewrites >= 5
    await session.writer.close("done")
    assert json.loads(view.read_bytes())["num_images"] == 2000


async def test_a_view_is_written_at_most_once_a_second(begin, single_plan, clock, picture):
    session = await begin(single_plan())
    view = session.writer.path / "metadata.json"
    await session.receive("1", picture(1), 1)
    await session.writer.refresh()
    assert json.loads(view.read_bytes())["num_images"] == 0
    clock.go_on(1.0)
    await session.writer.refresh()
    assert json.loads(view.read_bytes())["num_images"] == 1
    session.writer.release()


@pytest.mark.slow
async def test_memory_per_shot_is_small_and_journal_length_does_not_matter(begin, bulk_plan):
    plan = bulk_plan(50)
    session = await begin(plan)
    await session.send("IMG_1.jpg")
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(3000):
        await session.writer.append(
            "prepare_begin", durable=False, shot="IMG_1.jpg", photo="a.jpg", n=number
        )
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 200_000
    session.writer.release()
    assert recall(session.writer.path).history.last_seq == 3003


async def test_a_session_that_cannot_be_begun_leaves_nothing(bulk_plan, tmp_path, clock):
    with pytest.raises(TypeError):
        await SessionWriter.create(tmp_path, bulk_plan(1), job={"folder": Path("x")}, now=clock.now)
    assert not list(tmp_path.iterdir())
