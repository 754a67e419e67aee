"""Secrets of our own that outlive a restart: the token of HTTP, the key that seals questions."""

import os
import secrets
import stat
from pathlib import Path

from seedream_daemon.errors import ConfigError

_MOST_BYTES = 4096


def read_or_make_secret(path: Path) -> str:
    """Give the secret in a file, making the file (mode 0600) where there is none; blocks.

    Raises ConfigError if others could read it, if it is somebody else's, or if it is empty.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return _make(path)
    except OSError as error:
        raise ConfigError(f"The secret in {path} cannot be read: {error.strerror}.") from error
    try:
        _refuse_what_others_know(path, os.fstat(descriptor))
        found = os.read(descriptor, _MOST_BYTES).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if len(found) < 32:
        raise ConfigError(
            f"{path} holds no secret of at least 32 characters. Delete it; a new one is made."
        )
    return found


def _make(path: Path) -> str:
    secret = secrets.token_urlsafe(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return read_or_make_secret(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be made: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return secret


def _refuse_what_others_know(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path} is not a file. Remove it; a new one is made.")
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"{path} belongs to user {found.st_uid}, not to us ({os.geteuid()}). Delete it; a new "
            "one is made."
        )
    if mode & 0o077:
        raise ConfigError(
            f"{path} can be read by others (mode {mode:04o}). If nobody has read it, run "
            f"`chmod 600 {path}`; else delete it, and a new one is made."
        )
