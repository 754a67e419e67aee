import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.tools.arguments import input_schemas, output_schemas
from seedream_daemon.tools.refusal import ToolRefusedError
from seedream_daemon.tools.shapes import SHAPES, parse

BANNED = {"anyOf", "oneOf", "allOf", "not", "$ref", "$defs"}


def walk(schema, path=""):
    if isinstance(schema, dict):
        for key, value in schema.items():
            yield f"{path}/{key}", key, value
            yield from walk(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from walk(value, f"{path}/{number}")


@pytest.mark.parametrize("tool", SHAPES)
def test_no_input_schema_holds_what_some_hosts_refuse(tool):
    for path, key, value in walk(input_schemas()[tool]):
        assert key not in BANNED or path.endswith("/properties/" + key), path
        if key == "type" and not path.endswith("/properties/type"):
            assert isinstance(value, str), path
            assert value != "null", path


def test_the_job_is_described_once_and_with_every_key_of_job_toml():
    from seedream_daemon.job.schema import KEYS

    schemas = input_schemas()
    assert list(schemas["submit_job"]["properties"]["spec"]["properties"]) == list(KEYS)
    assert "properties" not in schemas["check_job"]["properties"]["spec"]


def test_the_schemas_are_short():
    def size(schemas):
        return len(json.dumps(schemas, ensure_ascii=False, separators=(",", ":")).encode())

    assert size(input_schemas()) <= 8_000
    assert size(output_schemas()) <= 8_000


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("get_job", {"jobid": "x"}, 'get_job has no argument "jobid". Did you mean job_id?'),
        ("get_job", {}, "job_id is missing"),
        ("get_job", {"job_id": "x", "wait_seconds": 46}, "from 0 to 45"),
        ("get_job", {"job_id": "x", "wait_seconds": "5"}, "wait_seconds must be a whole number"),
        ("get_job", {"job_id": 5}, "job_id must be a text"),
        ("get_status", {"x": 1}, "takes no arguments"),
        ("list_jobs", {"state": "runing"}, "one of waiting, running"),
        ("list_jobs", {"limit": 0}, "from 1 to 100"),
        ("generate_image", {}, "generate_image needs prompt"),
        ("edit_image", {"prompt": "x"}, "edit_image needs photos"),
        ("generate_image", {"prompt": "x", "photos": []}, 'no argument "photos"'),
        ("submit_job", {"spec": {}, "request_key": "a\nb"}, "printable"),
        ("submit_job", {"spec": {}, "request_key": "k" * 65}, "1 to 64"),
        ("submit_job", {"spec": {}, "confirm_usd": float("nan")}, "confirm_usd must be"),
        ("view_image", {"session": "x", "max_side": 2000}, "from 64 to 1568"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(tool, arguments, text):
    with pytest.raises(ToolRefusedError) as caught:
        parse(tool, arguments)
    assert caught.value.code == "bad_argument"
    assert text in caught.value.message


def test_null_is_absent_and_a_whole_float_is_whole():
    own, job = parse(
        "generate_image", {"prompt": "x", "count": 2.0, "size": None, "wait_seconds": 30.0}
    )
    assert (own.wait_seconds, job) == (30, {"prompt": "x", "count": 2})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(SHAPES)), st.data())
def test_arguments_are_read_or_refused_whatever_they_are(tool, data):
    known = [*SHAPES[tool].job_keys, *SHAPES[tool].own.model_fields, "other"]
    arguments = data.draw(st.dictionaries(st.sampled_from(known), json_values))
    with contextlib.suppress(ToolRefusedError):
        parse(tool, arguments)
