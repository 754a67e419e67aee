"""Whether drops can be moved through an inbox: an empty folder is moved there to find out."""

import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from seedream_daemon.errors import ConfigError

WAY = ("_running", "_done", "_failed")  # where a drop goes


def try_to_move(root: int, named: Path, folders: Iterable[str] = WAY) -> None:
    """Move an empty folder through all of them: equal device numbers alone promise nothing.

    `root` is the opened inbox, `named` its path for messages. Raises ConfigError where a folder
    lies on another file system, OSError else. Blocks.
    """
    name = here = f".seedream-probe-{secrets.token_hex(4)}"
    os.mkdir(here, dir_fd=root)
    try:
        for folder in folders:
            there = f"{folder}/{name}"
            _move_or_explain(root, here, there, named)
            here = there
    finally:
        os.rmdir(here, dir_fd=root)


def _move_or_explain(root: int, here: str, there: str, named: Path) -> None:
    try:
        os.rename(here, there, src_dir_fd=root, dst_dir_fd=root)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise ConfigError(
            f"{(named / there).parent} lies on another file system than {named}, so that drops "
            "cannot be moved there. Make it an ordinary folder of the inbox."
        ) from error
