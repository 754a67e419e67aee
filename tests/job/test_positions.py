import pytest

from seedream_daemon.job.positions import line_of

TOML = b"""\
# first
kind = "grid"
prompts = [
  "a",  # one
  "b",
]
groups = {kim = [
  "x.jpg"], "b c" = "d"}
[variables]
place = "here"
"q.r".s = 1
[variables."man 1"]
gender = 'm'
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("kind",), 2),
        (("prompts",), 3),
        (("prompts", 0), 4),
        (("prompts", 1), 5),
        (("prompts", 7), 3),
        (("groups", "kim"), 7),
        (("groups", "kim", 0), 8),
        (("groups", "b c"), 8),
        (("variables",), 9),
        (("variables", "place"), 10),
        (("variables", "q.r", "s"), 11),
        (("variables", "man 1"), 12),
        (("variables", "man 1", "gender"), 13),
        (("variables", "man 1", "none"), 12),
        (("none",), None),
    ],
)
def test_entries_are_found_on_their_lines(path, line):
    assert line_of(TOML, path) == line


def test_windows_line_ends_count_once():
    assert line_of(TOML.replace(b"\n", b"\r\n"), ("variables", "place")) == 10
