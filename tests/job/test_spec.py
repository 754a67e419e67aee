import json
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.errors import JobInvalidError
from seedream_daemon.job.spec import read_job, spec_from_json

SAVE_AS = "Save it as UTF-8 (Notepad: Save as, Encoding: UTF-8)."
KEYS_OF_T2I = (
    "kind, name, prompt, model, model_family, size, aspect, preset, variables, count, seed, "
    "guidance_scale, output_format, optimize_prompt, oversize, upright, max_cost_usd, on_bad_photo"
)


def _mistakes(data):
    with pytest.raises(JobInvalidError) as caught:
        read_job(data if isinstance(data, bytes) else data.encode())
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "data",
    [
        b'kind = "t2i"\nprompt = "a fox"\n',
        b'\xef\xbb\xbfkind = "t2i"\r\nprompt = "a fox"\r\n',
        b"prompt = 'a fox'\nkind = 't2i'",
    ],
)
def test_a_job_is_read_with_or_without_bom_and_in_any_line_ending(data):
    spec = read_job(data)

    assert (spec.kind, spec.prompt, spec.count, spec.crop) == ("t2i", "a fox", 1, True)


def test_variables_hold_values_for_all_and_tables_for_groups():
    spec = read_job(
        'kind = "grid"\nprompts = ["{a}"]\n[variables]\na = 1\nb = 1.5\n'
        '[variables."김 씨"]\na = "한글 🦊"\n'.encode()
    )

    assert spec.variables == {"a": 1, "b": 1.5, "김 씨": {"a": "한글 🦊"}}


