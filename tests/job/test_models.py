import pytest

from seedream_daemon.job.models import family_named, family_of, price_micro_usd


@pytest.mark.parametrize(
    ("model", "asked", "family"),
    [
        ("seedream-4-0-250828", None, "4.0"),
        ("doubao-seedream-4-0-250828", "5.0-pro", "4.0"),
        ("seedream-5-0-lite-260128", None, "5.0-lite"),
        ("dola-seedream-5-0-pro-260628", None, "5.0-pro"),
        ("doubao-seededit-3-0-i2i-250628", None, "seededit-3.0"),
        ("ep-2025-x", "4.5", "4.5"),
    ],
)
def test_the_id_decides_else_the_family_that_is_named(model, asked, family):
    found, warning = family_of(model, asked)

    assert found.name == family
    assert warning is None


def test_an_unknown_model_is_taken_for_a_4_0_with_a_warning():
    found, warning = family_of("ep-2025-x", None)

    assert found.name == "4.0"
    assert warning == (
        "The family of model ep-2025-x is not known; it is taken for a Seedream 4.0. Say "
        "model_family (one of 4.0, 4.5, 5.0-lite, 5.0-pro, 5.0-flash, 3.0-t2i, seededit-3.0) "
        "if it is another."
    )


@pytest.mark.parametrize(
    ("family", "asked", "price"),
    [
        ("4.0", (1, 0, 2048**2, None), 30_000),
        ("4.0", (5, 10, None, None), 150_000),
        ("4.5", (1, 0, None, None), 40_000),
        ("5.0-lite", (2, 0, None, None), 70_000),
        ("5.0-flash", (1, 3, None, None), 18_000),
        ("5.0-pro", (1, 1, 1536**2, None), 45_000),
        ("5.0-pro", (1, 3, 2_610_000, None), 51_000),
        ("5.0-pro", (1, 0, 2_610_001, None), 90_000),
        ("5.0-pro", (1, 0, None, None), 90_000),
        ("5.0-pro", (2, 3, None, 10_000), 20_000),
    ],
)
def test_a_request_costs_at_most(family, asked, price):
    words = ("count", "references", "pixels", "per_image_override")

    assert price_micro_usd(family_named(family), **dict(zip(words, asked, strict=True))) == price
