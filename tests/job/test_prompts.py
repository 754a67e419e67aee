import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.job.prompts import TemplateError, parse_template


def test_variables_take_their_values_and_doubled_braces_stay():
    template = parse_template("{who} in {{a}} {place}, {who}")

    assert template.variables == ("who", "place")
    assert template.fill({"who": "kim", "place": "{x}"}) == "kim in {a} {x}, kim"


def test_names_are_of_any_script_and_compared_composed():
    template = parse_template("a {\u1109\u1165\u11bc\u1107\u1167\u11af} {naïve_2}")

    assert template.variables == ("성별", "naïve_2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a {gender", 'the "{" at character 3 is never closed; write "{{" for a brace itself'),
        ("a {b {c}", 'the "{" at character 3 is never closed; write "{{" for a brace itself'),
        ("a } b", 'the "}" at character 3 closes nothing; write "}}" for a brace itself'),
        ("{{a}", 'the "}" at character 4 closes nothing; write "}}" for a brace itself'),
        (
            "{}",
            (
                '"{}" at character 1 is no variable: a name is letters, digits and "_", '
                "and no digit comes first"
            ),
        ),
        (
            "x{ a }",
            (
                '"{ a }" at character 2 is no variable: a name is letters, digits and "_", '
                "and no digit comes first"
            ),
        ),
        (
            "{1a}",
            (
                '"{1a}" at character 1 is no variable: a name is letters, digits and "_", '
                "and no digit comes first"
            ),
        ),
    ],
)
def test_a_prompt_that_cannot_be_read_says_where(text, message):
    with pytest.raises(TemplateError) as caught:
        parse_template(text)

    assert str(caught.value) == message


@given(st.text())
def test_any_text_is_itself_once_its_braces_are_doubled(text):
    doubled = text.replace("{", "{{").replace("}", "}}")

    assert parse_template(doubled).fill({}) == text


@given(st.text("{}ab_1 "))
def test_a_readable_prompt_asks_for_all_that_filling_needs(text):
    try:
        template = parse_template(text)
    except TemplateError:
        return

    assert isinstance(template.fill(dict.fromkeys(template.variables, "v")), str)
