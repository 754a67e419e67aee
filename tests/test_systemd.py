import configparser
import os
import shutil
import socket
import subprocess
from pathlib import Path

import anyio
import pytest

from seedream_daemon.systemd import Notifier, feed_watchdog

UNITS = Path(__file__).parents[1] / "systemd"
SYSTEM = UNITS / "system" / "seedream-daemon.service"
USER = UNITS / "user" / "seedream-daemon.service"


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(5)

    def heard(self):
        return self.socket.recv(4096).decode()


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    if request.param == "path":
        name = str(tmp_path / "notify")
        manager = Manager(name)
    else:
        name = f"@seedream-test-{os.getpid()}"
        manager = Manager("\0" + name[1:])
    manager.name = name
    yield manager
    manager.socket.close()


def test_each_message_is_one_datagram(manager):
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.name})
    notifier.ready("waiting for drops")
    assert manager.heard() == "READY=1\nSTATUS=waiting for drops"
    notifier.status("3 jobs, 41/120 saved, 96 img/min, $1.23 today")
    assert manager.heard() == "STATUS=3 jobs, 41/120 saved, 96 img/min, $1.23 today"
    notifier.alive()
    assert manager.heard() == "WATCHDOG=1"
    notifier.extend(90)
    assert manager.heard() == "EXTEND_TIMEOUT_USEC=90000000"
    notifier.reloading()
    first, second = manager.heard().splitlines()
    assert (first, second.partition("=")[0]) == ("RELOADING=1", "MONOTONIC_USEC")
    notifier.stopping("4 in flight")
    assert manager.heard() == "STOPPING=1\nSTATUS=4 in flight"


def test_a_status_cannot_carry_a_message_of_its_own(manager):
    Notifier(address=manager.name).status("job a\nWATCHDOG=trigger\r\n사진" + "x" * 5000)
    heard = manager.heard()
    assert heard.startswith("STATUS=job a WATCHDOG=trigger 사진xxx")
    assert "\n" not in heard
    assert len(heard) < 500


@pytest.mark.parametrize("address", [None, "/nowhere/at/all", "@nobody-listens-here", "relative"])
def test_without_a_manager_nothing_happens(address):
    notifier = Notifier(address=address)
    notifier.ready("")
    notifier.alive()


@pytest.mark.parametrize(
    ("left", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_it_is_set_for_us(left, watchdog_s):
    assert Notifier.from_environment({"NOTIFY_SOCKET": "@x", **left}).watchdog_s == watchdog_s
    assert Notifier.from_environment(left).watchdog_s is None


async def test_the_watchdog_starves_when_the_work_stands_still(manager):
    notifier = Notifier(address=manager.name, watchdog_s=0.03)
    asked = []

    def is_alive():
        asked.append(len(asked))
        return len(asked) in {1, 2}

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed_watchdog, notifier, is_alive)
            while len(asked) < 6:  # noqa: ASYNC110 - the loop's own turns are what is counted
                await anyio.sleep(0.005)
            tasks.cancel_scope.cancel()
    manager.socket.settimeout(0)
    assert [manager.heard() for _ in range(2)] == ["WATCHDOG=1"] * 2
    with pytest.raises(BlockingIOError):
        manager.heard()


async def test_without_a_watchdog_nobody_is_asked():
    with anyio.fail_after(5):
        await feed_watchdog(Notifier(), is_alive=lambda: pytest.fail("asked"))


def analyze(*words, env=None):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: package systemd)")
    command = ["systemd-analyze", *map(str, words)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )


def installed(unit, tmp_path):
    """A copy whose program exists here, as it would where it is installed."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    started = [i for i, line in enumerate(lines) if line.startswith("ExecStart=")]
    program, _, words = lines[started[0]].removeprefix("ExecStart=").partition(" ")
    assert (program.rpartition("/")[2], words.rpartition(" ")[2]) == ("seedream-daemon", "serve")
    lines[started[0]] = f"ExecStart=/bin/true {words}"
    copy = tmp_path / unit.name
    copy.write_text("\n".join(lines), encoding="utf-8")
    return copy


def test_systemd_finds_nothing_wrong_with_the_system_unit(tmp_path):
    done = analyze("verify", installed(SYSTEM, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_nothing_wrong_with_the_user_unit(tmp_path):
    done = analyze(
        "--user", "verify", installed(USER, tmp_path), env={"XDG_RUNTIME_DIR": str(tmp_path)}
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_system_unit_is_exposed_no_more_than_it_must_be(tmp_path):
    done = analyze("security", "--offline=true", "--threshold=15", installed(SYSTEM, tmp_path))
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def keys(unit):
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(unit.read_text(encoding="utf-8"))
    return parser["Service"]


@pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
def test_what_the_daemon_relies_on_stands_in_both_units(unit):
    service = keys(unit)
    assert service["Type"] == "notify"
    assert service["RestartPreventExitStatus"] == "3"
    assert service["TimeoutStopSec"] == "120"
    assert service["KillMode"] == "mixed"
    assert "ARK_API_KEY=" not in unit.read_text(encoding="utf-8")
    assert service["LoadCredential"].startswith("ark-api-key:")


def test_sessions_are_private_to_a_user_and_to_the_group_of_a_system():
    assert keys(USER)["UMask"] == "0077"
    assert keys(SYSTEM)["UMask"] == "0027"
    assert "DynamicUser" not in SYSTEM.read_text(encoding="utf-8").replace(
        "which a DynamicUser", ""
    )


@pytest.fixture
def fake_root(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give folders to another user")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n", encoding="utf-8")
    (tmp_path / "etc/group").write_text("root:x:0:\n", encoding="utf-8")
    return tmp_path


def succeed(*words):
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed (Debian: package systemd)")
    done = subprocess.run(
        [str(word) for word in words], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_user_and_the_folders_are_made_as_told(fake_root):
    succeed("systemd-sysusers", f"--root={fake_root}", UNITS / "sysusers.d/seedream-daemon.conf")
    groups = (fake_root / "etc/group").read_text(encoding="utf-8").splitlines()
    gid = next(line for line in groups if line.startswith("seedream:")).split(":")[2]
    # Names in an ACL are looked up in the machine's own tables, not in those of --root.
    text = (UNITS / "tmpfiles.d/seedream-daemon.conf").read_text(encoding="utf-8")
    copy = fake_root / "folders.conf"
    copy.write_text(text.replace("group:seedream:", f"group:{gid}:"), encoding="utf-8")
    succeed("systemd-tmpfiles", "--create", f"--root={fake_root}", copy)
    modes = {
        str(path.relative_to(fake_root / "srv")): oct(path.stat().st_mode & 0o7777)
        for path in (fake_root / "srv").rglob("*")
    }
    assert modes == {
        "seedream": "0o755",
        "seedream/inbox": "0o2770",
        "seedream/inbox/_done": "0o2770",
        "seedream/inbox/_failed": "0o2770",
        "seedream/outputs": "0o2750",
    }
    # A folder that is copied in with umask 022 is the group's to write to all the same.
    before = os.umask(0o022)
    try:
        (fake_root / "srv/seedream/inbox/shoot").mkdir()
    finally:
        os.umask(before)
    assert (fake_root / "srv/seedream/inbox/shoot").stat().st_mode & 0o070 == 0o070
