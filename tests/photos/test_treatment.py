from pathlib import Path

import pytest

from seedream_daemon.job.plan import Asked, Photo, Plan
from seedream_daemon.photos.inspect import PhotoFacts
from seedream_daemon.photos.treatment import (
    Treatment,
    photo_problem,
    treatment_of,
    turn_warning,
)

AS_IS, CONVERT, CROP = Treatment.AS_IS, Treatment.CONVERT, Treatment.CROP


def plan(**more) -> Plan:
    return Plan(
        kind="bulk",
        name="shoot",
        model="seedream-4-0-250828",
        family="4.0",
        size="2048x2048",
        asked=Asked(),
        shots=(),
        prompts=("retouch",),
        **more,
    )


def photo(prepare: str = "asis") -> Photo:
    return Photo(name="a.jpg", path=Path("/drop/a.jpg"), prepare=prepare)


def facts(image_format: str = "jpeg", **more) -> PhotoFacts:
    usual = {"bytes": 3_000_000, "width": 4000, "height": 3000, "whole": True}
    return PhotoFacts(format=image_format, mime=f"image/{image_format}", **(usual | more))


HEAVY, LARGE = {"bytes": 12_000_000}, {"width": 8000, "height": 5000}
TURNED, STRIP = {"orientation": 6}, {"width": 5000, "height": 100}
SHRINK, UPRIGHT = {"oversize": "shrink"}, {"upright": True}


@pytest.mark.parametrize(
    ("asked", "found", "treatment"),
    [
        ({}, facts(), AS_IS),
        ({}, facts("png"), AS_IS),
        ({}, facts("webp"), AS_IS),
        ({}, facts(**TURNED), AS_IS),
        ({}, facts(**HEAVY), AS_IS),
        ({}, facts("heic"), CONVERT),
        (UPRIGHT, facts(**TURNED), CONVERT),
        (UPRIGHT, facts("webp", **TURNED), CONVERT),
        (UPRIGHT, facts(), AS_IS),
        (SHRINK, facts(), AS_IS),
        (SHRINK, facts(**TURNED), AS_IS),
        (SHRINK, facts(**HEAVY), CONVERT),
        (SHRINK, facts("png", **LARGE), CONVERT),
    ],
)
def test_a_photo_is_made_anew_only_where_it_must_be(asked, found, treatment) -> None:
    assert treatment_of(plan(**asked), photo(), found, max_input_mb=10) is treatment


@pytest.mark.parametrize("image_format", ["jpeg", "png", "webp", "heic"])
def test_a_photo_to_be_cropped_is_cropped_whatever_it_is(image_format: str) -> None:
    found = facts(image_format, **HEAVY, **TURNED)
    asked = plan(upright=True, oversize="shrink", crop=True)
    assert treatment_of(asked, photo("crop"), found, max_input_mb=10) is CROP
    assert photo_problem(asked, photo("crop"), found, max_input_mb=10) is None


@pytest.mark.parametrize(
    ("asked", "prepare", "found", "said"),
    [
        ({}, "asis", facts(), None),
        ({}, "asis", facts(**HEAVY), "is 12.00 MB, over the 10 MB"),
        ({}, "asis", facts(**LARGE), "(40.0 megapixels), over the 36 megapixels"),
        ({}, "asis", facts(**STRIP), "at most 16 times its short side"),
        # What is made anew is brought under the limits, but no shape is changed.
        (SHRINK, "asis", facts(**HEAVY), None),
        (SHRINK, "asis", facts(**LARGE), None),
        (SHRINK, "asis", facts(**STRIP), "at most 16 times its short side"),
        (UPRIGHT, "asis", facts(**HEAVY, **TURNED), None),
        ({}, "asis", facts("heic", **HEAVY), None),
        ({}, "asis", facts("heic", width=8064, height=6048), None),
        ({}, "asis", facts("heic", **STRIP), "at most 16 times its short side"),
        # A square is cut out of any shape; but not of a line or of what cannot be decoded.
        ({}, "crop", facts(**STRIP), None),
        ({}, "crop", facts(width=16_320, height=12_240), None),
        ({}, "crop", facts(width=5000, height=1), "each side must be longer than 14 pixels"),
        ({}, "crop", facts(width=20_000, height=20_000), "over the 256 megapixels"),
        (SHRINK, "asis", facts(width=20_000, height=20_000), "over the 256 megapixels"),
        # No setting makes these usable.
        (SHRINK, "asis", facts(bytes=0), "is empty"),
        (UPRIGHT, "asis", facts("heic", whole=False), "is cut short"),
        ({}, "crop", facts(whole=False), "is cut short"),
        ({}, "crop", PhotoFacts(format=None, mime=None, bytes=9, instead="a PDF"), "is a PDF"),
    ],
)
def test_the_limits_bind_what_is_sent(asked, prepare: str, found, said: str | None) -> None:
    problem = photo_problem(plan(**asked), photo(prepare), found, max_input_mb=10)
    assert (problem is None) if said is None else (said in (problem or ""))


def test_the_limit_of_bytes_is_that_of_the_settings() -> None:
    assert photo_problem(plan(), photo(), facts(**HEAVY), max_input_mb=12) is None
    said = photo_problem(plan(), photo(), facts(), max_input_mb=2.5)
    assert said is not None
    assert "is 3.00 MB, over the 2.5 MB of MAX_INPUT_MB" in said


@pytest.mark.parametrize(
    ("asked", "prepare", "found", "warned"),
    [
        ({}, "asis", facts(**TURNED), True),
        ({}, "asis", facts("png", orientation=2), True),
        ({}, "asis", facts(), False),
        (UPRIGHT, "asis", facts(**TURNED), False),
        ({}, "asis", facts("heic", **TURNED), False),
        ({}, "crop", facts(**TURNED), False),
        (SHRINK, "asis", facts(**TURNED), True),
        (SHRINK, "asis", facts(**HEAVY, **TURNED), False),
    ],
)
def test_a_turn_is_told_where_the_photo_is_sent_as_it_lies(asked, prepare, found, warned) -> None:
    said = turn_warning(plan(**asked), photo(prepare), found, max_input_mb=10)
    assert (said is not None) is warned
    assert said is None or "upright = true" in said
