import json

from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.spend.book import Book, Caps, Open, Reservation, usd

DAY = "2026-11-22"


def wish(**changes):
    fields = {
        "request_id": "r",
        "job_id": "j1",
        "shot": "1",
        "model": "m",
        "images": 1,
        "micro_usd": 30_000,
    }
    return Reservation(**{**fields, **changes})


def entry(request_id, **changes):
    fields = {
        "job_id": "j1",
        "model": "m",
        "origin": "folder",
        "day": DAY,
        "images": 1,
        "micro_usd": 30_000,
        "boot": "b",
        "writer": "1.1",
    }
    return Open(request_id=request_id, **{**fields, **changes})


def test_a_shot_that_lands_exactly_on_the_cap_may_start():
    book = Book()
    book.reserve(entry("a"))
    caps = Caps(day=60_000)
    assert book.may_reserve(wish(), day=DAY, caps=caps) is None
    assert book.may_reserve(wish(micro_usd=30_001), day=DAY, caps=caps).which == "day"


def test_another_day_begins_with_nothing_spent():
    book = Book()
    book.reserve(entry("a"))
    assert book.may_reserve(wish(), day=DAY, caps=Caps(day=30_000)).tomorrow_helps
    assert book.may_reserve(wish(), day="2026-11-23", caps=Caps(day=30_000)) is None


def test_a_shot_dearer_than_a_whole_day_is_not_told_to_wait():
    reached = Book().may_reserve(wish(), day=DAY, caps=Caps(day=29_999))
    assert not reached.tomorrow_helps
    assert reached.message == (
        "The next shot can cost $0.03, and $0.00 of the $0.029999 a day that DAILY_BUDGET_USD allows are spent. "
        "Raise DAILY_BUDGET_USD."
    )


def test_the_cap_of_a_job_holds_over_days_and_only_for_that_job():
    book = Book()
    book.reserve(entry("a", day="2026-11-21"))
    book.settle("a", images=1, micro_usd=30_000)
    reached = book.may_reserve(wish(), day=DAY, caps=Caps(job=50_000))
    assert (reached.which, reached.limit_micro_usd, reached.spent_micro_usd) == (
        "job",
        50_000,
        30_000,
    )
    assert "JOB_BUDGET_USD" in reached.message
    assert book.may_reserve(wish(job_id="j2"), day=DAY, caps=Caps(job=50_000)) is None


def test_the_lower_of_two_job_caps_binds_and_is_named():
    own = wish(job_cap_micro_usd=20_000)
    assert "max_cost_usd" in Book().may_reserve(own, day=DAY, caps=Caps(job=25_000)).message
    assert "JOB_BUDGET_USD" in Book().may_reserve(own, day=DAY, caps=Caps(job=15_000)).message
    named = wish(job_cap_micro_usd=20_000, job_cap_name="MCP_MAX_JOB_USD")
    assert "MCP_MAX_JOB_USD" in Book().may_reserve(named, day=DAY, caps=Caps()).message


def test_what_tools_spend_has_a_cap_of_its_own():
    book = Book()
    book.reserve(entry("a"))
    book.reserve(entry("b", origin="tool"))
    caps = Caps(tools=50_000)
    assert book.may_reserve(wish(origin="tool"), day=DAY, caps=caps).which == "tools"
    assert book.may_reserve(wish(), day=DAY, caps=caps) is None
    assert book.spent_by_tools(DAY) == 30_000


def test_the_answer_gives_back_what_was_not_made():
    book = Book()
    book.reserve(entry("set", images=5, micro_usd=150_000))
    book.settle("set", images=2, micro_usd=60_000)
    assert (book.spent_on(DAY), book.images_on(DAY), book.is_open("set")) == (60_000, 2, False)
    book.settle("set", images=0, micro_usd=0)
    assert book.spent_on(DAY) == 60_000


