from seedream_daemon.events import (
    JobStarted,
    PictureSaved,
    ShotAnswered,
    ShotEnded,
    ShotRefused,
    ShotSending,
)
from seedream_daemon.run.tally import Tally


def started(shots: int, todo: int) -> JobStarted:
    return JobStarted(job_id="j", name="n", kind="bulk", session="s", shots=shots, todo=todo)


def sending(request_id: str) -> ShotSending:
    return ShotSending(
        job_id="j", shot="1", attempt=1, request_id=request_id, photos_inline=0, payload_bytes=0
    )


def answered(request_id: str) -> ShotAnswered:
    return ShotAnswered(
        job_id="j",
        shot="1",
        request_id=request_id,
        pictures=1,
        images_billed=1,
        cost_micro_usd=30_000,
        latency_s=1.0,
    )


def test_a_resumed_job_counts_what_was_saved_before() -> None:
    tally = Tally()
    tally.take(started(10, 4), 0.0)
    assert (tally.shots, tally.saved) == (10, 6)


def test_requests_are_in_flight_until_their_answer_or_refusal() -> None:
    tally = Tally()
    tally.take(sending("a"), 0.0)
    tally.take(sending("b"), 0.0)
    assert tally.in_flight == 2
    tally.take(answered("a"), 1.0)
    refused = ShotRefused(
        job_id="j",
        shot="1",
        request_id="a",
        attempt=1,
        code="x",
        status=None,
        message="",
        verdict="never",
        latency_s=0.5,
        wait_s=None,
    )
    tally.take(refused, 1.0)
    assert tally.in_flight == 1
    assert tally.cost_micro_usd == 30_000


def test_the_time_left_is_told_by_the_pace_so_far() -> None:
    tally = Tally()
    tally.take(started(10, 10), 100.0)
    assert tally.eta_s(110.0) is None
    for _ in range(5):
        tally.take(ShotEnded(job_id="j", shot="1", state="saved"), 110.0)
    assert tally.eta_s(120.0) == 20.0


def test_pictures_per_minute_forget_what_is_older_than_a_minute() -> None:
    tally = Tally()
    tally.take(started(10, 10), 0.0)
    saved = PictureSaved(job_id="j", shot="1", path="p", bytes=1, seconds=0.1)
    tally.take(saved, 1.0)
    tally.take(saved, 30.0)
    assert tally.per_minute(30.0) == 4.0
    assert tally.per_minute(75.0) == 1.0