@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        ("가 = 1".encode("utf-16"), f"job.toml: the file is saved as UTF-16. {SAVE_AS}"),
        ("kind = 1".encode("utf-16-le"), f"job.toml: the file is saved as UTF-16. {SAVE_AS}"),
        (
            '\n# 증명사진\nkind = "t2i"'.encode("cp949"),
            f"job.toml:2: the file is not UTF-8 but looks like cp949. {SAVE_AS}",
        ),
        (b"\n\n\xff\xff\x80", f"job.toml:3: the file is not UTF-8. {SAVE_AS}"),
        (b"#" * 262_145, "job.toml: the file is 262,145 bytes long; at most 262,144 are read"),
        (b"a = " + b"[" * 100_000, "job.toml: the file is nested too deeply"),
        (
            b"a = " + b"1" * 5_000,
            "job.toml: the file is not TOML: a number has too many digits",
        ),
        (
            b'kind = "t2i"\nprompt = fox',
            (
                "job.toml:2: the file is not TOML: Invalid value at column 10; texts stand in "
                "straight quotes"
            ),
        ),
        (
            b'kind = "t2i\n',
            (
                "job.toml:1: the file is not TOML: Illegal character '\\n' at column 12; a text on "
                "this line lacks its closing quote"
            ),
        ),
        (
            b"kind = 'a'\nkind = 'b'\n",
            (
                "job.toml:2: the file is not TOML: Cannot overwrite a value at column 11; "
                "a key stands twice"
            ),
        ),
        (b"", "job.toml: kind is missing: it must be one of t2i, i2i, bulk, grid"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_how_to_save_it(data, mistake):
    assert _mistakes(data) == [mistake]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ('promt = "x"', 'there is no key "promt"; did you mean "prompt"?'),
        ('zzz = "x"', f'there is no key "zzz"; the keys are {KEYS_OF_T2I}'),
        (
            "watermark = false",
            'there is no key "watermark": the watermark is always off; take the entry away',
        ),
        (
            "stream = true",
            (
                'there is no key "stream": streaming is used by itself where the model has it; '
                "take the entry away"
            ),
        ),
        (
            'response_format = "url"',
            (
                'there is no key "response_format": pictures always come by URL and are saved as '
                "files; take the entry away"
            ),
        ),
        ("count = 0", "count must be a whole number from 1 to 15, not 0"),
        ("count = 2.5", "count must be a whole number from 1 to 15, not 2.5"),
        ('count = "2"', 'count must be a whole number from 1 to 15, not "2"'),
        ("count = true", "count must be a whole number from 1 to 15, not true"),
        ("seed = -2", "seed must be a whole number from -1 to 2147483647, not -2"),
        ("guidance_scale = 11", "guidance_scale must be a number from 1 to 10, not 11"),
        (
            'output_format = "jpg"',
            'output_format must be one of jpeg, png, not "jpg"; did you mean "jpeg"?',
        ),
        ('optimize_prompt = "x"', 'optimize_prompt must be one of standard, fast, not "x"'),
        (
            'oversize = "srink"',
            'oversize must be one of reject, shrink, not "srink"; did you mean "shrink"?',
        ),
        ('on_bad_photo = "x"', 'on_bad_photo must be one of skip, fail, not "x"'),
        ("upright = 1", "upright must be true or false, not 1"),
        ("max_cost_usd = 0", "max_cost_usd must be a number above 0, not 0"),
        ("max_cost_usd = inf", "max_cost_usd must be a number above 0, not Infinity"),
        ('name = ""', 'name must be a text, not ""'),
        ("name = 2020-01-01", 'name must be a text, not "2020-01-01"'),
        (
            'model_family = "4"',
            (
                "model_family must be one of 4.0, 4.5, 5.0-lite, 5.0-pro, 5.0-flash, 3.0-t2i, "
                'seededit-3.0, not "4"'
            ),
        ),
        ("crop = true", "crop is for grid; this job is t2i"),
        ('photos = "x"', "photos is for i2i, bulk; this job is t2i"),
        ("expect = 3", "expect is for i2i, bulk, grid; this job is t2i"),
        ("variables = 3", "variables must be a table of texts and numbers, not 3"),
        ("[variables]\n a = [1]", "variables.a must be a text or a number, not [1]"),
        ("[variables]\n a = true", "variables.a must be a text or a number, not true"),
        ("[variables.kim]\n a = 1", "variables.kim is a table; tables for groups are for grid"),
    ],
)
def test_a_wrong_entry_of_a_text_job_is_named_with_its_line(line, mistake):
    number = 5 if line.startswith("[variables]\n") else 4
    toml = f'kind = "t2i"\n\nprompt = "{{{{a fox}}}}"\n{line}\n'

    assert _mistakes(toml) == [f"job.toml:{number}: {mistake}"]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("prompts = []", "prompts must be a list of 1 to 10 texts, not 0"),
        (
            f"prompts = {json.dumps([*'abcdefghijk'])}",
            (
                'a grid takes at most 10 prompts; there are 11: "a", "b", "c", "d", "e", "f", "g", '
                '"h", "i", "j", "k"; take some away, or move them into a second job'
            ),
        ),
        ('prompts = "p"', 'prompts must be a list of 1 to 10 texts, not "p"'),
        ('prompts = ["p", 2]', "prompts[2] must be a text, not 2"),
        (
            'prompts = ["p", "{a"]',
            'in prompts[2], the "{" at character 1 is never closed; write "{{" for a brace itself',
        ),
        ('prompts = ["p"]\ncommon = 3', "common must be a folder or a list of photos, not 3"),
        ('prompts = ["p"]\ncommon = ["a", 3]', "common[2] must be the name of a photo, not 3"),
        (
            'prompts = ["p"]\ngroups = ["a"]',
            (
                "groups must be a folder of folders, or a table that gives each group its photos, "
                'not ["a"]'
            ),
        ),
        ('prompts = ["p"]\ngroups.a = 3', "groups.a must be a folder or a list of photos, not 3"),
        ('prompts = ["p"]\ngroups.a = ["x", 3]', "groups.a[2] must be the name of a photo, not 3"),
        ('prompts = ["p"]\nlabels.a = 3', "labels.a must be a text, not 3"),
        ('prompts = ["p"]\nprompt = "p"', "prompt is for t2i, i2i, bulk; this job is grid"),
    ],
)
def test_a_wrong_entry_of_a_grid_is_named_with_its_line(line, mistake):
    toml = f'kind = "grid"\n{line}\n'
    number = 2 + line.count("\n")

    assert _mistakes(toml) == [f"job.toml:{number}: {mistake}"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines():
    toml = 'promt = "a"\ncount = 20\nkind = "gird"\nprompt = "{"\n[variables.man]\nage = true'

    assert _mistakes(toml) == [
        'job.toml:1: there is no key "promt"; did you mean "prompt"?',
        "job.toml:2: count must be a whole number from 1 to 15, not 20",
        'job.toml:3: kind must be one of t2i, i2i, bulk, grid, not "gird"; did you mean "grid"?',
        (
            'job.toml:4: in prompt, the "{" at character 1 is never closed; write "{{" for a brace '
            "itself"
        ),
        "job.toml:6: variables.man.age must be a text or a number, not true",
    ]


def test_a_mistake_says_what_was_found_and_what_is_allowed():
    with pytest.raises(JobInvalidError) as caught:
        read_job(b'kind = "t2i"\nprompt = "x"\ncount = 99')

    assert astuple(caught.value.problems[0])[2:] == (
        3,
        "count",
        "99",
        "a whole number from 1 to 15",
    )


def test_a_missing_key_that_slipped_into_a_table_is_found_there():
    assert _mistakes('kind = "t2i"\n[variables]\na = 1\nprompt = "{a}"') == [
        (
            "job.toml: prompt is missing (it stands below [variables]; move it above): a t2i job "
            "needs a text"
        )
    ]
    assert _mistakes('kind = "grid"') == [
        "job.toml: prompts is missing: a grid job needs a list of 1 to 10 texts"
    ]


def test_a_program_may_send_null_whole_floats_and_lists_as_text():
    spec = spec_from_json(
        '{"kind": "i2i", "prompt": "p", "photos": "[\\"/a/1.jpg\\"]", "count": 3.0, "seed": null}'
    )

    assert (spec.photos, spec.count, spec.seed) == (("/a/1.jpg",), 3, None)
    assert spec_from_json({"kind": "t2i", "prompt": "[a fox"}).prompt == "[a fox"


@pytest.mark.parametrize("sent", ["fox", 3, [], None, "[1]", "{"])
def test_a_program_that_sends_no_object_is_told_so(sent):
    with pytest.raises(JobInvalidError) as caught:
        spec_from_json(sent)

    assert str(caught.value.problems[0]) == "job: a job is an object with keys"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_job_or_mistakes(data):
    try:
        read_job(data)
    except JobInvalidError as error:
        refusal = error
    else:
        return

    assert refusal.problems


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["kind", "prompt", "prompts", "photos", "groups", "variables", "count", "x"])


