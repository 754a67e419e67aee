import subprocess
import sys

import pytest

from seedream_daemon.errors import ConfigError
from seedream_daemon.inbox.place import MARKER, NotThere, lock_inbox, make_inbox, open_inbox


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_first_start_makes_the_inbox(tmp_path):
    place = open_inbox(tmp_path / "deep" / "inbox", state_dir=tmp_path / "state")
    assert place.missing() is None
    assert names(place.root) == [MARKER, "_done", "_failed", "_photos", "_running"]
    assert not any(names(folder) for folder in (place.running, place.done, place.failed))


def test_a_known_inbox_without_its_marker_is_left_alone(tmp_path):
    root, state = tmp_path / "inbox", tmp_path / "state"
    place = open_inbox(root, state_dir=state)
    for folder in (place.running, place.done, place.failed, place.photos):
        folder.rmdir()
    (root / MARKER).unlink()
    assert "no .seedream-inbox; mount its disk" in place.missing().reason
    assert isinstance(open_inbox(root, state_dir=state), NotThere)
    assert names(root) == []
    root.rmdir()
    assert place.missing().reason.startswith("inbox not there: ")
    assert isinstance(open_inbox(root, state_dir=state), NotThere)
    assert not root.exists()
    make_inbox(root)
    assert open_inbox(root, state_dir=state).missing() is None


def test_making_an_inbox_again_overwrites_nothing(tmp_path):
    make_inbox(tmp_path)
    (tmp_path / MARKER).write_text("mine", encoding="utf-8")
    make_inbox(tmp_path)
    assert (tmp_path / MARKER).read_text(encoding="utf-8") == "mine"


def test_a_broken_memory_of_inboxes_is_no_obstacle(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "inboxes.json").write_text("{", encoding="utf-8")
    assert not isinstance(open_inbox(tmp_path / "inbox", state_dir=tmp_path / "state"), NotThere)


def test_a_file_in_the_way_is_a_mistake_in_the_settings(tmp_path):
    (tmp_path / "inbox").touch()
    with pytest.raises(ConfigError, match="INBOX_DIR"):
        open_inbox(tmp_path / "inbox", state_dir=tmp_path / "state")


HOLDER = """
import sys
from pathlib import Path
from seedream_daemon.inbox.place import lock_inbox, open_inbox
place = open_inbox(Path(sys.argv[1]), state_dir=Path(sys.argv[2]))
with lock_inbox(place):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_daemon_is_told_who_serves_the_inbox(place, tmp_path):
    words = [sys.executable, "-c", HOLDER, str(place.root), str(tmp_path / "state")]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=f"process {holder.pid} on "):
            lock_inbox(place)
        holder.kill()
        holder.wait()
        with lock_inbox(place):
            pass


def test_folders_on_another_file_system_are_refused(tmp_path, unshared):
    unshared(
        f"mkdir -p {tmp_path}/inbox/_done && mount -t tmpfs none {tmp_path}/inbox/_done",
        f"""
from seedream_daemon.errors import ConfigError
from seedream_daemon.inbox.place import open_inbox
try:
    open_inbox(Path({str(tmp_path / "inbox")!r}), state_dir=Path({str(tmp_path / "state")!r}))
except ConfigError as error:
    assert "_done lies on another file system" in str(error), error
else:
    raise AssertionError("it was accepted")
""",
    )


def test_an_unmounted_inbox_is_gone_and_comes_back(tmp_path, unshared):
    unshared(
        f"mkdir {tmp_path}/inbox && mount -t tmpfs none {tmp_path}/inbox",
        f"""
import subprocess
from seedream_daemon.inbox.place import NotThere, open_inbox
root, state = Path({str(tmp_path / "inbox")!r}), Path({str(tmp_path / "state")!r})
place = open_inbox(root, state_dir=state)
subprocess.run(["mount", "--move", str(root), "/media"], check=True)
assert isinstance(place.missing(), NotThere), place.missing()
assert isinstance(open_inbox(root, state_dir=state), NotThere)
assert not list(root.iterdir())
subprocess.run(["mount", "--move", "/media", str(root)], check=True)
assert place.missing() is None
""",
    )


REMOUNT = """
import shutil, subprocess, sys
from seedream_daemon.durable import lock_file
from seedream_daemon.errors import ConfigError
from seedream_daemon.inbox.place import NotThere, lock_inbox, make_inbox, open_inbox
root, state, other = Path({root!r}), Path({state!r}), Path({other!r})

