"""`doctor`: what would stop a job is found before one is dropped."""

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

NAMES = {
    *("settings", "key", "api", "clock", "inbox", "watch"),
    *("inotify", "outputs", "state", "cropper", "systemd"),
}


def checks(finished):
    return {check["name"]: check for check in finished.json["checks"]}


def test_a_machine_on_which_jobs_run_is_well(program, emulator):
    shop = program(emulator().base_url)

    found = shop("doctor", "--json")

    assert found.code == 0, found.out
    assert found.json["ok"] is True
    assert set(checks(found)) == NAMES
    assert all(set(check) == {"name", "ok", "found", "mend"} for check in checks(found).values())


def test_the_doctor_makes_no_folders_and_costs_nothing(program, emulator):
    service = emulator()
    shop = program(service.base_url)

    assert shop("doctor").code == 0

    assert [path.name for path in shop.home.iterdir()] == []
    assert service.bill() == []


@pytest.mark.slow
def test_an_inbox_in_use_is_tried_with_a_folder_that_is_moved_through_it(program, emulator):
    shop = program(emulator().base_url)
    assert shop("serve", "--once").code == 0

    found = checks(shop("doctor", "--json"))

    assert "moved through its folders" in found["inbox"]["found"]
    assert "events" in found["watch"]["found"]
    left = {path.name for path in (shop.home / "inbox").iterdir()}
    assert not any(name.startswith(".seedream-probe") for name in left)


def test_a_missing_key_stops_a_job(program):
    shop = program("https://ark.invalid/api/v3")

    found = shop("doctor", "--json")

    assert found.code == 3
    assert not checks(found)["key"]["ok"]
    assert "ARK_API_KEY" in checks(found)["key"]["mend"]
    assert "not asked" in checks(found)["api"]["found"]


def test_a_key_that_the_service_refuses_is_named_without_being_printed(program, counting_service):
    shop = program(counting_service.base_url)

    found = shop("doctor", ARK_API_KEY="sk-very-secret")

    assert found.code == 3
    assert "AuthenticationError" in found.out
    assert "STOP  api" in found.out
    assert "sk-very-secret" not in found.out + found.err


def test_a_service_that_cannot_be_reached_stops_a_job(program):
    found = program("http://127.0.0.1:9/api/v3")("doctor", "--json")

    assert found.code == 3
    assert not checks(found)["api"]["ok"]
    assert "ARK_BASE_URL" in checks(found)["api"]["mend"]


def test_a_wrong_setting_is_the_first_thing_told(program):
    found = program("http://127.0.0.1:9/api/v3")("doctor", "--json", MAX_PARALLEL="many")

    assert found.code == 3
    assert "MAX_PARALLEL" in checks(found)["settings"]["found"]


@pytest.mark.slow
def test_an_inbox_whose_disk_is_gone_stops_a_job(program, emulator):
    shop = program(emulator().base_url)
    assert shop("serve", "--once").code == 0
    (shop.home / "inbox").rename(shop.home / "unmounted")

    found = shop("doctor", "--json")

    assert found.code == 3
    assert "inbox not there" in checks(found)["inbox"]["found"]
    assert not (shop.home / "inbox").exists()


def test_files_where_folders_should_be_stop_a_job(program, emulator):
    shop = program(emulator().base_url)
    for name in ("inbox", "outputs", "state"):
        (shop.home / name).write_bytes(b"")

    found = shop("doctor", "--json")

    assert found.code == 3
    bad = {name for name, check in checks(found).items() if not check["ok"]}
    assert bad == {"inbox", "outputs", "state"}


@pytest.fixture
def on_disks(program):
    """A program whose inbox has a disk of its own below `_done`, among mounts of its own."""
    able = subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True)
    if able.returncode != 0:
        pytest.skip("unshare -rm does not work here")
    shop = program("http://127.0.0.1:9/api/v3")
    done = shop.home / "inbox" / "_done"
    done.mkdir(parents=True)
    shell = f'mount -t tmpfs none {done}; exec "$@"'
    shop.within = ("unshare", "-rm", "sh", "-ec", shell, "sh")
    return shop


@pytest.mark.parametrize("began", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_folder_of_the_inbox_on_another_disk_stops_what_it_stops_in_serve(
    on_disks, began
) -> None:
    if began:
        (on_disks.home / "inbox" / ".seedream-inbox").touch()

    found = on_disks("doctor", "--json")
    served = on_disks("serve", "--once")

    inbox = checks(found)["inbox"]
    assert (found.code, served.code, inbox["ok"]) == (3, 3, False)
    assert "_done lies on another file system" in inbox["mend"]
    assert inbox["mend"] in served.err


def test_an_inbox_that_serve_would_refuse_stops_a_job_and_is_left_as_it_was(program) -> None:
    shop = program("http://127.0.0.1:9/api/v3")
    root = shop.home / "inbox"
    root.mkdir()
    (root / "_failed").write_bytes(b"")

    inbox = checks(shop("doctor", "--json"))["inbox"]

    assert not inbox["ok"]
    assert [path.name for path in root.iterdir()] == ["_failed"]
    assert inbox["mend"] in shop("serve", "--once").err


def test_an_inbox_with_too_long_a_name_stops_a_job(program) -> None:
    shop = program("http://127.0.0.1:9/api/v3")

    found = shop("doctor", "--json", INBOX_DIR=str(shop.home / ("x" * 300)))

    assert found.code == 3
    assert "File name too long" in checks(found)["inbox"]["mend"]


def test_a_cropper_that_cannot_be_loaded_stops_a_job(program, emulator):
    shop = program(emulator().base_url)

    found = shop("doctor", "--json", CROPPER_PATH=str(shop.home / "none.py"))

    assert found.code == 3
    assert not checks(found)["cropper"]["ok"]


def test_a_stray_cropper_is_mentioned_and_not_used(program, emulator):
    shop = program(emulator().base_url)
    (shop.home / "cropper_v2.py").write_text("raise SystemExit(1)\n", encoding="utf-8")

    cropper = checks(shop("doctor", "--json"))["cropper"]

    assert cropper["ok"]
    assert "CROPPER_PATH is not set" in cropper["found"]


class _Late(BaseHTTPRequestHandler):
    """A service whose clock stands at the epoch."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(0)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def late_service() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Late) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v3"
        server.shutdown()
        thread.join()


def test_a_clock_that_is_wrong_is_told_and_stops_nothing(program, late_service):
    clock = checks(program(late_service)("doctor", "--json"))["clock"]

    assert clock["ok"]
    assert "ahead of that of the service" in clock["found"]
    assert "timedatectl" in clock["mend"]
