import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.errors import JobInvalidError
from seedream_daemon.job.listing import Entry
from seedream_daemon.job.models import FAMILIES, family_named
from seedream_daemon.job.plan import plan_from_json, plan_to_json
from seedream_daemon.job.planner import awaited, plan_job
from seedream_daemon.job.spec import read_job, spec_from_json

T2I = 'kind = "t2i"\nprompt = "a fox"\n'
I2I = 'kind = "i2i"\nprompt = "p"\n'
BULK = 'kind = "bulk"\nprompt = "p"\n'
GRID = 'kind = "grid"\nprompts = ["a {gender}", "a {gender} in {place}"]\n'
VALUES = (
    '[variables]\nplace = "studio"\n[variables.kim]\ngender = "man"\n[variables.lee]\ngender = 2\n'
)
PEOPLE = ("groups/kim/1.jpg", "groups/lee/2.jpg", "groups/lee/10.heic")
PLAIN_GRID = 'kind = "grid"\nprompts = ["p"]\n'
PRO = 'model = "dola-seedream-5-0-pro-260628"\n'


def _names(photos):
    return [photo.name for photo in photos]


def test_a_text_job_is_one_shot(plan):
    found = plan(T2I)

    (shot,) = found.shots
    assert (shot.id, shot.stem, shot.prompt, shot.photos) == ("1", "01", "a fox", ())
    assert (found.name, found.family, found.size) == ("drop", "4.0", "2048x2048")
    assert (found.price_micro_usd, found.warnings) == (30_000, ())


def test_an_edit_sends_its_photos_in_natural_order(plan):
    found = plan(I2I, "10.jpg", "9.PNG", "notes.txt", "sub/1.jpg")

    assert _names(found.shots[0].photos) == ["9.PNG", "10.jpg"]
    assert found.shots[0].photos[0].path == Path("/in/drop/9.PNG")
    assert found.size == "2K"
    assert found.warnings == ("1 picture lies elsewhere in the folder, unused.",)


def test_a_list_of_photos_is_sent_as_listed(plan):
    found = plan(I2I + 'photos = ["b.jpg", "./sub//a.jpg"]', "sub/a.jpg", "b.jpg")

    assert _names(found.shots[0].photos) == ["b.jpg", "sub/a.jpg"]


@pytest.mark.parametrize("photos", ['"."', '"sub"', '["sub"]', '"./sub/"'])
def test_a_folder_of_photos_can_be_named_alone_or_in_a_list(plan, photos):
    found = plan(I2I + f"photos = {photos}", "sub/a.jpg", "a.jpg")

    assert len(found.shots[0].photos) == 1


def test_a_bulk_is_a_shot_for_each_photo_of_the_folder_photos(plan):
    found = plan(BULK, "photos/a.jpg", "photos/a.heic", "photos/b.webp", "loose.jpg")

    assert [(shot.id, shot.stem) for shot in found.shots] == [
        ("photos/a.heic", "a_heic"),
        ("photos/a.jpg", "a_jpg"),
        ("photos/b.webp", "b"),
    ]
    assert found.price_micro_usd == 90_000
    assert found.warnings == (
        "1 picture lies elsewhere in the folder, unused.",
        "1 photo is HEIC and will be sent as JPEG.",
    )


def test_names_of_every_kind_are_taken(plan):
    names = ["-a.jpg", "a b.jpg", "한글.jpg", "🦊.png", "s" * 251 + ".jpg"]

    assert sorted(_names(shot.photos[0] for shot in plan(BULK, *names).shots)) == sorted(names)


def test_a_name_that_is_decomposed_on_disk_is_listed_composed_and_opened_as_it_is(plan):
    decomposed = unicodedata.normalize("NFD", "한글.jpg")
    entry = Entry(name="한글.jpg", path=decomposed, kind="file", size=1)

    found = plan(I2I + f'photos = ["{decomposed}"]', others=(entry,))

    assert found.shots[0].photos[0].name == "한글.jpg"
    assert found.shots[0].photos[0].path == Path("/in/drop") / decomposed


