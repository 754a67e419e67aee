from datetime import timedelta

from seedream_daemon.session.deleted import advice, deleted_pictures
from seedream_daemon.session.reload import load_session
from seedream_daemon.session.shot_facts import ShotState


async def _saved(begin, plan, picture, clock):
    session = await begin(plan)
    for number, shot in enumerate(plan.shots):
        await session.send(shot.id)
        await session.answer(shot.id)
        await session.receive(shot.id, picture(number))
    (session.writer.path / "IMG_1.jpg").unlink()
    return session


async def test_a_deleted_picture_is_told_with_what_brings_it_back(begin, bulk_plan, picture, clock):
    session = await _saved(begin, bulk_plan(2), picture, clock)
    name, look = session.writer.path.name, session.writer.history

    (young,) = deleted_pictures(session.writer.path, look, clock.now() + timedelta(hours=23))
    (old,) = deleted_pictures(session.writer.path, look, clock.now() + timedelta(hours=25))

    assert (young.shot, young.can_be_fetched, old.can_be_fetched) == ("IMG_1.jpg", True, False)
    (said,) = advice(name, (young,))
    assert said == (
        f"IMG_1.jpg: deleted, but the service still has what is paid for; seedream-daemon resume "
        f"'{name}' fetches it at no cost."
    )
    (said,) = load_session(session.writer.path)["missing_advice"]  # the clock is of years ago
    assert said == (
        f"IMG_1.jpg: deleted, and the service does not have it any more; seedream-daemon retry "
        f"'{name}' has it made anew, which costs money."
    )


async def test_a_deletion_that_is_journaled_opens_the_shot_for_fetching_and_never_for_paying(
    begin, reopen, bulk_plan, picture, clock
):
    session = await _saved(begin, bulk_plan(2), picture, clock)
    gone = {"shot": "IMG_1.jpg", "number": 1, "retryable": False, "message": "gone"}
    await session.writer.append("lost", code="deleted", **gone)
    await session.writer.close("paused")

    again = await reopen(session.writer.path)
    shot = again.writer.history.shots["IMG_1.jpg"]
    (answered,) = again.writer.history.to_fetch()
    assert (shot.state, answered.url) == (ShotState.ANSWERED, "https://ark.test/IMG_1.jpg/1")
    assert again.writer.history.counts().pictures == 1

    await again.writer.append("lost", code="lost", **gone)
    assert shot.state is ShotState.LOST
    assert not shot.may_be_asked_again

    await again.answer("IMG_1.jpg")
    await again.receive("IMG_1.jpg", picture(0))
    assert again.writer.history.counts().saved == 2
    assert (session.writer.path / "IMG_1.jpg").is_file()
