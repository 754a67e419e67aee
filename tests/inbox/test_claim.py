import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from seedream_daemon.inbox import claim as claims
from seedream_daemon.inbox.claim import (
    Blocked,
    Claimed,
    Gone,
    StillMoving,
    claim,
    has_started,
    move,
    put_away,
    read_result,
    running,
    write_result,
)
from seedream_daemon.inbox.sight import look


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_drop_moves_into_running(place, fill):
    seen = look(fill(place.root / "shoot", "a.png"))
    assert claim(place, "shoot", seen) == Claimed(name="shoot", folder=place.running / "shoot")
    assert names(place.running / "shoot") == ["a.png", "job.toml"]
    assert running(place) == (place.running / "shoot",)
    assert has_started(place, "shoot")
    assert not has_started(place, "other")


def test_a_drop_that_moved_since_it_was_seen_goes_back(place, fill):
    seen = look(fill(place.root / "shoot", "a.png"))
    fill(place.root / "shoot", "a.png", "b.png")
    assert claim(place, "shoot", seen) == StillMoving(name="shoot")
    assert names(place.root / "shoot") == ["a.png", "b.png", "job.toml"]
    assert names(place.running) == []


def test_another_folder_of_the_same_name_is_not_the_one_that_was_seen(place, fill):
    seen = look(fill(place.root / "shoot", "a.png"))
    (place.root / "shoot").rename(place.root / "kept")
    shutil.copytree(place.root / "kept", place.root / "shoot")
    assert claim(place, "shoot", seen) == StillMoving(name="shoot")


def test_a_drop_that_was_taken_away_is_gone(place, fill):
    seen = look(fill(place.root / "shoot", "a.png"))
    (place.root / "shoot").rename(place.root.parent / "elsewhere")
    assert claim(place, "shoot", seen) == Gone()


def test_without_its_own_folder_nothing_is_claimed(place, fill):
    seen = look(fill(place.root / "shoot", "a.png"))
    place.running.rmdir()
    assert isinstance(claim(place, "shoot", seen), Blocked)
    assert (place.root / "shoot/a.png").exists()


def test_a_taken_name_gets_a_number_even_if_what_has_it_is_empty(place, fill):
    for number in range(3):
        fill(place.running / "shoot", f"{number}.png")
        there = put_away(place.running / "shoot", place.done)
        assert there.name == ("shoot" if number == 0 else f"shoot ({number + 1})")
    (place.failed / "shoot").mkdir()
    fill(place.running / "shoot", "a.png")
    assert put_away(place.running / "shoot", place.failed) == place.failed / "shoot (2)"
    assert names(place.failed / "shoot") == []
    assert [names(place.done / n) for n in ("shoot", "shoot (2)", "shoot (3)")] == [
        ["0.png", "job.toml"],
        ["1.png", "job.toml"],
        ["2.png", "job.toml"],
    ]


def test_a_file_in_the_way_is_not_replaced(place, fill):
    (place.done / "shoot").write_text("mine", encoding="utf-8")
    assert put_away(fill(place.running / "shoot"), place.done).name == "shoot (2)"
    assert (place.done / "shoot").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["-rf", "a b", "한국 사진", "📷" * 63, "x" * 255, "a\nb", "..."])
def test_any_name_can_be_moved_and_numbered(place, fill, name):
    for _ in range(2):
        fill(place.root / name)
        there = move(place.root / name, place.done, name)
        assert len(os.fsencode(there.name)) <= 255
    assert len(names(place.done)) == 2


def test_file_systems_without_the_safe_rename_are_served_too(place, fill):
    # What _rename_to_free does where the kernel answers EINVAL; /proc/self/fd is such a place.
    assert claims._renameat2(b"/proc/self/fd/0", b"/proc/self/fd/1") != 0


def test_the_daemon_rewrites_its_own_two_files_and_nothing_else(place, fill):
    drop = fill(place.running / "shoot", "a.png")
    before = (drop / "a.png").read_bytes()
    write_result(
        drop, {"state": "failed", "name": "사진"}, "1 of 2 pictures are in X.\nb.png: ...\n"
    )
    assert read_result(drop) == {"state": "failed", "name": "사진"}
    assert (drop / "error.txt").read_text(encoding="utf-8").startswith("1 of 2")
    write_result(drop, {"state": "done"}, None)
    assert names(drop) == ["a.png", "job.toml", "result.json"]
    assert json.loads((drop / "result.json").read_text(encoding="utf-8")) == {"state": "done"}
    assert (drop / "a.png").read_bytes() == before


def test_a_result_that_is_none_is_not_believed(place, fill):
    drop = fill(place.running / "shoot")
    assert read_result(drop) is None
    for content in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        (drop / "result.json").write_bytes(content)
        assert read_result(drop) is None
    (drop / "result.json").unlink()
    secret = place.root.parent / "secret.json"
    secret.write_text("{}", encoding="utf-8")
    (drop / "result.json").symlink_to(secret)
    assert read_result(drop) is None
    # A link that somebody left there is replaced, not written through.
    write_result(drop, {"state": "done"}, None)
    assert secret.read_text(encoding="utf-8") == "{}"
    (drop / "result.json").unlink()
    os.mkfifo(drop / "result.json")
    assert read_result(drop) is None


@pytest.fixture
def shared():
    """An inbox that another user serves, in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="seedream-shared-") as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "inbox"
        root.mkdir()
        os.chown(root, 65534, 65534)
        root.chmod(0o2775)
        yield root


CLAIM = """
root = Path({root!r})
place = open_inbox(root, state_dir=root.parent / "inbox" / ".state")
print(claim(place, "shoot", sight.look(root / "shoot")))
"""


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ((0o022, 65534), "Blocked(reason='belongs to root (uid 0) and group "),
        ((0o002, 65534), "Claimed(name='shoot'"),
        (
            (0o002, 0),
            "Blocked(reason='belongs to root (uid 0) and group root (gid 0) with mode 2775",
        ),
        ((0o077, 65534), "Blocked(reason='belongs to root (uid 0)"),
    ],
)
def test_another_users_drop_is_taken_only_if_its_group_may_write(
    shared, fill, as_nobody, rights, expected
):
    umask, group = rights
    before = os.umask(umask)
    try:
        drop = fill(shared / "shoot", "a.png")
    finally:
        os.umask(before)
    for path in (drop, *drop.iterdir()):
        os.chown(path, 0, group)
    done = as_nobody(CLAIM.format(root=str(shared)))
    if umask == 0o077:
        assert done.returncode != 0
        assert "PermissionError" in done.stderr
        return
    assert done.stdout.startswith(expected), done.stdout + done.stderr
    if expected.startswith("Blocked"):
        cure = "chmod" if group else "chgrp -R nogroup and chmod"
        assert f"let root (uid 0) run {cure} -R g+rwX on it" in done.stdout
        assert drop.exists()


def test_a_photo_that_cannot_be_read_is_named(shared, fill, as_nobody):
    drop = fill(shared / "shoot", "a.png")
    os.chown(drop, 65534, 65534)
    (drop / "a.png").chmod(0o600)
    done = as_nobody(CLAIM.format(root=str(shared)))
    assert "a.png: belongs to root (uid 0)" in done.stdout
    assert "may not read it; let root (uid 0) run chmod -R g+rX on it" in done.stdout
