import os
import subprocess
import sys

import pytest

from seedream_daemon.durable import LockOwner, is_locked, lock_file, lock_owner, write_atomically


def test_a_file_is_replaced_whole_with_the_mode_asked_for(tmp_path):
    path = tmp_path / ("n" * 255)
    path.write_bytes(b"old")
    before = os.umask(0o022)
    try:
        write_atomically(path, b"new", mode=0o600)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_replaced_stays_and_no_draft_is_left(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "folder", b"x")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "gone" / "a", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_lock_file_names_host_and_pid_only_while_it_is_held(tmp_path):
    path = tmp_path / "l"
    with lock_file(path) as lock:
        assert lock_owner(path) == LockOwner(host=os.uname().nodename, pid=os.getpid())
        assert is_locked(path)
        with pytest.raises(BlockingIOError):
            lock_file(path)
    lock.release()
    assert lock_owner(path) is None
    assert not is_locked(path)


@pytest.mark.parametrize("content", [b"", b"host", b"host x", b"\xff\xfe", b"a b c"])
def test_an_owner_that_cannot_be_read_is_nobody(tmp_path, content):
    (tmp_path / "l").write_bytes(content)
    assert lock_owner(tmp_path / "l") is None
    assert not is_locked(tmp_path / "l")
    assert not is_locked(tmp_path / "none")


def test_a_lock_ends_with_its_process_and_is_not_followed_through_a_link(tmp_path):
    path = tmp_path / "l"
    code = f"""
import sys; from pathlib import Path; from seedream_daemon.durable import lock_file
lock = lock_file(Path({str(path)!r})); print("held", flush=True); sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            lock_file(path)
        assert lock_owner(path).pid == child.pid
        child.kill()
    assert not is_locked(path)
    lock_file(path).release()
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic link"):
        lock_file(tmp_path / "link")
