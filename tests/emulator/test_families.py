import pytest

from seedream_daemon.emulator.families import family_of
from seedream_daemon.emulator.refusal import RefusalError

MODELS = [
    "seedream-4-0-250828",
    "seedream-4-5-251128",
    "seedream-5-0-260128",
    "dola-seedream-5-0-pro-260628",
    "dola-seedream-5-0-flash-260915",
]


@pytest.mark.parametrize("model", MODELS)
def test_every_documented_size_is_within_the_limits_of_its_model(model):
    family = family_of(model)
    for sizes in family.tiers.values():
        for width, height in sizes.values():
            assert family.min_px <= width * height <= family.max_px


@pytest.mark.parametrize(
    ("model", "size", "references", "micro_usd"),
    [
        ("seedream-4-0-250828", (4096, 4096), 10, 30_000),
        ("seedream-4-5-251128", (2048, 2048), 0, 40_000),
        ("seedream-5-0-260128", (2048, 2048), 0, 35_000),
        ("dola-seedream-5-0-pro-260628", (1024, 1024), 1, 45_000),
        ("dola-seedream-5-0-pro-260628", (1024, 1024), 3, 51_000),
        ("dola-seedream-5-0-pro-260628", (2048, 2048), 0, 90_000),
        ("dola-seedream-5-0-flash-260915", (2048, 2048), 5, 18_000),
    ],
)
def test_a_picture_costs_the_list_price(model, size, references, micro_usd):
    assert family_of(model).price_of(size, references) == micro_usd


@pytest.mark.parametrize("model", ["doubao-seedream-4-0-250828", "ep-20260101-abcde"])
def test_twins_and_endpoints_are_known(model):
    assert family_of(model) == family_of("seedream-4-0-250828")


def test_a_name_without_its_date_is_not_known():
    with pytest.raises(RefusalError):
        family_of("seedream-4-0")
