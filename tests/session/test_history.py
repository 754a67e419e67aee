from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.job.plan import plan_to_json
from seedream_daemon.session.history import History
from seedream_daemon.session.journal import Entry
from seedream_daemon.session.shot_facts import ShotState


def entries(*told: tuple[str, dict]) -> list[Entry]:
    return [
        Entry(seq=seq, at=f"2025-09-12T14:30:{seq % 60:02d}+09:00", event=event, fields=fields)
        for seq, (event, fields) in enumerate(told, start=1)
    ]


def fold(*told: tuple[str, dict]) -> History:
    history = History()
    for entry in entries(*told):
        history.apply(entry)
    return history


def sending(shot="1", request_id="q1", count=1, price=30_000):
    fields = {"attempt": 1, "fingerprint": "f", "count": count, "price_micro_usd": price}
    return "sending", {"shot": shot, "request_id": request_id, **fields}


def answer(*numbers: int, shot="1", done=True, images=None, error=None):
    pictures = [{"number": n, "index": n, "url": f"u{n}", "size": None} for n in numbers]
    fields = {"request_id": "q1", "pictures": pictures, "failed": [], "done": done}
    return "answer", {"shot": shot, "images": images, "error": error, **fields}


def picture(number=1, shot="1"):
    return "picture", {
        "shot": shot,
        "number": number,
        "file": f"{number}.jpg",
        "bytes": 1,
        "sha256": "d",
    }


def lost(number=1, shot="1"):
    return "lost", {"shot": shot, "number": number, "code": "gone", "message": "404"}


FAILED = (
    "failed",
    {"shot": "1", "code": "x", "message": "m", "retryable": False, "request_id": "q1"},
)
DOUBT = ("in_doubt", {"shot": "1", "request_id": "q1", "why": "cut"})
SAVED = ("saved", {"shot": "1", "files": ["1.jpg"]})
ADOPTED = (
    "adopted",
    {
        "shot": "1",
        "number": 1,
        "file": "1.jpg",
        "from_session": "s",
        "sha256": "d",
        "fingerprint": "f",
    },
)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([sending()], "planned"),
        ([sending(), answer(1)], "answered"),
        ([sending(), answer(1), picture()], "saved"),
        ([sending(), answer(1, done=False), picture()], "planned"),
        ([sending(), answer(1, done=False), picture(), answer()], "saved"),
        ([sending(), answer(1, 2), picture(1)], "answered"),
        ([sending(), answer(1, 2), picture(1), lost(2)], "saved"),
        ([sending(), answer(1, 2), lost(2), picture(1)], "saved"),
        ([sending(), answer(1), lost()], "lost"),
        ([sending(), answer(1, 2), lost(1)], "answered"),
        ([sending(), answer(1, 2), lost(1), lost(2)], "lost"),
        ([sending(), answer(error={"code": "x"}, images=0)], "planned"),
        ([sending(), answer(error={"code": "x"}, images=0), FAILED], "failed"),
        ([sending(), DOUBT], "in_doubt"),
        ([sending(), DOUBT, sending()], "planned"),
        ([sending(), DOUBT, sending(), answer(1), picture()], "saved"),
        ([sending(), answer(1), lost(), sending()], "planned"),
        ([sending(), answer(1), lost(), sending(), FAILED], "failed"),
        ([sending(), FAILED, sending(), DOUBT], "in_doubt"),
        ([sending(), answer(1, done=False), picture(), DOUBT], "saved"),
        ([ADOPTED], "saved"),
        ([SAVED, sending(), FAILED], "saved"),
    ],
)
def test_a_shots_state_follows_from_its_entries(told, state):
    history = fold(*told)
    assert history.shots["1"].state.value == state
    assert not history.problems


def test_answered_pictures_are_to_be_fetched_until_they_are_kept_or_lost():
    history = fold(sending(), answer(1, 2, 3), picture(2), lost(3))
    assert [(p.number, p.url, p.answered_at) for p in history.to_fetch()] == [
        (1, "u1", "2025-09-12T14:30:02+09:00")
    ]
    kept = history.shots["1"].kept
    assert [(k.number, k.url, k.file) for k in kept] == [(2, "u2", "2.jpg")]
    assert history.shots["1"].free_number() == 3


def test_requests_without_an_end_dangle():
    assert [
        s.request_id for s in fold(sending(), sending("2", "q2"), answer(1, done=False)).dangling()
    ] == ["q1", "q2"]
    for end in (answer(), FAILED, DOUBT, SAVED):
        assert not fold(sending(), end).dangling()


def test_doubts_and_attempts_count_over_the_whole_life():
    shot = fold(sending(), DOUBT, sending(), DOUBT, sending()).shots["1"]
    assert (shot.attempts, shot.doubts) == (3, 2)


