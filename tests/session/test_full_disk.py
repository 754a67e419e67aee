import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "full_disk.py"


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def test_a_full_disk_tears_no_line_and_the_session_goes_on_when_there_is_room(tmp_path, picture):
    if not can_mount():
        pytest.skip("`unshare -rm` cannot mount a tmpfs here")
    content = tmp_path / "picture.jpg"
    content.write_bytes(picture(3, sides=(64, 64)))
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["unshare", "-rm", sys.executable, str(SCRIPT), str(disk), str(content)]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
