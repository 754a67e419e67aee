from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.job.models import FAMILIES, family_named
from seedream_daemon.job.sizes import (
    PRESET_SIDE,
    SizeError,
    parse_aspect,
    parse_size,
    resolve_size,
    size_rows,
)


def _sent(family, kind="t2i", **asked):
    return resolve_size(family_named(family), kind, **asked).sent


@pytest.mark.parametrize(
    ("family", "kind", "asked", "sent"),
    [
        ("4.0", "t2i", {}, "2048x2048"),
        ("4.0", "grid", {}, "2048x2048"),
        ("4.0", "i2i", {}, "2K"),
        ("4.0", "bulk", {}, "2K"),
        ("4.0", "grid", {"preset": "4K"}, "4096x4096"),
        ("4.0", "bulk", {"preset": "4k"}, "4K"),
        ("4.0", "bulk", {"aspect": "3:4"}, "1728x2304"),
        ("4.0", "t2i", {"aspect": "16:9", "preset": "1K"}, "1280x720"),
        ("4.0", "t2i", {"aspect": "16:9"}, "2848x1600"),
        ("4.0", "t2i", {"aspect": "21:9", "preset": "4K"}, "6240x2656"),
        ("5.0-lite", "t2i", {"aspect": "2:3", "preset": "3K"}, "2496x3744"),
        ("5.0-pro", "t2i", {"aspect": "4:3", "preset": "1.5K"}, "1792x1344"),
        ("5.0-flash", "t2i", {"aspect": "16:9"}, "2816x1584"),
        ("3.0-t2i", "t2i", {"aspect": "9:16", "preset": "1K"}, "720x1280"),
        ("3.0-t2i", "t2i", {}, "2048x2048"),
        ("seededit-3.0", "i2i", {}, "adaptive"),
        ("4.0", "t2i", {"size": "1296X1728"}, "1296x1728"),
        ("4.0", "t2i", {"size": " 1296 \u00d7 1728 "}, "1296x1728"),
        ("4.0", "t2i", {"size": "6240x2656"}, "6240x2656"),
        ("4.0", "t2i", {"aspect": "1:16", "preset": "4K"}, "1024x16384"),
        ("4.0", "t2i", {"aspect": "210:297", "preset": "1K"}, "856x1216"),
    ],
)
def test_a_job_gets_the_size_that_it_asks_for(family, kind, asked, sent):
    assert _sent(family, kind, **asked) == sent


@pytest.mark.parametrize(
    ("family", "asked", "message"),
    [
        (
            "4.0",
            {"size": "800x800"},
            (
                "size 800x800 has 640,000 pixels, and Seedream 4.0 takes 921,600 to 16,777,216; the nearest "
                'that works is aspect = "1:1" with preset = "1K" (1024x1024)'
            ),
        ),
        (
            "4.5",
            {"size": "1024x1024"},
            (
                "size 1024x1024 has 1,048,576 pixels, and Seedream 4.5 takes 3,686,400 to 16,777,216; the "
                'nearest that works is aspect = "1:1" with preset = "2K" (2048x2048)'
            ),
        ),
        (
            "4.0",
            {"size": "200x6400"},
            (
                "size 200x6400 is longer than 16:1; the nearest that works is "
                'aspect = "9:16" with preset = "1K" (720x1280)'
            ),
        ),
        (
            "4.0",
            {"size": "2K"},
            (
                'size must be width x height in pixels, such as "1296x1728", not "2K"; '
                'write preset = "2K"'
            ),
        ),
        (
            "4.0",
            {"size": "12,5x3"},
            'size must be width x height in pixels, such as "1296x1728", not "12,5x3"',
        ),
        (
            "4.0",
            {"size": "1296x1728", "aspect": "3:4"},
            "size stands alone: take away aspect and preset, or size",
        ),
        ("4.0", {"preset": "3K"}, 'preset "3K" is not one of Seedream 4.0: it takes 1K, 2K, 4K'),
        ("4.0", {"preset": "8K"}, 'preset "8K" is not one of Seedream 4.0: it takes 1K, 2K, 4K'),
        (
            "4.0",
            {"aspect": "A4", "preset": "1K"},
            'aspect must be width:height, such as "3:4", not "A4"; A4 is "210:297"',
        ),
        ("4.0", {"aspect": "0:4"}, 'aspect takes integers from 1 to 10000, not "0:4"'),
        (
            "4.0",
            {"aspect": "10001:10001"},
            'aspect takes integers from 1 to 10000, not "10001:10001"',
        ),
        ("4.0", {"aspect": "17:1"}, 'aspect must lie between 1:16 and 16:1, not "17:1"'),
        ("4.5", {"preset": "1K"}, 'preset "1K" is not one of Seedream 4.5: it takes 2K, 4K'),
        (
            "seededit-3.0",
            {"preset": "2K"},
            "preset cannot be chosen: SeedEdit 3.0 gives each picture its photo's shape",
        ),
    ],
)
def test_a_size_that_cannot_be_had_says_what_can(family, asked, message):
    with pytest.raises(SizeError) as caught:
        _sent(family, **asked)

    assert str(caught.value) == message


families = st.sampled_from([family for family in FAMILIES if not family.adaptive])
parts = st.integers(1, 10_000)


@given(families, st.data(), parts, parts)
def test_whatever_the_ratio_the_size_obeys_the_limits(family, data, across, down):
    preset = data.draw(st.sampled_from(family.presets))
    try:
        size = resolve_size(family, "t2i", aspect=f"{across}:{down}", preset=preset)
    except SizeError:
        return

    width, height = size.width, size.height
    assert family.min_pixels <= width * height <= family.max_pixels
    assert Fraction(1, 16) <= Fraction(width, height) <= 16
    assert abs(Fraction(width, height) / Fraction(across, down) - 1) <= Fraction(1, 100)
    assert width % 8 == 0
    assert height % 8 == 0


@given(st.integers(1, 60), st.integers(1, 60))
def test_no_other_pair_of_multiples_of_eight_has_a_larger_area(across, down):
    if not Fraction(1, 16) <= Fraction(across, down) <= 16:
        return
    family, ratio = family_named("4.0"), Fraction(across, down)
    if f"{across}:{down}" in {"1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "21:9"}:
        return
    pairs = [
        (width * height, -abs(Fraction(width, height) / ratio - 1))
        for width in range(8, 4200, 8)
        for height in range(8, 4200, 8)
        if 921_600 <= width * height <= 1024**2
        and abs(width * down - height * across) * 100 <= height * across
        and width <= 16 * height
        and height <= 16 * width
    ]

    size = resolve_size(family, "t2i", aspect=f"{across}:{down}", preset="1K")

    found = (size.width * size.height, -abs(Fraction(size.width, size.height) / ratio - 1))
    assert found == max(pairs)


def test_the_table_names_id_photos_in_korean_and_holds_only_sizes_that_work():
    rows = size_rows()

    assert {row.aspect: row.label for row in rows if row.label} == {
        "7:9": "주민등록증/여권사진",
        "5:6": "증명사진",
        "5:7": "명함판",
        "3:4": "반명함",
    }
    for row in rows:
        family = next(family for family in FAMILIES if row.model in family.ids)
        assert family.min_pixels <= row.width * row.height <= family.max_pixels


@given(st.text())
def test_any_text_is_a_size_or_an_error_that_people_can_read(text):
    for parse in (parse_size, parse_aspect):
        try:
            across, down = parse(text)
        except SizeError:
            continue
        assert across > 0
        assert down > 0


def test_presets_are_squares():
    assert PRESET_SIDE["1.5K"] == 1536
