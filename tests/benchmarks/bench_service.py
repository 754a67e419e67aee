"""The service at rest, at its start, and how soon a dropped folder's first request leaves.

    python tests/benchmarks/bench_service.py

1,000 folders lie in _done and 10,000 sessions in the output. The way of a drop ends when its
request arrives at a loopback service; beside it stands a bare watchdog callback in the same run.
Takes about two and a half minutes, one of them doing nothing.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import rig
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

SESSIONS, FINISHED = 10_000, 1_000
STARTS = 7
TIMES = 12
SETTLE_S = 2.0
IDLE_S = 60.0
JOB = 'kind = "bulk"\nprompt = "brighter"\nsize = "1024x1024"\n'
REFUSAL = b'{"error": {"code": "InvalidParameter", "message": "not today"}}'


class Refusing(BaseHTTPRequestHandler):
    """Notes when a request arrives, and refuses it."""

    def do_POST(self) -> None:
        """Note the time of the head: that is when the request left, or later."""
        self.server.came.append(time.perf_counter())
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("Content-Length", str(len(REFUSAL)))
        self.end_headers()
        self.wfile.write(REFUSAL)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def refusing() -> Iterator[ThreadingHTTPServer]:
    """Serve refusals on a loopback port; `came` are the times of requests."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as service:
        service.daemon_threads, service.came = True, []
        thread = threading.Thread(target=service.serve_forever, args=(0.02,))
        thread.start()
        yield service
        service.shutdown()
        thread.join()