def test_a_grid_is_prompts_by_groups(plan):
    found = plan(GRID + VALUES + '[labels]\nkim = "Man"\n', *PEOPLE, "common/bg.png")

    assert [(s.id, s.group, s.prompt) for s in found.shots] == [
        ("r1_c1", "kim", "a man"),
        ("r1_c2", "lee", "a 2"),
        ("r2_c1", "kim", "a man in studio"),
        ("r2_c2", "lee", "a 2 in studio"),
    ]
    assert [(p.name, p.prepare) for p in found.shots[3].photos] == [
        ("common/bg.png", "asis"),
        ("groups/lee/2.jpg", "crop"),
        ("groups/lee/10.heic", "crop"),
    ]
    assert found.shots[3].stem == "cells/r2_c2"
    assert [(g.name, g.label, g.variables) for g in found.groups] == [
        ("kim", "Man", (("place", "studio"), ("gender", "man"))),
        ("lee", "lee", (("place", "studio"), ("gender", "2"))),
    ]
    assert (found.size, found.crop) == ("2048x2048", True)


def test_without_a_folder_groups_the_folders_beside_are_the_groups(plan):
    found = plan(PLAIN_GRID, "kim/1.jpg", "common/1.jpg", "photos/1.jpg", "_old/1.jpg")

    assert [group.name for group in found.groups] == ["kim"]
    assert found.warnings == ("2 pictures lie elsewhere in the folder, unused.",)


def test_groups_can_be_a_table_of_folders_and_lists(plan):
    found = plan(
        PLAIN_GRID + 'crop = false\ngroups = {"김 씨" = ["a.jpg"], b = "x/y", c = ["x/y"]}',
        "a.jpg",
        "x/y/1.jpg",
    )

    assert {g.name: _names(g.photos) for g in found.groups} == {
        "김 씨": ["a.jpg"],
        "b": ["x/y/1.jpg"],
        "c": ["x/y/1.jpg"],
    }
    assert {photo.prepare for shot in found.shots for photo in shot.photos} == {"asis"}


def test_what_does_not_fit_into_a_request_is_left_out_and_told(plan):
    people = [f"groups/kim/{number}.jpg" for number in range(1, 12)]

    found = plan(PLAIN_GRID, *people, "common/a.jpg")

    assert len(found.shots[0].photos) == 10
    assert found.groups[0].left_out == ("groups/kim/10.jpg", "groups/kim/11.jpg")
    assert found.warnings == (
        (
            "Group kim: 2 photos do not fit into a request and are left out: "
            "groups/kim/10.jpg, groups/kim/11.jpg."
        ),
    )


