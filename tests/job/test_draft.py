"""Mistakes of the keys and of what they name are told at once, and none twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.errors import JobInvalidError, Problem
from seedream_daemon.job.planner import plan_job
from seedream_daemon.job.schema import KEYS
from seedream_daemon.job.spec import draft_from_json

T2I = 'kind = "t2i"\nprompt = "a {who}"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\n'
GRID = 'kind = "grid"\nprompts = ["a {gender}"]\n'
KIM = "groups/kim/1.jpg"


@pytest.mark.parametrize(
    ("toml", "files", "expected"),
    [
        (
            BULK + 'photos = ["a.jpg", 3, "c.jpg"]\ncuont = 2\nexpect = 9\nsize = "9x9"\n',
            ["a.jpg"],
            [
                "3: photos[2] must be the name of a photo, not 3",
                '3: photos[3] names "c.jpg", which is not there',
                '4: there is no key "cuont"; did you mean "count"?',
                "6: size 9x9 has 81 pixels",
            ],
        ),
        (
            T2I + 'crop = 1\naspect = "1:99"\npreset = "9K"\n[variables]\nhow = 1\n',
            [],
            [
                "2: [variables] has no value for {who}",
                "3: crop must be true or false, not 1",
                "3: crop is for grid; this job is t2i",
                '4: aspect must lie between 1:16 and 16:1, not "1:99"',
                '5: preset "9K" is not one of Seedream 4.0',
                "7: variables.how is used by no prompt",
            ],
        ),
        (
            (
                'kind = "gird"\nprompts = ["a {gender}"]\nsize = "9x9"\ncommon = ["logo.png"]\n'
                "[variables.kim]\nage = 3\n"
            ),
            [KIM],
            [
                '1: kind must be one of t2i, i2i, bulk, grid, not "gird"',
                "3: size 9x9 has 81 pixels",
                '4: common[1] names "logo.png", which is not there',
                "6: variables.kim.age is used by no prompt",
            ],
        ),
        (
            'kind = "grid"\nprompts = [' + '"a {x}", ' * 11 + "]\n",
            [KIM],
            [
                "2: a grid takes at most 10 prompts; there are 11",
                *(f"2: group kim has no value for {{x}}, which prompts[{n}]" for n in range(1, 12)),
            ],
        ),
    ],
)
def test_mistakes_of_keys_and_of_what_they_name_are_told_together(
    mistakes, toml, files, expected
) -> None:
    told = mistakes(toml, *files)

    assert [
        line.removeprefix("job.toml:")[: len(start)]
        for line, start in zip(told, expected, strict=True)
    ] == expected


@pytest.mark.parametrize(
    ("toml", "mistake"),
    [
        (T2I.replace("prompt", "promt"), 'there is no key "promt"; did you mean "prompt"?'),
        (T2I + "[variabels]\nwho = 1", 'there is no key "variabels"; did you mean "variables"?'),
        (T2I + "variables = 3", "variables must be a table of texts and numbers, not 3"),
        (T2I + "[variables]\nwho = [1]", "variables.who must be a text or a number, not [1]"),
        (
            BULK.replace("retouch", "a {who}") + 'photos = ["1.jpg"]\n[variables.kim]\nwho = "man"',
            "variables.kim is a table; tables for groups are for grid",
        ),
        (
            'kind = "t2i"\nprompt = "a {who"\n[variables]\nwho = 1',
            'in prompt, the "{" at character 3 is never closed; write "{{" for a brace itself',
        ),
        (BULK + 'fotos = "x"', 'there is no key "fotos"; did you mean "photos"?'),
        (BULK + 'groups = "x"', "groups is for grid; this job is bulk"),
        (BULK + "photos = 3\nexpect = 7", "photos must be a folder or a list of photos, not 3"),
        (
            GRID + "groups = 3\n[variables.kim]\ngender = 'man'",
            (
                "groups must be a folder of folders, or a table that gives each group its photos, "
                "not 3"
            ),
        ),
        (
            GRID + "[groups]\nkim = 3\n[variables.kim]\ngender = 'man'",
            "groups.kim must be a folder or a list of photos, not 3",
        ),
        (T2I.replace("{who}", "fox") + "model = 4\nseed = 7", "model must be a model id"),
        (T2I.replace("{who}", "fox") + 'pre = 1\naspect = "3:4"', 'there is no key "pre"'),
    ],
)
def test_what_follows_from_a_mistake_is_not_told_beside_it(mistakes, toml, mistake) -> None:
    files = ["1.jpg"] if "1.jpg" in toml else []

    (told,) = mistakes(toml, *files)

    assert told.partition(": ")[2].startswith(mistake)


def test_no_group_is_missed_where_the_groups_are_not_found(mistakes) -> None:
    toml = GRID + 'groups = "folk"\n[variables.kim]\ngender = "man"\n'

    assert mistakes(toml, KIM) == ['job.toml:3: groups names "folk", which is not there']


words = st.sampled_from(
    ["", "a.jpg", "groups", "{a}", "{", "t2i", "i2i", "bulk", "grid", "1:1", "4.0"]
)
values = st.recursive(
    words | st.integers(0, 3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(words, inner, max_size=3),
    max_leaves=14,
)


@given(st.dictionaries(st.sampled_from([*KEYS, "promt", "fotos", "x"]), values, max_size=6))
def test_no_entry_keeps_the_others_from_being_planned(listing, job) -> None:
    draft = draft_from_json(job)
    told: tuple[Problem, ...] = ()
    try:
        plan_job(draft, listing(KIM, "a.jpg"), default_model="seedream-4-0-250828")
    except JobInvalidError as error:
        told = error.problems

    assert draft.spec is not None
    assert set(draft.problems) <= set(told)
