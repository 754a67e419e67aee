import os
import stat

import pytest

from seedream_daemon.errors import ConfigError
from seedream_daemon.mcp_server.secret_files import read_or_make_secret


def test_a_secret_is_made_once_and_is_ours_alone(tmp_path):
    path = tmp_path / "state" / "mcp-token"

    secret = read_or_make_secret(path)

    assert len(secret) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make_secret(path) == secret


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_secret_that_others_could_read_is_refused(tmp_path, mode):
    path = tmp_path / "mcp-token"
    read_or_make_secret(path)
    path.chmod(mode)

    with pytest.raises(ConfigError, match="chmod 600"):
        read_or_make_secret(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_secret_is_refused(tmp_path):
    path = tmp_path / "mcp-token"
    read_or_make_secret(path)
    os.chown(path, 4711, -1)

    with pytest.raises(ConfigError, match="belongs to user 4711"):
        read_or_make_secret(path)


def test_a_link_to_a_secret_is_refused(tmp_path):
    read_or_make_secret(tmp_path / "real")
    (tmp_path / "mcp-token").symlink_to("real")

    with pytest.raises(ConfigError, match="cannot be read"):
        read_or_make_secret(tmp_path / "mcp-token")


def test_a_secret_that_can_be_guessed_is_refused(tmp_path):
    path = tmp_path / "mcp-token"
    path.touch(mode=0o600)

    with pytest.raises(ConfigError, match="no secret"):
        read_or_make_secret(path)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ConfigError):
        read_or_make_secret(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError):
        read_or_make_secret(tmp_path / "file" / "mcp-token")