@pytest.mark.parametrize(
    ("toml", "files", "expected"),
    [
        (I2I, [], [("job.toml: there are no photos: none lies beside job.toml or in a folder photos "
                   "(jpg, jpeg, png, webp, heic, heif)")]),
        (BULK, ["photos/notes.txt", "a.jpg"],
         [("job.toml: there are no photos: the folder photos holds none "
          "(jpg, jpeg, png, webp, heic, heif)")]),
        (I2I + "photos = []", ["a.jpg"],
         ["job.toml:3: there are no photos: photos names none (jpg, jpeg, png, webp, heic, heif)"]),
        (I2I + 'photos = ["a.jpg", "B.jpg"]', ["a.jpg", "b.jpg"],
         ['job.toml:3: photos[2] names "B.jpg", which is not there; did you mean "b.jpg"?']),
        (I2I + 'photos = "shots"', ["photos/a.jpg"],
         ['job.toml:3: photos names "shots", which is not there; did you mean "photos"?']),
        (I2I + 'photos = ["a.txt"]', ["a.txt"],
         [('job.toml:3: photos names "a.txt", which is not a photo '
          "(jpg, jpeg, png, webp, heic, heif)")]),
        (I2I + 'photos = ["a.jpg", "./a.jpg"]', ["a.jpg"],
         ['job.toml:3: photos names "./a.jpg" twice']),
        (I2I + 'photos = ["a.jpg", "sub"]', ["a.jpg", "sub/b.jpg"],
         ['job.toml:3: photos[2] names "sub", a folder and no photo']),
        (I2I + 'photos = "a.jpg"', ["a.jpg"],
         ['job.toml:3: photos names "a.jpg", a file and no folder']),
        (I2I + 'photos = ["../a.jpg"]', [],
         [('job.toml:3: photos[1] names "../a.jpg", which leads out of its folder; write it '
          'without ".."')]),
        (I2I + 'photos = ["/etc/a.jpg", "b.jpg"]', ["b.jpg"],
         [('job.toml:3: photos[1] names "/etc/a.jpg", which lies outside this folder and outside '
          "ALLOWED_ROOTS")]),
        (I2I + 'photos = [".a.jpg", "b.jpg"]', ["b.jpg"],
         ['job.toml:3: photos[1] names ".a.jpg", which is a name that drops ignore; rename it']),
        (I2I + 'photos = ["a\\u0000.jpg", "b.jpg"]', ["b.jpg"],
         ['job.toml:3: photos[1] names "a\0.jpg", which no file can be called']),
        (I2I, [f"{number}.jpg" for number in range(1, 12)],
         [("job.toml: there are 11 photos, and Seedream 4.0 takes at most 10 in a request; take some away, "
          "or name those you mean in photos")]),
        (BULK + "expect = 3", ["a.jpg", "b.jpg"],
         ["job.toml:3: expect says 3 photos, and 2 are there"]),
        (PLAIN_GRID, [],
         ["job.toml: there are no groups: make a folder groups with a folder of photos for each"]),
        (PLAIN_GRID, ["groups/a.jpg"],
         ["job.toml: there are no groups: the folder groups holds no folders"]),
        (PLAIN_GRID, ["groups/kim/1.jpg", "groups/lee/notes.txt"],
         [("job.toml: group lee holds no photos; put some into its folder, or take the group "
          "away")]),
        (PLAIN_GRID + "groups = {}", [], ["job.toml:3: groups is empty; give each group its photos"]),
        (PLAIN_GRID + 'groups = {"../x" = ["a.jpg"]}', ["a.jpg"],
         [('job.toml:3: groups.../x cannot name a folder of the session: take away "/", control '
          "characters and a first dot, and keep it short")]),
        (PLAIN_GRID, [f"groups/g{number}/1.jpg" for number in range(1, 12)],
         [("job.toml: a grid takes at most 10 groups; there are 11: g1, g2, g3, g4, g5, g6, g7, g8, "
          "g9, g10, g11; take some away, or move them into a second job")]),
        (PLAIN_GRID, ["groups/kim/1.jpg", *(f"common/{number}.jpg" for number in range(6))],
         ["job.toml: common takes at most 5 photos; there are 6"]),
        (PLAIN_GRID + 'common = "empty"', ["groups/kim/1.jpg", "empty/a.txt"],
         ["job.toml:3: common holds no photos"]),
        (PLAIN_GRID + "count = 6", [f"groups/kim/{number}.jpg" for number in range(10)],
         [("job.toml:3: count must be at most 5: 10 photos and 6 pictures are more than 15 "
          "together")]),
        (BULK + "count = 15", ["a.jpg"],
         [("job.toml:3: count must be at most 14: 1 photos and 15 pictures are more than 15 "
          "together")]),
    ],
)  # fmt: skip
def test_photos_that_do_not_fit_the_job_are_named(mistakes, toml, files, expected):
    assert mistakes(toml, *files) == expected


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("link", "this is a symbolic link; put the file itself there"),
        ("fifo", "this is a named pipe, not a file; take it out"),
        ("device", "this is a device, not a file; take it out"),
        ("socket", "this is a socket, not a file; take it out"),
    ],
)
def test_what_is_no_file_is_refused_by_name(mistakes, kind, message):
    stranger = Entry(name="x.jpg", path="x.jpg", kind=kind)

    assert mistakes(T2I, others=(stranger,)) == [f"x.jpg: {message}"]


