import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

_SCRUBBED = ("ARK_", "SEEDREAM_", "MCP_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


# A property is tried on a few examples here, and on many in CI. Machines differ too much for a
# deadline to mean anything.
settings.register_profile("ordinary", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ordinary"))

# What CI cannot offer: a machine where root reads less, another user's way to a clone, a model
# that is not ours to ship, a kernel with a small queue. Every other skip there hides a test.
_MAY_SKIP = (
    "root reads every folder",
    "root may read everything",
    "other users cannot read the program",
    "FACE_MODEL_PATH names no YuNet",
    "max_queued_events is",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """In CI a test that skips for want of a tool fails: the tools are to be installed there."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(known in reason for known in _MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where nothing may be missing: {reason}"
    return report


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def _scrubbed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_SCRUBBED) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)


class Emulator:
    """An emulator in a process of its own."""

    def __init__(self, bill_path: Path, *words: str) -> None:
        self._bill_path = bill_path
        command = [sys.executable, "-m", "seedream_daemon.emulator", "--bill", str(bill_path)]
        self.process = subprocess.Popen(
            [*command, *words], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        try:
            self.first_line = self.process.stdout.readline().rstrip("\n")
            assert self.first_line.startswith("listening on "), "see its standard error"
            self.base_url = self.first_line.removeprefix("listening on ")
        except BaseException:
            self.kill()
            raise

    def bill(self) -> list[dict]:
        """What was paid for so far, oldest first."""
        lines = self._bill_path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def stop(self) -> int:
        """Ask it to end, as systemd would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=10)
        finally:
            self.kill()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Emulator]]:
    """Start emulators: `emulator("--latency", "1", faults='[[fault]] ...')`."""
    with ExitStack() as stopping:

        def start(*words: str, faults: str | None = None) -> Emulator:
            folder = tmp_path_factory.mktemp("emulator")
            if faults is not None:
                script = folder / "faults.toml"
                script.write_text(faults, encoding="utf-8")
                words = (*words, "--faults", str(script))
            started = Emulator(folder / "bill.jsonl", *words)
            stopping.callback(started.kill)
            return started

        yield start
