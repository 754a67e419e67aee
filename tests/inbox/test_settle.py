import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.inbox.settle import Check, Claim, Settling, Sight, Wait, Wholeness

WHOLE = Wholeness(ok=True)


def sight(*, photos=1, size=10, ready=False, job=True, identity=(1, 1), age_s=None, **files):
    tree = {f"{number}.jpg": (size, 1) for number in range(photos)}
    tree |= {name.replace("_", "."): (bytes_, 1) for name, bytes_ in files.items()}
    if job:
        tree["job.toml"] = (50, 1)
    return Sight(tree=tree, identity=identity, photos=photos, has_job=job, ready=ready, age_s=age_s)


def test_a_drop_is_checked_only_when_it_has_stood_still_and_claimed_when_it_is_whole():
    drop = Settling(settle_s=10.0)
    assert isinstance(drop.look(sight(), 0.0), Wait)
    assert isinstance(drop.look(sight(), 9.9), Wait)
    assert drop.look(sight(), 10.0) == Check()
    drop.checked(WHOLE)
    assert drop.look(sight(), 10.0) == Claim()


def test_a_change_starts_the_wait_again_and_forgets_the_check():
    drop = Settling(settle_s=10.0)
    drop.look(sight(), 0.0)
    drop.look(sight(), 10.0)
    drop.checked(WHOLE)
    wait = drop.look(sight(size=11), 10.5)
    assert wait.reason == "0.jpg is still growing, 1 photo so far"
    assert isinstance(drop.look(sight(size=11), 20.4), Wait)
    assert drop.look(sight(size=11), 20.5) == Check()


@pytest.mark.parametrize(
    "other",
    [sight(size=9), sight(photos=2), sight(photos=0), sight(identity=(1, 2)), sight(b_part=1)],
    ids=["size", "one more", "one less", "another folder", "a file on its way"],
)
def test_names_sizes_and_the_folder_itself_count_as_changes(other):
    drop = Settling(settle_s=10.0)
    drop.look(sight(), 0.0)
    drop.look(other, 9.0)
    assert isinstance(drop.look(other, 18.0), Wait)
    assert drop.look(other, 19.0) == Check()


def test_ready_ends_the_wait_for_quiet_and_not_the_check():
    drop = Settling(settle_s=10.0)
    assert drop.look(sight(ready=True), 0.0) == Check()
    drop.checked(Wholeness(ok=False, reason="b.jpg is named in job.toml and not there"))
    assert drop.look(sight(ready=True), 0.1).reason == "b.jpg is named in job.toml and not there"


def test_ready_without_a_job_waits_for_the_job():
    drop = Settling(settle_s=10.0)
    assert isinstance(drop.look(sight(ready=True, job=False), 0.0), Wait)
    assert drop.look(sight(ready=True), 1.0) == Check()


def test_a_drop_renamed_in_is_checked_at_once():
    drop = Settling(settle_s=10.0)
    drop.moved_in()
    assert drop.look(sight(), 0.0) == Check()


def test_a_hint_that_comes_after_the_first_look_still_counts():
    drop = Settling(settle_s=10.0)
    drop.look(sight(), 0.0)
    drop.moved_in()
    assert drop.look(sight(), 0.1) == Check()


def test_a_drop_that_changes_after_it_was_renamed_in_has_to_stand_still():
    drop = Settling(settle_s=10.0)
    drop.moved_in()
    drop.look(sight(), 0.0)
    assert isinstance(drop.look(sight(size=11), 0.1), Wait)
    drop.moved_in()
    assert isinstance(drop.look(sight(size=11), 0.2), Wait)


def test_a_rename_within_the_inbox_starts_the_wait_again():
    drop = Settling(settle_s=10.0)
    drop.moved_in()
    drop.look(sight(), 0.0)
    drop.restart()
    assert isinstance(drop.look(sight(), 9.0), Wait)
    assert isinstance(drop.look(sight(), 18.9), Wait)
    assert drop.look(sight(), 19.0) == Check()


