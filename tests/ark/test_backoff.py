from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.ark.backoff import Throttle, parse_retry_after, wait_s

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def test_the_wait_doubles_up_to_a_minute():
    assert [wait_s(attempt, None, 1.0) for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_chance_takes_at_most_half_of_the_wait(attempt, chance):
    full_s = wait_s(attempt, None, 1.0)
    assert full_s / 2 <= wait_s(attempt, None, chance) <= full_s <= 60


@given(asked_s=st.floats(0, 3600), chance=st.floats(0, 1))
def test_a_wait_that_is_asked_for_is_never_cut(asked_s, chance):
    assert asked_s <= wait_s(3, asked_s, chance) <= asked_s + 5


def test_an_absurd_wait_is_cut_to_an_hour():
    assert wait_s(1, 1e12, 0.0) == 3600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 120 ", 120.0),
        ("0.5", 0.5),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 13:00:30 +0100", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        (".", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert parse_retry_after(value, NOW) == seconds


def test_refusals_of_one_round_trip_halve_once():
    throttle = Throttle(16)
    for _ in range(16):
        throttle.refuse(sent_at=0.0, now=1.0)
    assert throttle.allowed == 8
    throttle.refuse(sent_at=1.5, now=2.0)
    assert throttle.allowed == 4


def test_it_never_falls_below_one():
    throttle = Throttle(3)
    for now in range(1, 9):
        throttle.refuse(sent_at=now, now=now)
    assert throttle.allowed == 1


def test_as_many_successes_as_are_allowed_give_one_back():
    throttle = Throttle(8)
    throttle.refuse(sent_at=0.0, now=1.0)
    seen = []
    for _ in range(4 + 5 + 6 + 7 + 50):
        throttle.succeed()
        seen.append(throttle.allowed)
    assert seen[3] == 5
    assert seen[8] == 6
    assert seen[-1] == 8


def test_nothing_starts_before_the_time_that_was_asked_for():
    throttle = Throttle(4)
    throttle.refuse(sent_at=0.0, now=10.0, retry_after_s=30.0)
    throttle.refuse(sent_at=0.0, now=11.0, retry_after_s=1.0)
    assert throttle.hold_until == 40.0
    assert not throttle.may_start(in_flight=0, now=39.9)
    assert throttle.may_start(in_flight=1, now=40.0)
    assert not throttle.may_start(in_flight=2, now=40.0)


def test_a_limit_of_none_in_flight_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Throttle(0)
