import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("armed", "passed", "status"),
    [
        (None, 3, 0),
        ("here", 0, 9),
        ("here:3", 2, 9),
        ("here:9", 3, 0),
        ("elsewhere", 3, 0),
        ("here:x", 0, 9),
    ],
)
def test_the_process_dies_at_the_nth_pass_of_the_armed_point(armed, passed, status):
    code = """
from seedream_daemon.failpoints import failpoint
for _ in range(3):
    failpoint("here")
    print("passed", flush=True)
"""
    environment = {} if armed is None else {"SEEDREAM_FAILPOINT": armed}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=False
    )
    assert done.stdout.count(b"passed") == passed
    assert done.returncode == status
