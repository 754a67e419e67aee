"""What README and env.example say is true."""

import re
from pathlib import Path

import pytest

from seedream_daemon.ark.failures import advice
from seedream_daemon.cli.main import program
from seedream_daemon.job.schema import markdown_table
from seedream_daemon.job.spec import read_job
from seedream_daemon.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_keys_is_that_of_the_schema() -> None:
    begin, end = "<!-- made by: seedream-daemon schema --markdown -->\n", "<!-- end -->"
    table = README.split(begin)[1].split(end)[0]
    assert table.strip() == markdown_table().strip()


@pytest.mark.parametrize("name", sorted(program.commands))
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"`{name}[ `]", README), f"README does not tell of `{name}`"


def test_every_command_of_the_readme_exists() -> None:
    told = set(re.findall(r"^\| `([a-z]+)[ `]", README, flags=re.MULTILINE))
    rows = README.split("## Commands")[1].split("## ")[0]
    told &= set(re.findall(r"`([a-z]+)[^`]*`", rows))
    assert told <= set(program.commands)


def test_the_messages_of_the_troubleshooting_table_are_those_that_are_printed() -> None:
    rows = re.findall(r"^\| `(\w+(?:\.\w+)?)`: `([^`]+)` \|", README, flags=re.MULTILINE)
    assert len(rows) >= 4
    for code, message in rows:
        assert message in (advice(code) or ""), code


def test_the_jobs_of_the_readme_can_be_read() -> None:
    for text in re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL):
        read_job(text.encode())


def test_env_example_has_every_setting_with_its_default() -> None:
    text = (ROOT / "env.example").read_text(encoding="utf-8")
    told = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, flags=re.MULTILINE))
    assert set(told) == {name.upper() for name in Settings.model_fields}
    filled = {name: value for name, value in told.items() if value}
    read = Settings.from_values({"HOME": "/home/a"}, filled, file=Path("/a/env.local"))
    plain = Settings.from_values({"HOME": "/home/a"}, {}, file=Path("/a/env.local"))
    assert read == plain


def test_the_readme_begins_with_two_commands_of_one_line() -> None:
    blocks = re.findall(r"```\n(.*?)```", README, flags=re.DOTALL)[:2]
    assert [len(block.strip().splitlines()) for block in blocks] == [1, 1]
    assert "seedream-daemon demo" in blocks[0]
    assert "pytest" in blocks[1]
