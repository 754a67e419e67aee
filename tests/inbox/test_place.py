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