def test_two_names_that_fold_to_one_are_refused(mistakes):
    twin = Entry(name="é.jpg", path="e\u0301.jpg", kind="file")

    assert mistakes(BULK, "é.jpg", others=(twin,)) == [
        "é.jpg: two names here differ only in how Unicode spells them; rename one"
    ]


def test_a_name_that_is_not_utf_8_is_refused(mistakes):
    assert mistakes(BULK, "caf\udce9.jpg") == ["caf?.jpg: this name is not UTF-8; rename the file"]


def test_a_folder_that_cannot_be_read_is_named(mistakes):
    closed = Entry(name="photos", path="photos", kind="dir", trouble="Permission denied")

    assert mistakes(I2I, others=(closed,)) == [
        "photos: this folder cannot be read: Permission denied"
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("seed = 3", "Seedream 4.0 ignores seed; take it away"),
        ("guidance_scale = 3", "Seedream 4.0 ignores guidance_scale; take it away"),
        ('output_format = "png"', 'output_format must be jpeg for Seedream 4.0, not "png"'),
        (PRO + "count = 3", "count must be 1: Seedream 5.0-pro makes one picture per request"),
        ('optimize_prompt = "fast"\nmodel = "seedream-4-5-251128"',
         'optimize_prompt must be standard for Seedream 4.5, not "fast"'),
        ('optimize_prompt = "fast"\nmodel = "seedream-3-0-t2i-250415"',
         "Seedream 3.0-t2i ignores optimize_prompt; take it away"),
        ('model = "seededit-3-0-i2i-250628"',
         "SeedEdit 3.0 needs a photo; it cannot run a t2i job"),
        ('preset = "3K"', 'preset "3K" is not one of Seedream 4.0: it takes 1K, 2K, 4K'),
        ('size = "2048"', 'size must be width x height in pixels, such as "1296x1728", not "2048"'),
    ],
)  # fmt: skip
def test_what_the_model_lacks_is_said_before_sending(mistakes, line, expected):
    number = 4 if line.startswith(PRO) else 3

    assert mistakes(T2I + line) == [f"job.toml:{number}: {expected}"]


def test_a_model_without_photos_cannot_edit(mistakes):
    assert mistakes('model = "seedream-3-0-t2i-250415"\n' + BULK, "a.jpg") == [
        "job.toml:1: Seedream 3.0-t2i takes no photos; it cannot run a bulk job"
    ]


def test_a_model_of_one_photo_takes_one(mistakes):
    toml = I2I + 'model = "seededit-3-0-i2i-250628"\n'

    assert mistakes(toml, "a.jpg", "b.jpg") == [
        (
            "job.toml: there are 2 photos, and SeedEdit 3.0 takes at most 1 in a request; take some "
            "away, or name those you mean in photos"
        )
    ]


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ('[variables]\nplase = "x"\ngender = 1', [
            ("job.toml:2: group kim has no value for {place}, which prompts[2] needs; did you mean "
            '"plase"?'),
            ("job.toml:2: group lee has no value for {place}, which prompts[2] needs; did you mean "
            '"plase"?'),
            'job.toml:4: variables.plase is used by no prompt; did you mean "place"?',
        ]),
        ('[variables]\nplace = "x"\n[variables.kim]\ngender = "m"', [
            ("job.toml:2: group lee has no value for {gender}, which prompts[1] needs; put "
            'gender = "..." under [variables.lee]'),
            ("job.toml:2: group lee has no value for {gender}, which prompts[2] needs; put "
            'gender = "..." under [variables.lee]'),
        ]),
        ('[variables]\nplace = "x"\ngender = "f"\n[variables.kin]\ngender = "m"', [
            'job.toml:6: variables.kin is for a group "kin", and there is none; did you mean "kim"?',
        ]),
        ('[variables]\nplace = "x"\ngender = "f"\n[variables.kim]\nage = 3', [
            ("job.toml:7: variables.kim.age is used by no prompt; take it away, or write {age} into "
            "one"),
        ]),
        ('[variables]\nplace = "x"\ngender = "f"\n[labels]\nboss = "Boss"', [
            ('job.toml:7: labels.boss is for a group "boss", and there is none; the groups are '
            "kim, lee"),
        ]),
    ],
)  # fmt: skip
def test_values_that_are_missing_or_left_over_are_named(mistakes, tables, expected):
    assert mistakes(GRID + tables, *PEOPLE) == expected


