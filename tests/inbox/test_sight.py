import os

import pytest

from seedream_daemon.inbox.sight import look


def test_a_look_finds_the_job_the_photos_and_what_lies_deeper(tmp_path, fill):
    drop = fill(tmp_path / "shoot", "a.png", "b.PNG")
    fill(drop / "groups" / "anna", "1.png", job=None)
    (drop / "notes.txt").write_text("x", encoding="utf-8")
    seen = look(drop)
    assert (seen.photos, seen.has_job, seen.ready) == (3, True, False)
    assert seen.tree["groups/anna"] == (-1, 0)
    assert set(seen.tree) == {
        "a.png",
        "b.PNG",
        "groups",
        "groups/anna",
        "groups/anna/1.png",
        "job.toml",
        "notes.txt",
    }


@pytest.mark.parametrize(
    ("name", "content", "ready"),
    [("READY", b"", True), (".ready", b"", True), ("READY", b"x", False), ("ready", b"", False)],
)
def test_only_an_empty_file_of_that_name_says_ready(tmp_path, fill, name, content, ready):
    drop = fill(tmp_path / "shoot", "a.png")
    (drop / name).write_bytes(content)
    assert look(drop).ready is ready


@pytest.mark.parametrize(
    "name", ["Thumbs.db", ".DS_Store", "._a.png", "desktop.ini", "@eaDir/a.png/SYNOPHOTO.jpg"]
)
def test_what_viewers_leave_behind_is_no_change(tmp_path, fill, name):
    drop = fill(tmp_path / "shoot", "a.png")
    before = look(drop)
    (drop / name).parent.mkdir(parents=True, exist_ok=True)
    (drop / name).write_bytes(b"x")
    assert look(drop).tree == before.tree


@pytest.mark.parametrize(
    "name", ["b.jpg.part", ".b.jpg.x8Rk2p", ".syncthing.b.jpg.tmp", "b.jpg.crdownload"]
)
def test_a_file_on_its_way_is_a_change_and_no_photo(tmp_path, fill, name):
    drop = fill(tmp_path / "shoot", "a.png")
    before = look(drop)
    (drop / name).write_bytes(b"x")
    after = look(drop)
    assert after.tree != before.tree
    assert after.photos == 1


def test_links_and_pipes_are_seen_and_not_followed(tmp_path, fill):
    drop = fill(tmp_path / "shoot")
    (drop / "loop").symlink_to(drop)
    os.mkfifo(drop / "pipe.jpg")
    assert {"loop", "pipe.jpg"} < set(look(drop).tree)


def test_what_is_gone_or_no_folder_is_none(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert [look(tmp_path / name) for name in ("nothing", "file", "link")] == [None, None, None]


def test_the_folder_itself_is_known_under_another_name(tmp_path, fill):
    drop = fill(tmp_path / "a")
    before = look(drop)
    after = look(drop.rename(tmp_path / "b"))
    assert after.identity == before.identity
    assert fill(tmp_path / "c").stat().st_ino != after.identity[1]


def test_the_age_is_that_of_the_youngest_change(tmp_path, fill):
    drop = fill(tmp_path / "shoot", "a.png")
    os.utime(drop / "a.png", (0, 0))
    assert 0 <= look(drop).age_s < 60
