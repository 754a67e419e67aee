import re
import subprocess

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SUITE = ("@modelcontextprotocol/conformance", "0.2.0-alpha.12")
TASKS = {
    "tasks-lifecycle": 9,
    "tasks-capability-negotiation": 5,
    "tasks-wire-fields": 4,
    "tasks-request-state-removal": 3,
    "tasks-mrtr-input": 4,
    "tasks-request-headers": 5,
    "tasks-dispatch-and-envelope": 9,
    "tasks-required-task-error": 3,
    "tasks-mrtr-composition": 2,
}


def judge(outside, address: str, *words: str, folder) -> subprocess.CompletedProcess:
    suite = outside.npm(*SUITE) / "dist" / "index.js"
    return subprocess.run(
        [str(outside.node() / "node"), str(suite), "server", "--url", address, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env=outside.node_env(),
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_the_http_stack_conforms(outside, fixtures_profile, tmp_path, revision):
    done = judge(outside, fixtures_profile, "--requirements", revision, folder=tmp_path)

    print(re.findall(r"Total: .*", done.stdout))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize(("scenario", "checks"), TASKS.items())
def test_the_tasks_extension_conforms(outside, tasks_profile, tmp_path, scenario, checks):
    done = judge(outside, tasks_profile, "--scenario", scenario, folder=tmp_path)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"Passed: {checks}/{checks}, 0 failed" in done.stdout + done.stderr
