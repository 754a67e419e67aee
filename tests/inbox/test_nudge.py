import logging
import threading
import time

import pytest

from seedream_daemon.inbox.nudge import Hints, Nudges

LOST = "Inotify queue overflowed; filesystem events were lost"


class Listener:
    """Real events of a real folder."""

    def __init__(self, root):
        self.root = root
        self.woken = threading.Semaphore(0)
        self.nudges = Nudges(root, self.woken.release)

    def until(self, claim):
        deadline_s = time.monotonic() + 10
        while not claim():
            assert self.woken.acquire(timeout=max(0.0, deadline_s - time.monotonic()))

    def hints_of(self, name):
        """All hints up to the event of a folder that is made now."""
        moved_in, renamed = set(), set()
        mark = self.root.parent / f"mark {name}"
        mark.mkdir()
        mark.rename(self.root / mark.name)
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s:
            hints = self.nudges.take()
            moved_in |= hints.moved_in
            renamed |= hints.renamed
            if mark.name in moved_in:
                return Hints(moved_in=frozenset(moved_in - {mark.name}), renamed=frozenset(renamed))
            self.woken.acquire(timeout=1)
        raise AssertionError("no event came")


@pytest.fixture
def listener(tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/_running").mkdir()
    listener = Listener(tmp_path / "inbox")
    listener.nudges.start()
    yield listener
    listener.nudges.stop()


def test_a_rename_from_outside_and_one_within_are_told_apart(listener):
    (listener.root.parent / "outside").mkdir()
    (listener.root.parent / "outside").rename(listener.root / "came")
    (listener.root / "made").mkdir()
    (listener.root / "made").rename(listener.root / "renamed")
    hints = listener.hints_of("end")
    assert hints.moved_in == {"came"}
    assert hints.renamed == {"renamed"}


def test_what_came_from_outside_and_was_then_renamed_is_no_longer_believed(listener):
    (listener.root.parent / "outside").mkdir()
    (listener.root.parent / "outside").rename(listener.root / "came")
    (listener.root / "came").rename(listener.root / "renamed")
    hints = listener.hints_of("end")
    # "came" may have been told before it was renamed; nothing lies under that name any more.
    assert (hints.renamed, hints.moved_in - {"came"}) == ({"renamed"}, frozenset())


def test_a_departure_of_ours_breeds_no_distrust_and_another_does(listener):
    for name in ("ours", "theirs"):
        (listener.root / name).mkdir()
    listener.hints_of("before")
    listener.nudges.expect_leave("ours")
    # Put away long before anybody hears of it.
    (listener.root / "ours").rename(listener.root.parent / "done")
    (listener.root.parent / "next").mkdir()
    (listener.root.parent / "next").rename(listener.root / "next")
    assert listener.hints_of("trusted").moved_in == {"next"}

    (listener.root / "theirs").rename(listener.root.parent / "elsewhere")
    (listener.root.parent / "late").mkdir()
    (listener.root.parent / "late").rename(listener.root / "late")
    (listener.root / "end").mkdir()
    deadline_s = time.monotonic() + 0.5
    while time.monotonic() < deadline_s:
        listener.woken.acquire(timeout=0.1)
    assert listener.nudges.take().moved_in == frozenset()


def test_what_happens_inside_a_drop_is_not_told(listener):
    (listener.root / "made").mkdir()
    listener.until(lambda: True)
    (listener.root / "made/a.jpg").write_bytes(b"x")
    assert listener.hints_of("end") == Hints()


def test_lost_events_wake_and_are_followed_by_distrust(listener):
    listener.hints_of("begin")
    while listener.woken.acquire(blocking=False):
        pass
    logging.getLogger("watchdog.observers.inotify_c").warning(LOST)
    assert listener.woken.acquire(timeout=5)
    (listener.root.parent / "outside").mkdir()
    (listener.root.parent / "outside").rename(listener.root / "came")
    assert listener.woken.acquire(timeout=5)
    assert listener.nudges.take() == Hints()


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def test_its_own_log_reaches_nobody_and_is_given_back(listener):
    told = Records()
    logging.getLogger().addHandler(told)
    try:
        logging.getLogger("watchdog.observers.inotify").error("the thread is inactive")
        assert told.records == []
        listener.nudges.stop()
        logging.getLogger("watchdog.observers.inotify").error("of somebody else's observer")
        assert len(told.records) == 1
    finally:
        logging.getLogger().removeHandler(told)


def test_a_probe_comes_back_and_leaves_nothing(listener):
    assert listener.nudges.probe()
    assert [path.name for path in listener.root.iterdir()] == ["_running"]


def test_a_watch_whose_folder_is_gone_is_dead(listener):
    assert listener.nudges.is_alive()
    (listener.root / "_running").rmdir()
    listener.root.rmdir()
    deadline_s = time.monotonic() + 10
    while listener.nudges.is_alive():
        assert time.monotonic() < deadline_s
        listener.woken.acquire(timeout=0.05)
    assert not listener.nudges.probe()


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path):
    nudges = Nudges(tmp_path / "nothing", lambda: None)
    with pytest.raises(OSError, match="No such file"):
        nudges.start()
    assert not nudges.is_alive()
    assert logging.getLogger("watchdog").handlers == []