@pytest.mark.parametrize(
    ("told", "billed", "cost"),
    [
        ([sending(count=4, price=120_000), answer(1, 2, 3, images=3)], 3, 90_000),
        (
            [sending(count=4, price=120_000), answer(1, done=False), answer(2, done=False)],
            2,
            60_000,
        ),
        ([sending(count=4, price=120_000), answer(1, done=False), answer(images=1)], 1, 30_000),
        (
            [sending(), answer(images=0, error={"code": "x"}), sending(), answer(1, images=1)],
            1,
            30_000,
        ),
        ([sending(), answer(1), lost(), sending(), answer(1)], 2, 60_000),
        ([sending(), DOUBT], 0, 0),
        ([sending(count=3, price=100), answer(1)], 1, 34),
    ],
)
def test_what_was_billed_adds_up(told, billed, cost):
    counts = fold(*told).counts()
    assert (counts.images_billed, counts.cost_micro_usd) == (billed, cost)


def test_the_plan_tells_every_shot_in_order(bulk_plan):
    plan = bulk_plan(3)
    history = fold(("job", {"job_id": "j1"}), ("plan", {"plan": plan_to_json(plan)}))
    assert history.plan == plan
    assert list(history.shots) == ["IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg"]
    assert (history.counts().shots, history.counts().planned) == (3, 3)


def test_the_state_of_the_job_is_that_of_its_last_entry():
    told = [
        ("job", {}),
        sending(),
        ("paused", {"reason": "disk"}),
        sending("2"),
        ("end", {"state": "done", "reason": None}),
    ]
    assert [fold(*told[:n]).state for n in range(6)] == [
        "waiting",
        "running",
        "running",
        "paused",
        "running",
        "done",
    ]


def test_only_what_was_being_prepared_at_a_death_is_suspected():
    begin = ("prepare_begin", {"shot": "1", "photo": "a.jpg"})
    end = ("prepare_end", {"shot": "1", "photo": "a.jpg", "sha256": "d", "crop": "face"})
    history = fold(begin)
    history.process_ended()
    history.process_ended()
    assert history.deaths == {"a.jpg": 1}
    for told in ((begin, end), (begin, ("end", {"state": "paused", "reason": None}))):
        clean = fold(*told)
        clean.process_ended()
        assert not clean.deaths
    assert fold(begin, end).digests == {"a.jpg": "d"}


SHOTS = st.sampled_from(["1", "2"])
NUMBERS = st.integers(1, 3)
EVENTS = st.one_of(
    st.builds(sending, SHOTS, count=st.integers(1, 4)),
    st.builds(
        lambda ns, s, d: answer(*ns, shot=s, done=d),
        st.lists(NUMBERS, max_size=3, unique=True),
        SHOTS,
        st.booleans(),
    ),
    st.builds(picture, NUMBERS, SHOTS),
    st.builds(lost, NUMBERS, SHOTS),
    st.sampled_from(
        [FAILED, DOUBT, SAVED, ADOPTED, ("paused", {"reason": "x"}), ("end", {"state": "done"})]
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
NAMES = st.sampled_from(
    [
        "shot",
        "number",
        "pictures",
        "done",
        "photo",
        "sha256",
        "plan",
        "state",
        "file",
        "attempt",
        "request_id",
        "images",
        "count",
    ]
)
KINDS = st.sampled_from(
    [
        "job",
        "plan",
        "photo",
        "prepare_begin",
        "prepare_end",
        "sending",
        "answer",
        "picture",
        "saved",
        "failed",
        "in_doubt",
        "lost",
        "adopted",
        "paused",
        "end",
        "new",
    ]
)


@given(st.lists(EVENTS, max_size=25))
def test_saved_never_goes_back_and_counts_always_add_up(told):
    history, saved, kept = History(), set(), 0
    for entry in entries(*told):
        history.apply(entry)
        now = {shot.id for shot in history.shots.values() if shot.state is ShotState.SAVED}
        assert saved <= now
        counts = history.counts()
        assert counts.pictures >= kept
        saved, kept = now, counts.pictures
        by_state = (
            counts.planned,
            counts.answered,
            counts.saved,
            counts.failed,
            counts.in_doubt,
            counts.lost,
        )
        assert sum(by_state) == counts.shots == len(history.shots)
        assert counts.answered <= len(history.to_fetch())
        assert counts.pictures == sum(len(shot.kept) for shot in history.shots.values())
    assert not history.problems


@given(st.lists(st.tuples(KINDS, st.dictionaries(NAMES, JSON, max_size=5)), max_size=10))
def test_no_entry_makes_the_fold_raise(told: Sequence[tuple[str, dict]]):
    fold(*told).counts()