def test_a_file_cut_short_is_waited_for_ten_times_as_long():
    drop = Settling(settle_s=10.0)
    drop.look(sight(), 0.0)
    drop.look(sight(), 10.0)
    drop.checked(Wholeness(ok=False, cut_short=("0.jpg",)))
    wait = drop.look(sight(), 10.0)
    assert wait.reason == "0.jpg is cut short, perhaps still arriving"
    assert wait.ends
    assert isinstance(drop.look(sight(), 99.9), Wait)
    assert drop.look(sight(), 100.0) == Claim(cut_short=("0.jpg",))


def test_what_is_missing_is_waited_for_without_end():
    drop = Settling(settle_s=1.0)
    drop.look(sight(), 0.0)
    drop.look(sight(), 1.0)
    drop.checked(Wholeness(ok=False, reason="20 of 24 photos so far", cut_short=("0.jpg",)))
    wait = drop.look(sight(), 1e6)
    assert (wait.reason, wait.ends) == ("20 of 24 photos so far", False)


def test_a_folder_without_a_job_is_pointed_out_after_five_minutes():
    drop = Settling(settle_s=10.0)
    assert drop.look(sight(job=False, photos=3), 0.0).reason == "no job.toml yet, 3 photos so far"
    assert not drop.look(sight(job=False), 299.0).overdue
    wait = drop.look(sight(job=False, photos=0), 300.0)
    assert wait.overdue
    assert wait.reason.startswith("no job.toml after 5 minutes, 0 photos so far; put a job.toml")


def test_the_rest_of_a_started_drop_is_named_and_never_checked():
    drop = Settling(settle_s=1.0)
    drop.moved_in()
    wait = drop.look(sight(job=False, ready=True), 0.0, rest_of="shoot")
    assert wait.reason.startswith("looks like the rest of shoot, which has already started")
    assert (wait.overdue, wait.ends) == (True, False)
    # A job.toml makes it a drop of its own.
    assert drop.look(sight(), 5.0) != Claim()


def test_many_growing_files_are_counted_not_listed():
    drop = Settling(settle_s=10.0)
    drop.look(sight(photos=5), 0.0)
    wait = drop.look(sight(photos=5, size=11), 1.0)
    assert wait.reason == "0.jpg, 1.jpg, 2.jpg and 2 more are still growing, 5 photos so far"


def test_the_calendar_places_a_change_between_two_looks():
    drop = Settling(settle_s=10.0, absent_s=0.0)
    drop.look(sight(age_s=0.4), 0.5)
    assert drop.look(sight(age_s=10.0), 10.1) == Check()


@pytest.mark.parametrize(("age_s", "whole_at"), [(3600.0, 15.0), (-3600.0, 20.0), (None, 20.0)])
def test_a_calendar_that_was_set_takes_at_most_half_of_the_wait(age_s, whole_at):
    drop = Settling(settle_s=10.0, absent_s=0.0)
    drop.look(sight(age_s=age_s), 10.0)
    assert isinstance(drop.look(sight(age_s=age_s), whole_at - 0.1), Wait)
    assert drop.look(sight(age_s=age_s), whole_at) == Check()


def test_at_the_start_of_the_daemon_an_old_drop_has_to_stand_still_before_our_eyes():
    drop = Settling(settle_s=10.0)
    drop.look(sight(age_s=86_400.0), 0.0)
    assert isinstance(drop.look(sight(age_s=86_400.0), 9.9), Wait)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 6.0), st.booleans(), st.floats(-100, 100)),
        min_size=1,
        max_size=60,
    )
)
def test_settled_exactly_when_quiet_for_long_enough(steps):
    drop = Settling(settle_s=5.0)
    now, size, changed_at, seen_at = 0.0, 1, 0.0, 0.0
    drop.look(sight(size=size), now)
    for gap, changes, age_s in steps:
        now += gap
        if changes:
            size += 1
            changed_at = (seen_at, now)
        decision = drop.look(sight(size=size, age_s=age_s), now)
        since = changed_at if isinstance(changed_at, tuple) else (changed_at, changed_at)
        if now - since[0] < 5.0 - 1e-9:
            assert isinstance(decision, Wait)  # not even the earliest possible change is old enough
        if now - since[1] >= 5.0:
            assert decision == Check()
        if isinstance(decision, Wait):
            assert 0 < decision.again_s <= 5.0
        seen_at = now