def run(*words):
    subprocess.run(words, check=True)

def names(folder):
    return sorted(path.name for path in folder.iterdir())

def is_locked(path):
    try:
        lock_file(path).release()
    except BlockingIOError:
        return True
    return False

place = open_inbox(root, state_dir=state)
lock_inbox(place)
device = place.hold.device
run("mount", "--move", root, "/media")
run("mount", "-t", "tmpfs", "none", other)
assert other.stat().st_dev != device
"""


@pytest.fixture
def remounted(tmp_path, unshared):
    """Run Python where a locked inbox was moved to /media, and `other` is an empty disk."""
    folders = {name: str(tmp_path / name) for name in ("root", "state", "other")}
    shell = f"mkdir {folders['root']} {folders['other']} && mount -t tmpfs none {folders['root']}"
    return lambda code: unshared(shell, REMOUNT.format(**folders) + code)


def test_an_inbox_comes_back_on_another_device(remounted):
    remounted("""
shutil.copytree("/media", other, dirs_exist_ok=True)
(other / "_done").rmdir()
run("mount", "--move", other, root)
assert isinstance(place.missing(), NotThere)
assert place.come_back() is None
assert place.missing() is None
assert place.hold.device != device
assert names(root) == [".seedream-inbox", "_done", "_failed", "_photos", "_running"]
# Ours here, and no longer there.
assert is_locked(root / "_running" / ".lock")
lock_inbox(open_inbox(Path("/media"), state_dir=state))
""")


def test_a_drop_lacks_only_while_its_inbox_is_there(remounted):
    remounted("""
drop = root / "_running" / "shoot"
assert not place.lacks(drop)
run("mount", "--move", "/media", root)
assert place.lacks(drop)
drop.mkdir()
assert not place.lacks(drop)
""")


def test_what_lies_below_a_disk_is_left_alone(remounted):
    remounted("""
assert "no .seedream-inbox" in place.come_back().reason
assert names(root) == []
root.rmdir()
assert "inbox not there" in place.come_back().reason
root.mkdir()
run("mount", "--move", other, root)
assert "no .seedream-inbox" in place.come_back().reason
assert names(root) == []
run("umount", root)
run("mount", "--move", "/media", root)
assert place.come_back() is None
assert place.hold.device == device
assert is_locked(root / "_running" / ".lock")
""")


def test_another_inbox_in_its_place_is_not_taken(remounted):
    remounted("""
make_inbox(root)
(root / "_done").rmdir()
assert "another inbox lies there" in place.come_back().reason
assert "_done" not in names(root)
assert place.missing() is not None
""")


def test_an_inbox_that_another_daemon_took_meanwhile_is_left_to_it(remounted):
    remounted("""
shutil.copytree("/media", other, dirs_exist_ok=True)
theirs = lock_inbox(open_inbox(other, state_dir=state))
run("mount", "--move", other, root)
assert "already served by" in place.come_back().reason
assert is_locked(Path("/media/_running/.lock"))
with theirs:
    pass
assert place.come_back() is None
""")


def test_an_inbox_that_comes_back_in_pieces_is_not_taken(remounted):
    remounted("""
shutil.copytree("/media", other, dirs_exist_ok=True)
run("mount", "--move", other, root)
run("mount", "-t", "tmpfs", "none", root / "_failed")
assert "_failed lies on another file system" in place.come_back().reason
assert not is_locked(root / "_running" / ".lock")
assert not list(root.rglob(".seedream-probe-*"))
run("umount", root / "_failed")
assert place.come_back() is None
""")


def test_a_drop_that_is_a_mount_is_not_taken(place, tmp_path, unshared):
    drop = place.root / "disk"
    unshared(
        f"mkdir {drop} && mount -t tmpfs none {drop} && touch {drop}/job.toml",
        f"""
from seedream_daemon.inbox import sight
from seedream_daemon.inbox.claim import Blocked, claim
from seedream_daemon.inbox.place import open_inbox
place = open_inbox(Path({str(place.root)!r}), state_dir=Path({str(tmp_path / "state")!r}))
taken = claim(place, "disk", sight.look(place.root / "disk"))
assert isinstance(taken, Blocked) and "another file system" in taken.reason, taken
""",
    )
