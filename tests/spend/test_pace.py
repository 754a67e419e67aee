from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.spend.pace import Window


def test_what_fits_starts_at_once_and_what_does_not_waits_for_the_oldest():
    window = Window(10)
    window.start("a", 0.0, 6)
    window.start("b", 20.0, 4)
    assert window.wait_s(30.0, 1) == 30.0
    assert window.wait_s(30.0, 7) == 50.0
    assert window.wait_s(60.0, 6) == 0.0


def test_a_rate_of_zero_never_waits():
    window = Window(0)
    for number in range(1000):
        assert window.wait_s(0.0, 15) == 0.0
        window.start(str(number), 0.0, 15)


def test_what_was_not_made_is_given_back():
    window = Window(15)
    window.start("set", 0.0, 15)
    assert window.wait_s(5.0, 12) == 55.0
    window.give_back("set", 3)
    assert window.wait_s(5.0, 12) == 0.0
    assert window.used(5.0) == 3


def test_giving_back_late_or_twice_or_too_much_changes_nothing():
    window = Window(10)
    window.start("a", 0.0, 4)
    window.give_back("a", 4)
    window.give_back("a", 9)
    assert window.used(1.0) == 4
    assert window.used(61.0) == 0
    window.give_back("a", 0)
    window.give_back("unknown", 0)
    assert window.used(61.0) == 0


def test_a_weight_above_the_limit_waits_for_an_empty_window():
    window = Window(5)
    assert window.wait_s(0.0, 9) == 0.0
    window.start("small", 0.0, 1)
    assert window.wait_s(10.0, 9) == 50.0
    window.start("big", 60.0, 9)
    assert window.wait_s(61.0, 1) == 59.0


def test_a_restart_of_the_machine_counts_from_its_own_start():
    window = Window(5)
    window.start("before", 86_400.0, 5)
    window.rebase()
    assert window.wait_s(12.0, 1) == 48.0
    assert window.wait_s(60.0, 5) == 0.0


def test_a_restart_that_nobody_tells_of_shows_by_the_clock():
    window = Window(5)
    window.start("before", 86_400.0, 5)
    assert window.wait_s(12.0, 1) == 48.0
    assert window.used(60.0) == 0


def test_the_window_can_be_written_down_and_taken_up():
    window = Window(5)
    window.start("a", 1.0, 2)
    window.start("b", 2.0, 3)
    other = Window(5)
    for start in window.started():
        other.start(start.request_id, start.at_s, start.images)
    other.give_back("b", 1)
    assert other.used(3.0) == 3


@given(
    per_minute=st.integers(1, 40),
    steps=st.lists(
        st.tuples(
            st.integers(0, 40),  # seconds until the next one wants to start
            st.integers(1, 15),  # the most it can make
            st.integers(0, 15),  # what it made
            st.integers(0, 90),  # seconds until that is known
        ),
        max_size=60,
    ),
)
def test_no_window_of_a_minute_holds_starts_that_could_bill_more(per_minute, steps):
    window = Window(per_minute)
    now = 0
    begun: list[tuple[int, int, int, int]] = []
    due: list[tuple[float, str, int]] = []
    for number, (gap, most, made, known_after) in enumerate(steps):
        now += gap
        while True:
            for at, name, billed in [one for one in due if one[0] <= now]:
                window.give_back(name, billed)
                due.remove((at, name, billed))
            wait = window.wait_s(now, most)
            if not wait:
                break
            now += int(wait)
        window.start(str(number), now, most)
        due.append((now + known_after, str(number), min(made, most)))
        begun.append((now, most, min(made, most), now + known_after))
        # What could be billed by the starts of the last minute, with what is known by now.
        could = [m if known > now else b for at, m, b, known in begun if now - at < 60.0]
        assert sum(could) <= per_minute or sum(could[:-1]) == 0