def test_doubt_keeps_counting_until_it_is_settled():
    book = Book()
    book.reserve(entry("a"))
    book.doubt("a")
    assert book.spent_on(DAY) == 30_000
    assert [one.request_id for one in book.in_doubt(lambda _: True)] == ["a"]
    book.settle("a", images=0, micro_usd=0)
    assert book.spent_on(DAY) == 0
    assert book.in_doubt(lambda _: True) == ()


def test_a_request_left_by_a_dead_process_is_in_doubt():
    book = Book()
    book.reserve(entry("a", writer="1.1"))
    book.reserve(entry("b", writer="2.2"))
    assert [one.request_id for one in book.in_doubt(lambda e: e.writer == "2.2")] == ["a"]


def test_an_unknown_price_counts_images_only():
    book = Book()
    book.reserve(entry("a", micro_usd=None, images=3))
    assert (book.spent_on(DAY), book.images_on(DAY)) == (0, 3)
    book.settle("a", images=2, micro_usd=None)
    assert (book.spent_on(DAY), book.images_on(DAY)) == (0, 2)


def test_the_report_adds_up_by_day_job_and_model():
    book = Book()
    book.reserve(entry("a", day="2026-11-20"))
    book.reserve(entry("b", job_id="j2", model="pro", images=2, micro_usd=90_000))
    book.settle("b", images=2, micro_usd=90_000)
    book.reserve(entry("c"))
    book.doubt("c")
    report = book.report([DAY, "2026-11-21"], lambda _: True)
    assert report == {
        "days": [{"date": DAY, "usd": 0.12, "images": 3, "in_doubt_usd": 0.03}],
        "jobs": [
            {"job_id": "j2", "usd": 0.09, "images": 2, "in_doubt_usd": 0.0},
            {"job_id": "j1", "usd": 0.03, "images": 1, "in_doubt_usd": 0.03},
        ],
        "models": [
            {"model": "pro", "usd": 0.09, "images": 2, "in_doubt_usd": 0.0},
            {"model": "m", "usd": 0.03, "images": 1, "in_doubt_usd": 0.03},
        ],
    }


def test_amounts_have_two_to_six_decimals():
    assert [usd(n) for n in (0, 30_000, 1_230_000, 1, 1_000_000_000)] == [
        "$0.00",
        "$0.03",
        "$1.23",
        "$0.000001",
        "$1000.00",
    ]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "release", "doubt"]),
        st.integers(0, 8),  # which request
        st.integers(0, 3),  # which job
        st.integers(1, 15),  # images
        st.integers(0, 2),  # which day
    ),
    max_size=80,
)


@given(STEPS, st.integers(10, 400), st.integers(10, 200))
def test_no_order_of_events_passes_a_cap(steps, day_cap, job_cap):
    book, caps, taken = Book(), Caps(day=day_cap * 1000, job=job_cap * 1000), set()
    for event, number, job, images, day in steps:
        name, at = f"r{number}-{len(taken)}", f"2026-11-2{day}"
        if event == "reserve":
            ask = wish(request_id=name, job_id=f"j{job}", images=images, micro_usd=images * 10_000)
            if book.may_reserve(ask, day=at, caps=caps) is None:
                taken.add(name)
                book.reserve(
                    entry(name, job_id=ask.job_id, day=at, images=images, micro_usd=ask.micro_usd)
                )
        else:
            for known in [one for one in taken if one.startswith(f"r{number}-")]:
                if event == "doubt":
                    book.doubt(known)
                else:
                    book.settle(known, images=0, micro_usd=0)
        assert all(book.spent_on(f"2026-11-2{d}") <= caps.day for d in range(3))
        assert all(book.spent_by_job(f"j{j}") <= caps.job for j in range(4))
    again = Book.from_json(json.loads(json.dumps(book.to_json())))
    assert again.to_json() == book.to_json()
    assert [again.spent_by_job(f"j{j}") for j in range(4)] == [
        book.spent_by_job(f"j{j}") for j in range(4)
    ]
