"""`serve --on-demand`: the daemon that an agent's bridge starts."""

import json
import signal
import time
from pathlib import Path

import pytest

# Whole daemons, many of them: long, and run by .ci/run beside the ordinary tests.
pytestmark = pytest.mark.slow

T2I = 'kind = "t2i"\nprompt = "a lighthouse"\npreset = "1K"\n'


def wait_for(condition, within_s=30.0):
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def pid_of(shop):
    """The pid of the daemon that answers, None where none does."""
    found = shop("status", "--json")
    return found.json["pid"] if found.code == 0 else None


def test_it_ends_by_itself_when_nobody_needs_it(program, emulator):
    shop = program(emulator().base_url)
    daemon = shop.start("serve", "--on-demand", "--idle", "1")

    assert daemon.wait(timeout=30) == 0


def test_it_does_not_end_while_a_drop_settles_or_runs(program, emulator, job_folder):
    shop = program(emulator("--latency", "1").base_url)
    drop = job_folder("one", T2I)
    (shop.home / "inbox").mkdir()
    drop.rename(shop.home / "inbox" / "one")
    daemon = shop.start("serve", "--on-demand", "--idle", "0.5", SETTLE_SECONDS="2")

    assert daemon.wait(timeout=30) == 0

    result = json.loads((shop.home / "inbox/_done/one/result.json").read_text(encoding="utf-8"))
    assert result["state"] == "done"


def test_an_ordinary_service_takes_its_place(program, emulator):
    shop = program(emulator().base_url)
    first = shop.start("serve", "--on-demand")
    old = wait_for(lambda: pid_of(shop))

    second = shop.start("serve")

    assert first.wait(timeout=30) == 0
    assert wait_for(lambda: pid_of(shop)) == second.pid != old
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=30) == 0


def test_what_it_has_in_flight_is_waited_for_before_it_is_replaced(program, emulator, job_folder):
    service = emulator("--latency", "2")
    shop = program(service.base_url)
    first = shop.start("serve", "--on-demand", SETTLE_SECONDS="0")
    wait_for(lambda: pid_of(shop))
    job_folder("one", T2I).rename(shop.home / "inbox" / "one")
    wait_for(lambda: shop("status", "--json").json["in_flight"])

    second = shop.start("serve", SETTLE_SECONDS="0")

    assert first.wait(timeout=30) == 0
    done = shop.home / "inbox" / "_done" / "one" / "result.json"
    wait_for(done.exists)
    assert len(service.bill()) == 1
    assert second.poll() is None


def test_it_never_takes_the_place_of_an_ordinary_service(program, emulator):
    shop = program(emulator().base_url)
    first = shop.start("serve")
    wait_for(lambda: pid_of(shop))

    found = shop("serve", "--on-demand")

    assert found.code == 3
    assert "is already served by" in found.err
    assert pid_of(shop) == first.pid


def test_two_ordinary_services_still_exclude_each_other(program, emulator):
    shop = program(emulator().base_url)
    shop.start("serve")
    wait_for(lambda: pid_of(shop))

    assert shop("serve").code == 3


def test_it_takes_nothing_from_the_current_folder(program, emulator):
    shop = program(emulator().base_url)
    hostile = shop.home / "env.local"
    hostile.write_text("INBOX_DIR=stolen\nMAX_PARALLEL=none\n", encoding="utf-8")
    hostile.chmod(0o600)
    (shop.home / "cropper_v2.py").write_text("raise SystemExit(9)\n", encoding="utf-8")

    found = shop("serve", "--on-demand", "--idle", "0.2")

    assert found.code == 0, found.err
    assert not (shop.home / "stolen").exists()
    assert (shop.home / "inbox").is_dir()


def test_a_relative_path_of_the_environment_is_refused(program):
    found = program("http://127.0.0.1:9/api/v3")("serve", "--on-demand", INBOX_DIR="inbox")

    assert found.code == 3
    assert "INBOX_DIR" in found.err


def test_without_a_settings_file_the_folders_must_be_named(program):
    shop = program("http://127.0.0.1:9/api/v3")

    found = shop("serve", "--on-demand", INBOX_DIR="")

    assert found.code == 3
    assert "INBOX_DIR cannot be guessed without a settings file" in found.err
    assert not (Path(shop.home) / "inbox").exists()


def test_the_users_own_settings_file_is_used(program, emulator):
    shop = program(emulator().base_url)
    own = shop.home / ".config" / "seedream-daemon" / "env.local"
    own.parent.mkdir(parents=True)
    own.write_text("INBOX_DIR=in\nOUTPUT_BASE_DIR=out\n", encoding="utf-8")
    for name in ("INBOX_DIR", "OUTPUT_BASE_DIR"):
        del shop.env[name]

    found = shop("serve", "--on-demand", "--idle", "0.2")

    assert found.code == 0, found.err
    assert (own.parent / "in" / "_done").is_dir()