def test_a_text_job_needs_its_values_too(mistakes):
    assert mistakes('kind = "t2i"\nprompt = "a {who}"\n[variables]\nwhoo = 1') == [
        'job.toml:2: [variables] has no value for {who}, which prompt needs; did you mean "whoo"?',
        'job.toml:4: variables.whoo is used by no prompt; did you mean "who"?',
    ]


def test_mistakes_of_every_sort_are_told_together(mistakes):
    toml = I2I + 'seed = 1\nsize = "1x1"\nphotos = ["a.jpg"]\n[variables]\nx = 1'

    assert [line.partition(": ")[0] for line in mistakes(toml)] == [
        f"job.toml:{number}" for number in (3, 4, 5, 7)
    ]


def test_a_photo_outside_is_taken_only_from_an_allowed_root(plan, mistakes):
    outside = Entry(name="/data/a.jpg", path="/data/a.jpg", kind="file")
    leak = Entry(name="/data/b.jpg", path="/home/b.jpg", kind="file")
    roots = (Path("/data"),)

    found = plan(I2I + 'photos = ["/data/a.jpg"]', others=(outside,), allowed_roots=roots)

    assert found.shots[0].photos[0].path == Path("/data/a.jpg")
    told = [
        mistakes(I2I + f'photos = ["{name}"]', others=(outside, leak), allowed_roots=roots)[0]
        for name in ("/data/b.jpg", "/data/../home/b.jpg", "/home/b.jpg")
    ]
    assert told[0].endswith("which lies outside this folder and outside ALLOWED_ROOTS")
    assert told[1].endswith('which leads out of its folder; write it without ".."')
    assert told[2].endswith("which lies outside this folder and outside ALLOWED_ROOTS")


@pytest.mark.parametrize(
    ("prompt", "warned"),
    [
        ("a fox", True),
        ("a foxtrot", True),
        ("a series of foxes", False),
        ("Three foxes", False),
        ("여우 사진 4장", False),
        ("一组狐狸", False),
    ],
)
def test_a_set_whose_prompt_asks_for_one_picture_is_warned_of(plan, prompt, warned):
    found = plan(f'kind = "t2i"\nprompt = "{prompt}"\ncount = 3')

    assert bool(found.warnings) is warned
    assert found.price_micro_usd == 90_000


@pytest.mark.parametrize(
    ("toml", "settings", "price"),
    [
        (T2I + PRO, {}, 90_000),
        (T2I + PRO + 'preset = "1K"', {}, 45_000),
        (I2I + PRO + 'preset = "1.5K"', {}, 48_000),
        (T2I, {"price_per_image_micro_usd": 7}, 7),
        (T2I + 'model = "ep-1"', {}, None),
        (T2I + 'model = "ep-1"\nmodel_family = "4.5"', {}, 40_000),
        (T2I + 'model = "ep-1"', {"default_family": "5.0-flash"}, 18_000),
        (T2I + 'model = "ep-1"', {"price_per_image_micro_usd": 9}, 9),
    ],
)
def test_the_price_is_the_most_the_job_can_cost(plan, toml, settings, price):
    assert plan(toml, "a.jpg", "b.jpg", **settings).price_micro_usd == price


def test_a_guessed_family_is_told(plan):
    assert "is taken for a Seedream 4.0" in plan(T2I + 'model = "ep-1"').warnings[0]


