import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.job.plan import (
    Asked,
    Group,
    Photo,
    Plan,
    Shot,
    plan_from_json,
    plan_to_json,
)

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1)
names = words.filter(lambda word: word not in {".", ".."})
photos = st.builds(
    Photo,
    name=st.one_of(names, st.builds("{}/{}".format, names, names)),
    path=st.one_of(
        st.builds(lambda *parts: Path("/in", *parts), names, names),
        st.builds(lambda name: Path("/in/drop") / name, names),
    ),
    prepare=st.sampled_from(["asis", "crop"]),
)
optional_words = st.none() | words
shots = st.builds(
    Shot,
    id=words,
    name=words,
    stem=words,
    template=st.text(),
    prompt=st.text(),
    photos=st.lists(photos, max_size=3).map(tuple),
    group=optional_words,
    row=st.none() | st.integers(),
    col=st.none() | st.integers(),
)
groups = st.builds(
    Group,
    name=words,
    label=words,
    photos=st.lists(photos, max_size=3).map(tuple),
    variables=st.lists(st.tuples(words, words), max_size=3).map(tuple),
    left_out=st.lists(words, max_size=3).map(tuple),
)
plans = st.builds(
    Plan,
    kind=st.sampled_from(["t2i", "i2i", "bulk", "grid"]),
    name=words,
    model=words,
    family=words,
    size=optional_words,
    asked=st.builds(
        Asked,
        count=st.integers(1, 15),
        seed=st.none() | st.integers(),
        guidance_scale=st.none() | st.floats(1, 10),
    ),
    shots=st.lists(shots, max_size=4).map(tuple),
    prompts=st.lists(words, max_size=3).map(tuple),
    groups=st.lists(groups, max_size=3).map(tuple),
    common=st.lists(photos, max_size=3).map(tuple),
    max_cost_micro_usd=st.none() | st.integers(0),
    warnings=st.lists(words, max_size=2).map(tuple),
)


@given(plans)
def test_a_plan_survives_its_json(plan):
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def _bulk(count: int) -> Plan:
    def shot(number: int) -> Shot:
        name = f"photos/{number}.jpg"
        return Shot(
            id=name,
            name=name,
            stem=str(number),
            template="a long prompt",
            prompt="a long prompt",
            photos=(Photo(name=name, path=Path("/in/drop") / name),),
        )

    return Plan(
        kind="bulk",
        name="shoot",
        model="m",
        family="4.0",
        size="2K",
        asked=Asked(),
        shots=tuple(shot(number) for number in range(1, count + 1)),
        prompts=("a long prompt",),
    )


def test_the_json_of_a_bulk_holds_prompt_and_folder_once():
    text = json.dumps(plan_to_json(_bulk(100)))

    assert text.count("a long prompt") == 1
    assert text.count("/in/drop") == 1


@pytest.mark.parametrize("found", [{}, {"root": None, "photos": [3]}, {"photos": 1, "root": "/"}])
def test_what_is_not_a_plan_is_refused(found):
    with pytest.raises(ValueError, match="This is not a plan"):
        plan_from_json(found)
