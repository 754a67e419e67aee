"""Where the bridge looks, beside what the settings say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.mcp_bridge.place import (
    SYSTEM_SOCKET,
    NotConfiguredError,
    find_place,
    platform_state_dir,
    settings_file,
)
from seedream_daemon.settings import load_settings

HOME = {"HOME": "/home/mina"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"XDG_STATE_HOME": "/var/mina"},
        {"XDG_STATE_HOME": "relative"},
        {"STATE_DIRECTORY": "/var/lib/seedream-daemon:/var/lib/other"},
        {"STATE_DIR": "/srv/state"},
        {"STATE_DIR": " /srv/state "},
        {"STATE_DIR": "~/state"},
        {"STATE_DIR": ""},
    ],
)
def test_the_state_folder_is_that_of_the_settings(environment):
    settings, _ = load_settings({**HOME, **environment}, use_current_folder=False)

    assert find_place({**HOME, **environment}, None).state_dir == settings.state_dir


@pytest.mark.parametrize(
    "line",
    [
        "STATE_DIR=state",
        "STATE_DIR=../state",
        "STATE_DIR = /srv/state",
        "export STATE_DIR=/srv/state",
        'STATE_DIR="/srv/my state"',
        "STATE_DIR='/srv/my state' # where",
        "STATE_DIR=/srv/state # where",
        "STATE_DIR=/srv/st#ate",
        "STATE_DIR=~/state",
        "#STATE_DIR=/srv/state",
        "STATE_DIR=",
        "STATE_DIR=/srv/a\nSTATE_DIR=/srv/b",
        "\ufeffSTATE_DIR=/srv/state\r",
        "STATE_DIR=/srv/한국",
    ],
)
def test_a_settings_file_is_read_as_the_settings_read_it(tmp_path, line):
    file = tmp_path / "env.local"
    file.write_text(f"ARK_API_KEY=sk-1\n{line}\nMAX_PARALLEL=4\n", encoding="utf-8")
    settings, _ = load_settings(HOME, file, use_current_folder=False)

    assert find_place(HOME, str(file)).state_dir == settings.state_dir


@given(
    name=st.text(st.characters(blacklist_categories=("C", "Z"), blacklist_characters="'\"#\\$`"))
)
def test_any_plain_folder_name_is_read_as_the_settings_read_it(tmp_path_factory, name):
    file = tmp_path_factory.mktemp("settings") / "env.local"
    file.write_text(f"STATE_DIR=/srv/{name}\n", encoding="utf-8")
    settings, _ = load_settings(HOME, file, use_current_folder=False)

    assert find_place(HOME, str(file)).state_dir == settings.state_dir


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / "env.local"
    file.write_text("STATE_DIR=/srv/file\n", encoding="utf-8")

    place = find_place({**HOME, "STATE_DIR": "/srv/environment"}, str(file))

    assert place.state_dir == Path("/srv/environment")


def test_the_own_socket_is_tried_before_the_systems(tmp_path):
    place = find_place({"STATE_DIR": str(tmp_path)}, None)

    assert place.sockets == (tmp_path / "mcp.sock", SYSTEM_SOCKET)
    assert place.may_start


def test_a_long_state_folder_has_its_socket_elsewhere(tmp_path):
    place = find_place({"STATE_DIR": str(tmp_path / ("long" * 30))}, None)

    assert len(str(place.sockets[0])) <= 100


def test_the_users_own_file_is_found_and_that_of_the_current_folder_is_not(tmp_path):
    config = tmp_path / "config"
    own = config / "seedream-daemon" / "env.local"
    environment = {**HOME, "XDG_CONFIG_HOME": str(config)}
    assert settings_file(environment, None) is None

    own.parent.mkdir(parents=True)
    own.write_text("STATE_DIR=state\n", encoding="utf-8")

    assert settings_file(environment, None) == own
    assert find_place(environment, None).state_dir == own.parent / "state"


def test_a_named_file_wins_over_the_users_own(tmp_path):
    own = tmp_path / "seedream-daemon" / "env.local"
    own.parent.mkdir()
    own.write_text("", encoding="utf-8")
    named = tmp_path / "named"
    named.write_text("", encoding="utf-8")
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "SEEDREAM_ENV_FILE": str(named)}

    assert settings_file(environment, None) == named
    assert settings_file({**environment, "SEEDREAM_ENV_FILE": ""}, str(named)) == named


@pytest.mark.parametrize("name", ["STATE_DIR", "SEEDREAM_SOCKET", "SEEDREAM_ENV_FILE"])
def test_a_relative_path_of_the_environment_is_refused(name):
    with pytest.raises(NotConfiguredError, match=f"{name} is 'here'"):
        find_place({**HOME, name: "here"}, None)


def test_a_relative_settings_file_is_refused():
    with pytest.raises(NotConfiguredError, match="--env"):
        find_place(HOME, "env.local")


def test_a_settings_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "env.local"
    file.write_bytes(b"STATE_DIR=\xff\xfe")

    with pytest.raises(NotConfiguredError, match="UTF-8"):
        find_place(HOME, str(file))


def test_a_home_that_is_not_set_is_looked_up():
    assert platform_state_dir({}).is_absolute()