def test_settings_of_the_job_reach_the_plan(plan):
    found = plan(
        T2I + 'name = "n"\nmax_cost_usd = 1.5\noversize = "shrink"\nupright = true\n'
        'on_bad_photo = "fail"\nmodel = "seedream-3-0-t2i-250415"\nseed = 7\noutput_format = "jpeg"'
    )

    assert (found.name, found.max_cost_micro_usd, found.oversize) == ("n", 1_500_000, "shrink")
    assert (found.upright, found.on_bad_photo) == (True, "fail")
    assert (found.asked.seed, found.asked.output_format) == (7, None)


def test_what_a_drop_still_waits_for_is_told(listing):
    spec = read_job((I2I + 'photos = ["a.jpg", "b.jpg"]\nexpect = 2').encode())

    told = awaited(spec, listing("a.jpg"), family=family_named("4.0"))

    assert told == (
        'photos[2] names "b.jpg", which is not there',
        "expect says 2 photos, and 1 are there",
    )
    assert not awaited(spec, listing("a.jpg", "b.jpg"), family=family_named("4.0"))


def test_a_job_of_a_program_has_mistakes_without_lines(listing):
    spec = spec_from_json({"kind": "i2i", "prompt": "p", "photos": ["/x/a.jpg"]})

    with pytest.raises(JobInvalidError) as caught:
        plan_job(spec, listing(), default_model="seedream-4-0-250828")

    assert [problem.line for problem in caught.value.problems] == [None]


words = st.sampled_from(
    ["a.jpg", "b.png", "sub", "sub/c.heic", "groups", "..", "/x", ".", "{a}", "x"]
)
asked = words | st.lists(words, max_size=12)
jobs = st.fixed_dictionaries(
    {"kind": st.sampled_from(["t2i", "i2i", "bulk", "grid"])},
    optional={
        "prompt": words,
        "prompts": st.lists(words, max_size=3),
        "photos": asked,
        "common": asked,
        "groups": words | st.dictionaries(words, asked, max_size=3),
        "labels": st.dictionaries(words, words, max_size=2),
        "variables": st.dictionaries(
            words | st.just("a"),
            words | st.dictionaries(words | st.just("a"), words, max_size=2),
            max_size=2,
        ),
        "count": st.integers(1, 15),
        "aspect": st.sampled_from(["1:1", "3:4", "9:1"]),
        "preset": st.sampled_from(["1K", "2K"]),
        "expect": st.integers(1, 3),
        "model": st.sampled_from([family.ids[0] for family in FAMILIES]),
    },
)
trees = st.sets(
    st.sampled_from(
        ["a.jpg", "b.png", "sub/c.heic", "groups/kim/1.jpg", "groups/{a}/1.jpg", "x/1.jpg"]
    )
)


@given(jobs, trees)
def test_whatever_lies_there_a_job_is_planned_or_refused(listing, job, files):
    try:
        found = plan_job(
            spec_from_json(job), listing("job.toml", *files), default_model="seedream-4-0-250828"
        )
    except JobInvalidError:
        return

    family = family_named(found.family)
    assert len({shot.id for shot in found.shots}) == len({shot.stem for shot in found.shots})
    for shot in found.shots:
        assert len(shot.photos) <= family.max_references
        assert not shot.photos or len(shot.photos) + found.asked.count <= 15
        assert all(str(photo.path).startswith("/in/drop/") for photo in shot.photos)
    assert plan_from_json(plan_to_json(found)) == found


@pytest.mark.parametrize(("cap", "warned"), [("0.02", True), ("0.03", False), ("1", False)])
def test_a_job_that_may_pass_its_own_cap_is_warned_of(plan, cap, warned) -> None:
    (*_, last) = ("", *plan(T2I + f"max_cost_usd = {cap}\n").warnings)
    assert (f"costs up to $0.03 and max_cost_usd is {cap}" in last) is warned
