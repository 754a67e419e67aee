from dataclasses import replace
from pathlib import Path

from seedream_daemon.job.fingerprint import fingerprint
from seedream_daemon.job.plan import Asked, Photo, Plan, Shot

PHOTO = Photo(name="a.jpg", path=Path("/in/drop/a.jpg"))
SHOT = Shot(id="1", name="01", stem="01", template="{x}", prompt="a fox", photos=(PHOTO,))
PLAN = Plan(
    kind="i2i",
    name="n",
    model="m",
    family="4.0",
    size="2K",
    asked=Asked(),
    shots=(SHOT,),
    prompts=("{x}",),
)
DIGESTS = ("aa", "bb")


def test_equal_requests_have_equal_fingerprints_on_every_run():
    found = fingerprint(PLAN, SHOT, DIGESTS)

    assert len(found) == 64
    assert found == fingerprint(PLAN, SHOT, list(DIGESTS))


def test_a_new_name_or_place_asks_for_the_same():
    moved = Photo(name="b.jpg", path=Path("/elsewhere/b.jpg"))
    other = replace(SHOT, id="2", stem="02", template="y", photos=(moved,))

    assert fingerprint(replace(PLAN, name="other"), other, DIGESTS) == fingerprint(
        PLAN, SHOT, DIGESTS
    )


def test_everything_that_is_sent_counts():
    cropped = replace(SHOT, photos=(replace(PHOTO, prepare="crop"),))
    found = {
        fingerprint(PLAN, SHOT, DIGESTS),
        fingerprint(PLAN, SHOT, DIGESTS[::-1]),
        fingerprint(PLAN, replace(SHOT, prompt="a wolf"), DIGESTS),
        fingerprint(PLAN, cropped, DIGESTS),
        fingerprint(replace(PLAN, model="n"), SHOT, DIGESTS),
        fingerprint(replace(PLAN, size="4K"), SHOT, DIGESTS),
        fingerprint(replace(PLAN, upright=True), SHOT, DIGESTS),
        fingerprint(replace(PLAN, oversize="shrink"), SHOT, DIGESTS),
        fingerprint(replace(PLAN, asked=Asked(count=2)), SHOT, DIGESTS),
        fingerprint(replace(PLAN, asked=Asked(seed=2)), SHOT, DIGESTS),
        fingerprint(replace(PLAN, asked=Asked(guidance_scale=2.5)), SHOT, DIGESTS),
        fingerprint(replace(PLAN, asked=Asked(output_format="png")), SHOT, DIGESTS),
        fingerprint(replace(PLAN, asked=Asked(optimize_prompt="fast")), SHOT, DIGESTS),
    }

    assert len(found) == 13