class Served:
    """A service process, ready; `took_s` is how long that took."""

    def __init__(self, program, **env: str) -> None:
        address = str(program.home / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(address)
            manager.settimeout(60)
            began_s = time.perf_counter()
            log = program.home / "serve.log"
            self.process = program.start("serve", log=log, NOTIFY_SOCKET=address, **env)
            while b"READY=1" not in manager.recv(4096):
                pass
            self.took_s = time.perf_counter() - began_s
        Path(address).unlink()

    def family(self) -> list[int]:
        """The process and its children."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, children)]

    def rss_mb(self) -> float:
        """Resident memory of all of them."""
        page = os.sysconf("SC_PAGESIZE")
        pages = (
            int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
            for pid in self.family()
        )
        return sum(pages) * page / 1e6

    def cpu_s(self) -> float:
        """Processor time of all of them so far."""
        ticks = 0
        for pid in self.family():
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(stat[11]) + int(stat[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        self.process.wait(timeout=30)


def fill(folder: Path, photos: int) -> None:
    """Make a drop as a copy does: its job.toml last."""
    folder.mkdir()
    for name, content in rig.photos(photos):
        (folder / name).write_bytes(content)
    (folder / "job.toml").write_text(JOB, encoding="utf-8")


def age(made: rig.Rig, program) -> None:
    """Make a past: one real session and its drop, and links to their files, thousands of times."""
    done = program("run", made.job("past", JOB, rig.photos(1)))
    assert done.code == 0, done.err
    (first,) = program.sessions()
    for number in range(SESSIONS):
        copy = program.outputs / f"2020-01-01_00-00-00_{number:05d}_bulk"
        shutil.copytree(first, copy, copy_function=os.link)
    for number in range(FINISHED):
        fill(program.home / "inbox" / "_done" / f"{number:04d}", 1)


def starts(young, old) -> rig.Claim:
    """Compare starts with and without a past, taking turns."""
    took: dict[str, list[float]] = {"young": [], "old": []}
    for _ in range(STARTS + 1):
        for name, program in (("young", young), ("old", old)):
            served = Served(program)
            took[name].append(served.took_s)
            served.stop()
    young_s, old_s = median(took["young"][1:]), median(took["old"][1:])
    print(f"      ready after {young_s:.2f} s, with a past {old_s:.2f} s", flush=True)
    return rig.at_most(f"start with {SESSIONS} sessions, times none", old_s / young_s, 2.0, "x")


def bare_callback_ms(folder: Path) -> float:
    """Give the milliseconds from a rename to a callback that does nothing, as a median."""
    inbox = folder / "bare"
    inbox.mkdir()
    came = threading.Event()

    class Handler(FileSystemEventHandler):
        def on_any_event(self, _event: FileSystemEvent) -> None:
            came.set()

    took_s = []
    with Observer() as observer:
        observer.schedule(Handler(), str(inbox))
        for number in range(TIMES):
            fill(folder / "ready", 20)
            came.clear()
            began_s = time.perf_counter()
            (folder / "ready").rename(inbox / f"{number}")
            came.wait(10)
            took_s.append(time.perf_counter() - began_s)
    return median(took_s) * 1000


def first_request_ms(service, inbox: Path, *, ready: Path | None, name: str) -> float:
    """Drop 20 photos; give the milliseconds until the first request arrives, then let it end."""
    service.came.clear()
    if ready is None:
        fill(inbox / name, 20)
        began_s = time.perf_counter()
    else:
        fill(ready, 20)
        began_s = time.perf_counter()
        ready.rename(inbox / name)
    deadline_s = began_s + 60
    while not (inbox / "_failed" / name / "error.txt").exists():
        assert time.perf_counter() < deadline_s, "no end"
        time.sleep(0.01)
    return (service.came[0] - began_s) * 1000


def drops(made: rig.Rig, old, service) -> list[rig.Claim]:
    """Measure copies and renames, against a service with a past."""
    bare_ms = bare_callback_ms(made.folder)
    print(f"      a bare callback comes {bare_ms:.1f} ms after the rename", flush=True)
    url = f"http://127.0.0.1:{service.server_address[1]}/api/v3"
    served = Served(old, ARK_BASE_URL=url, SETTLE_SECONDS=str(SETTLE_S), WATCH="events")
    inbox, ready = old.home / "inbox", made.folder / "ready"
    # The first job also pays for what is loaded on first use.
    first_ms = first_request_ms(service, inbox, ready=ready, name="first")
    renamed = [
        first_request_ms(service, inbox, ready=ready, name=f"renamed {n}") for n in range(TIMES)
    ]
    copied = [
        first_request_ms(service, inbox, ready=None, name=f"copied {n}") - SETTLE_S * 1000
        for n in range(TIMES)
    ]
    served.stop()
    print(f"      medians: renamed {median(renamed):.0f} ms, copied {median(copied):.0f} ms")
    return [
        rig.at_most("first request of the first rename after the start", first_ms, 250, "ms", 0),
        rig.at_most(f"first request of a rename, worst of {TIMES}", max(renamed), 250, "ms", 0),
        rig.at_most(
            f"first request of a copy past the settle time, worst of {TIMES}",
            max(copied),
            150,
            "ms",
            0,
        ),
    ]


def at_rest(old) -> list[rig.Claim]:
    """Measure a service that does nothing, before its first job."""
    served = Served(old)
    time.sleep(5)
    before_s, began_s = served.cpu_s(), time.perf_counter()
    time.sleep(IDLE_S)
    share = (served.cpu_s() - before_s) / (time.perf_counter() - began_s)
    rss_mb = served.rss_mb()
    served.stop()
    return [
        rig.at_most(f"idle for {IDLE_S:.0f} s, of a core", share * 100, 0.5, "%"),
        rig.at_most("resident before the first job", rss_mb, 90, "MB", 0),
    ]


def bench(made: rig.Rig) -> list[rig.Claim]:
    """Measure all of it."""
    emulator = made.service()
    young, old = made.program(emulator.base_url), made.program(emulator.base_url)
    Served(old).stop()
    age(made, old)
    claims = [starts(young, old)]
    with refusing() as service:
        claims += drops(made, old, service)
    return claims + at_rest(old)


if __name__ == "__main__":
    rig.main(bench)