@given(st.dictionaries(keys, values | st.sampled_from(["grid", "t2i", "bulk"]), max_size=6))
def test_any_object_is_a_job_or_mistakes(obj):
    try:
        spec_from_json(obj)
    except JobInvalidError as error:
        refusal = error
    else:
        return

    assert refusal.problems


@pytest.mark.parametrize(
    ("toml", "hint"),
    [
        ('성별 = "x"', "names in other letters than a-z stand in quotes"),
        ("[variables.강아지]", "names in other letters than a-z stand in quotes"),
        ("[variables.man chubby]", "names with spaces stand in quotes"),
        ('kind: "t2i"', "an entry is name = value, and names with spaces stand in quotes"),
        ("kind = \u201ct2i\u201d", "texts stand in straight quotes"),
        ('prompt = "a "red" fox"', 'a quote within a text is written \\"'),
        ('prompt = """a fox', "a text that begins with three quotes ends with three"),
        ('prompts = ["a" "b"]', "items of a list stand apart by commas, and ] ends it"),
        ('photos = "a\\photos"', "write folders with / instead"),
    ],
)
def test_common_slips_of_toml_come_with_their_cure(toml, hint):
    with pytest.raises(JobInvalidError) as refused:
        read_job(toml.encode())

    (problem,) = refused.value.problems
    assert problem.message.endswith(f"; {hint}")
