import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from seedream_daemon.emulator.__main__ import main as emulate

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


# Emulators are forked from a process that has loaded the program once: a start takes 20 ms of a
# core instead of 400.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([emulate.__module__])


class Emulator:
    """An emulator in a process of its own."""

    def __init__(self, bill_path: Path, *words: str) -> None:
        self._bill_path = bill_path
        said, says = _FORKS.Pipe(duplex=False)
        with said:
            with says:
                self.process = _FORKS.Process(
                    target=emulate, args=(("--bill", str(bill_path), *words), says.send)
                )
                self.process.start()
            try:
                self.base_url = said.recv().removeprefix("listening on ")
            except BaseException:
                self.kill()
                raise

    def bill(self) -> list[dict]:
        """What was paid for so far, oldest first."""
        lines = self._bill_path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def stop(self) -> int:
        """Ask it to end, as systemd would; the exit code."""
        self.process.terminate()
        self.process.join(timeout=10)
        exit_code = self.process.exitcode
        self.kill()
        assert exit_code is not None, "it did not end"
        return exit_code

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


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
