import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from seedream_daemon.inbox.place import Place, open_inbox

JOB = 'kind = "bulk"\nprompt = "brighter"\n'


def png(shade: int = 0) -> bytes:
    """The smallest whole picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(bytes([0, shade]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


@pytest.fixture
def place(tmp_path) -> Place:
    opened = open_inbox(tmp_path / "inbox", state_dir=tmp_path / "state")
    assert isinstance(opened, Place)
    return opened


@pytest.fixture
def fill() -> Callable[..., Path]:
    """Make a drop: fill(folder, "a.png", "b.png", job=True)."""

    def make(folder: Path, *photos: str, job: str | None = JOB) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for shade, name in enumerate(photos):
            (folder / name).write_bytes(png(shade))
        if job is not None:
            (folder / "job.toml").write_text(job, encoding="utf-8")
        return folder

    return make


@pytest.fixture
def unshared(tmp_path) -> Callable[[str, str], None]:
    """Run shell commands and then Python in a mount namespace of their own."""
    able = subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True)
    if able.returncode != 0:
        pytest.skip("unshare -rm does not work here")

    def run(shell: str, code: str) -> None:
        script = tmp_path / "unshared.py"
        script.write_text("from pathlib import Path\n" + code, encoding="utf-8")
        mounts = f"mount --make-rprivate / && {shell} && exec {sys.executable} {script}"
        root = Path(__file__).parents[2]
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-ec", mounts],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


# Imports first: another user may not be able to read the program.
NOBODY = """
import grp, os, pwd, sys
from pathlib import Path
from seedream_daemon.inbox import sight
from seedream_daemon.inbox.claim import claim
from seedream_daemon.inbox.place import open_inbox
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
"""


@pytest.fixture
def as_nobody() -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run Python code as a user who owns nothing and is in no group but his own."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", NOBODY + code], check=False, capture_output=True, text=True
        )

    return run
