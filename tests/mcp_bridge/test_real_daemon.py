"""The bridge with whole daemons: started by it, killed under it, replaced, or out of its reach."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Whole daemons, many of them: long, and run by .ci/run beside the ordinary tests.
pytestmark = pytest.mark.slow

CALL_S = 40.0


class Home:
    """Folders of one operator, the settings that a host gives, and the daemons that run on them."""

    def __init__(self, root: Path, base_url: str, environment: dict[str, str]) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.settings = {
            "ARK_BASE_URL": base_url,
            "INBOX_DIR": str(self.inbox),
            "OUTPUT_BASE_DIR": str(root / "outputs"),
            "SETTLE_SECONDS": "0",
        }
        self.environment = {**environment, **self.settings}
        self._started: list[subprocess.Popen] = []

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-P", "-m", "seedream_daemon", *words],
            cwd="/",
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    def serve(self, *words: str, **more: str) -> subprocess.Popen:
        """Start an ordinary daemon, as an operator would."""
        self._started.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "seedream_daemon", "serve", *words],
                cwd="/",
                env={**self.environment, **more},
                stderr=subprocess.DEVNULL,
            )
        )
        return self._started[-1]

    def status(self, **more: str) -> dict | None:
        """What the daemon says that answers, None where none does."""
        found = self.run("status", "--json", **more)
        return json.loads(found.stdout) if found.returncode == 0 else None

    def end(self) -> None:
        with contextlib.suppress(TypeError, ProcessLookupError):
            os.kill(self.status()["pid"], signal.SIGKILL)
        for daemon in self._started:
            daemon.kill()
            daemon.wait()


@pytest.fixture
def home(tmp_path, emulator, environment):
    made = Home(tmp_path, emulator("--latency", "2").base_url, environment)
    yield made
    made.end()


def wait_for(condition, within_s=30.0):
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def call_until_answered(bridge, method, params):
    """Ask again where the daemon died before it could answer, as an agent would."""
    while "error" in (answer := bridge.ask(method, params)):
        assert "list_jobs" in answer["error"]["message"]
    return answer["result"]


def get_status(bridge, identity="status"):
    bridge.send(
        {
            "jsonrpc": "2.0",
            "id": identity,
            "method": "tools/call",
            "params": {"name": "get_status", "arguments": {}},
        }
    )
    return bridge.hear(CALL_S)["result"]["structuredContent"]


def text_of(answer):
    return answer["result"]["content"][0]["text"]


def test_a_daemon_is_started_on_demand_and_outlives_its_bridge(home, host):
    bridge = host(**home.settings)
    bridge.hello()

    found = get_status(bridge)
    assert found["folders"]["inbox"] == str(home.inbox)
    daemon = home.status()["pid"]
    assert os.getsid(daemon) == daemon
    assert bridge.leave() == (0, "")

    assert home.status()["pid"] == daemon
    log = home.root / "state" / "on-demand.log"
    assert log.stat().st_mode & 0o077 == 0


def test_bridges_that_start_at_once_share_one_daemon(home, host):
    bridges = [host(**home.settings) for _ in range(4)]
    for bridge in bridges:
        bridge.hello()

    found = [get_status(bridge) for bridge in bridges]

    assert [one["folders"]["inbox"] for one in found] == [str(home.inbox)] * 4


def test_after_a_kill_with_a_call_in_flight_the_same_bridge_answers(home, host):
    bridge = host(**home.settings)
    bridge.hello()
    get_status(bridge)
    first = home.status()["pid"]
    arguments = {"prompt": "a lighthouse", "preset": "1K", "wait_seconds": 30}
    bridge.send(
        {
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": {"name": "generate_image", "arguments": arguments},
        }
    )
    wait_for(lambda: any((home.root / "outputs").glob("*/journal-*")))

    os.kill(first, signal.SIGKILL)

    lost = bridge.hear(CALL_S)
    assert lost["id"] == 7
    assert "list_jobs" in lost["error"]["message"]
    bridge.send(
        {
            "jsonrpc": "2.0",
            "id": 8,
            "method": "tools/call",
            "params": {"name": "list_jobs", "arguments": {}},
        }
    )
    jobs = bridge.hear(CALL_S)["result"]["structuredContent"]["jobs"]
    assert [job["kind"] for job in jobs] == ["t2i"]
    assert home.status()["pid"] != first


def test_an_ordinary_service_takes_over_under_a_living_bridge(home, host):
    bridge = host(**home.settings)
    bridge.hello()
    get_status(bridge)

    service = home.serve()

    wait_for(lambda: (home.status() or {}).get("pid") == service.pid)
    assert get_status(bridge)["state"] == "ok"
    assert home.status()["pid"] == service.pid


def test_a_running_service_is_used_and_none_is_started(home, host):
    service = home.serve()
    wait_for(home.status)
    bridge = host(**home.settings)

    bridge.hello()
    get_status(bridge)

    assert home.status()["pid"] == service.pid
    assert not (home.root / "state" / "on-demand.log").exists()


def test_a_hostile_folder_chooses_nothing(home, host, tmp_path):
    folder = tmp_path / "repository"
    (folder / "env.local").write_text("INBOX_DIR=stolen\nARK_API_KEY=theirs\n", encoding="utf-8")
    (folder / "env.local").chmod(0o600)
    (folder / "job.toml").write_text('kind = "t2i"\nprompt = "x"\n', encoding="utf-8")
    for name in ("cropper_v2.py", "json.py", "sitecustomize.py", "seedream_daemon.py"):
        (folder / name).write_text("open('ran', 'w').close()\nraise SystemExit\n", encoding="utf-8")
    before = sorted(folder.iterdir())

    bridge = host(**home.settings)
    bridge.hello()

    assert get_status(bridge)["folders"]["inbox"] == str(home.inbox)
    assert sorted(folder.iterdir()) == before


def test_an_inbox_of_a_daemon_out_of_reach_gets_no_second_one(home, host):
    theirs = str(home.root / "theirs")
    service = home.serve(STATE_DIR=theirs)
    wait_for(lambda: home.status(STATE_DIR=theirs))
    bridge = host(**home.settings)
    bridge.hello()

    bridge.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_jobs"}}
    )
    answer = bridge.hear(CALL_S)

    assert text_of(answer).startswith("no_daemon: The inbox ")
    assert f"process {service.pid} on" in text_of(answer)
    assert "Its socket is closed to you" in text_of(answer)
    assert home.status() is None


def test_what_the_command_line_would_say_is_said_by_every_tool(home, host):
    wrong = {**home.settings, "MAX_PARALLEL": "many"}
    bridge = host(**wrong)
    bridge.hello()

    answer = bridge.call("list_jobs")

    said = home.run("serve", MAX_PARALLEL="many").stderr
    sentence = said.removeprefix("seedream-daemon: ").strip()
    assert text_of(answer) == f"not_configured: {sentence}"
    found = get_status(bridge)
    assert found["problems"] == [{"what": "not_configured", "mend": sentence}]


def test_a_missing_key_is_not_configured(home, host):
    bridge = host(**{**home.settings, "ARK_BASE_URL": "https://ark.invalid/api/v3"})
    bridge.hello()

    assert text_of(bridge.call("list_jobs")).startswith("not_configured: ARK_API_KEY is not set.")


def test_a_state_folder_that_cannot_be_made_is_not_configured(home, host):
    (home.root / "file").write_bytes(b"")
    bridge = host(**{**home.settings, "STATE_DIR": str(home.root / "file" / "state")})
    bridge.hello()

    assert text_of(bridge.call("list_jobs")).startswith("not_configured: STATE_DIR ")


META = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "host", "version": "1"},
    }
}


def drop(home, name):
    """Put a job into the inbox that makes the status change."""
    folder = home.root / name
    folder.mkdir()
    (folder / "job.toml").write_text('kind = "t2i"\nprompt = "a lighthouse"\n', encoding="utf-8")
    folder.rename(home.inbox / name)


def hears_of_the_status(bridge):
    """Wait for word that the status has changed; give all that came until then."""
    came = []
    while not came or came[-1].get("method") != "notifications/resources/updated":
        came.append(bridge.hear(CALL_S))
    assert came[-1]["params"]["uri"] == "seedream://status"
    return came[:-1]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_stream_of_2026_goes_on_after_a_kill_and_a_stop(home, host, how):
    bridge = host(**home.settings)
    found = bridge.ask("server/discover", META, "discover")["result"]
    assert "2026-07-28" in found["supportedVersions"]
    wanted = {"notifications": {"resourceSubscriptions": ["seedream://status"]}, **META}
    listen = {"jsonrpc": "2.0", "id": 4, "method": "subscriptions/listen", "params": wanted}
    bridge.send(listen)
    assert bridge.hear(CALL_S)["method"] == "notifications/subscriptions/acknowledged"

    os.kill(home.status()["pid"], how)
    params = {"name": "get_status", "arguments": {}, **META}
    assert call_until_answered(bridge, "tools/call", params)["resultType"] == "complete"
    drop(home, "one")

    assert hears_of_the_status(bridge) == []


def test_a_subscription_of_the_handshake_eras_goes_on_after_a_kill(home, host):
    bridge = host(**home.settings)
    bridge.hello()
    bridge.send(
        {
            "jsonrpc": "2.0",
            "id": 4,
            "method": "resources/subscribe",
            "params": {"uri": "seedream://status"},
        }
    )
    assert bridge.hear(CALL_S)["result"] == {}

    os.kill(home.status()["pid"], signal.SIGKILL)
    call_until_answered(bridge, "tools/call", {"name": "get_status", "arguments": {}})
    drop(home, "one")

    assert all("id" not in message for message in hears_of_the_status(bridge))


@pytest.mark.slow
def test_fifty_bridges_share_one_daemon(home, host):
    home.serve()
    wait_for(home.status)
    bridges = [host(**home.settings) for _ in range(50)]
    for bridge in bridges:
        bridge.hello()

    versions = {get_status(bridge)["version"] for bridge in bridges}

    assert len(versions) == 1
    assert all(bridge.leave()[0] == 0 for bridge in bridges)
