"""The whole program, as its users have it: processes, folders, a loopback service."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from seedream_daemon.daemon.control import NoDaemonError, ask_daemon
from seedream_daemon.imagefile import is_whole, sniff


def jpeg(width: int = 640, height: int = 480, colour: int = 80) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (colour % 256, 120, 200)).save(stream, "JPEG", quality=80)
    return stream.getvalue()


class Finished:
    """What a command said and answered."""

    def __init__(self, process: subprocess.CompletedProcess) -> None:
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self):
        return json.loads(self.out)


class Program:
    """seedream-daemon with settings of its own, all of its folders below one."""

    def __init__(self, home: Path, base_url: str) -> None:
        self.home = home
        self.outputs = home / "outputs"
        self.state = home / "state"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ARK_BASE_URL": base_url,
            "INBOX_DIR": str(home / "inbox"),
            "OUTPUT_BASE_DIR": str(self.outputs),
            "STATE_DIR": str(self.state),
            "IMAGES_PER_MINUTE": "0",
        }
        self.within: tuple[str, ...] = ()
        self._started: list[subprocess.Popen] = []

    def __call__(self, *words: object, timeout: float = 60, **env: str) -> Finished:
        return Finished(
            subprocess.run(
                [*self.within, *self._command(words)],
                cwd=self.home,
                env={**self.env, **env},
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=timeout,
                check=False,
            )
        )

    def start(
        self, *words: object, log: Path | None = None, before: tuple[str, ...] = (), **env: str
    ) -> subprocess.Popen:
        """Start a command and leave it running; it is killed after the test.

        What it says goes to `log`, since nobody reads a pipe meanwhile. `before` are the words of
        a program that runs it.
        """
        with ExitStack() as ours:
            to = ours.enter_context(log.open("ab")) if log else subprocess.PIPE
            process = subprocess.Popen(
                [*before, *self._command(words)],
                cwd=self.home,
                env={**self.env, **env},
                stdout=to,
                stderr=to,
                text=log is None,
                encoding=None if log else "utf-8",
            )
        self._started.append(process)
        return process

    def sessions(self) -> list[Path]:
        return sorted(self.outputs.iterdir()) if self.outputs.is_dir() else []

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()

    @staticmethod
    def _command(words: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "seedream_daemon", *map(str, words)]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    """Make programs: `program(emulator().base_url)`."""
    made: list[Program] = []

    def make(base_url: str) -> Program:
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        made.append(Program(home, base_url))
        return made[-1]

    yield make
    for one in made:
        one.end()


class CountingService(ThreadingHTTPServer):
    """Refuses the key of every request, and counts them: a refused request is on no bill."""

    daemon_threads = True

    def __init__(self) -> None:
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), _Refusing)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api/v3"


class _Refusing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.requests.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = b'{"error": {"code": "AuthenticationError", "message": "The API key is wrong."}}'
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def counting_service() -> Iterator[CountingService]:
    with CountingService() as service:
        thread = Thread(target=service.serve_forever, args=(0.02,))
        thread.start()
        yield service
        service.shutdown()
        thread.join()


@pytest.fixture
def job_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write job folders: `job_folder("shoot", 'kind = "bulk" ...', photos={"a.jpg": None})`."""

    def make(name: str, job: str | None, photos: dict[str, bytes | None] | None = None) -> Path:
        folder = tmp_path / "jobs" / name
        folder.mkdir(parents=True)
        for number, (photo, content) in enumerate((photos or {}).items()):
            path = folder / photo
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(colour=number * 7) if content is None else content)
        if job is not None:
            (folder / "job.toml").write_text(job, encoding="utf-8")
        return folder

    return make


class Inbox:
    """A program that serves, and its inbox."""

    def __init__(self, run: Program, **env: str) -> None:
        self.run = run
        self.path = run.home / "inbox"
        run.env.update({"SETTLE_SECONDS": "0.3", "RESCAN_SECONDS": "1", **env})
        self.log = run.home / "serve.log"
        self.process: subprocess.Popen | None = None

    def serve(self, *options: object, before: tuple[str, ...] = (), **env: str) -> "Inbox":
        words = (*options, "serve")
        self.process = self.run.start(*words, log=self.log, before=before, **env)
        self.wait(self.answers)
        return self

    def answers(self) -> bool:
        try:
            self.status()
        except NoDaemonError:
            return False
        return True

    def drop(self, folder: Path, name: str | None = None) -> Path:
        """Copy a folder in, as a person would."""
        return Path(shutil.copytree(folder, self.path / (name or folder.name)))

    def wait(self, condition: Callable[[], object], seconds: float = 30):
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "nothing came of it"
            assert self.process.poll() is None, self.said()
            time.sleep(0.01)
        return found

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def status(self) -> dict:
        """What `status --json` prints, without the start of a program for every look."""
        return ask_daemon(self.run.state, {"do": "status"})

    def ended(self) -> list[dict]:
        """The jobs that the service remembers, the latest first."""
        return ask_daemon(self.run.state, {"do": "jobs", "limit": 5000})["jobs"]

    def queue(self) -> list[dict]:
        return self.status()["queue"]

    def ended_and_put_away(self) -> list[dict]:
        """The jobs that have ended, once none waits or runs."""
        # In this order: a job may end between the two looks.
        return [] if self.queue() else self.ended()

    def job(self, name: str) -> dict | None:
        """The job of that name, while it waits or runs."""
        return next((job for job in self.queue() if job["name"] == name), None)

    def wait_for_reason(self, name: str, words: str) -> dict:
        """Wait until a job waits or rests with a reason that holds these words."""

        def found() -> dict | None:
            job = self.job(name)
            return job if job and words in (job["reason"] or "") else None

        return self.wait(found)

    def result(self, where: str, name: str, seconds: float = 30) -> dict:
        """Wait until a drop is put away, and read its result."""
        path = self.path / where / name / "result.json"
        self.wait(path.exists, seconds)
        return json.loads(path.read_text(encoding="utf-8"))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def die(self) -> int:
        """Wait until the service ends by itself."""
        return self.process.wait(timeout=30)


class Island:
    """An inbox whose service sees mounts of its own, so that disks can come, fill up and go."""

    def __init__(self, box: Inbox) -> None:
        self.box = box
        box.run.env |= {"PYTHONDONTWRITEBYTECODE": "1"}

    def serve(self, mounts: str, **env: str) -> Inbox:
        """Serve after a shell has made the mounts."""
        shell = ("unshare", "-rm", "sh", "-ec", f'{mounts}; exec "$@"', "sh")
        self.box.serve(before=shell, **env)
        return self.box

    def sees(self, path: Path) -> Path:
        """Where the test finds what the service calls `path`."""
        return Path(f"/proc/{self.box.process.pid}/root{path}")

    def shell(self, command: str) -> None:
        """Run a shell command among the service's mounts."""
        enter = ("nsenter", "-t", str(self.box.process.pid), "-U", "--preserve-credentials", "-m")
        subprocess.run([*enter, "sh", "-ec", command], check=True, timeout=30)


@pytest.fixture
def island(inbox) -> Callable[..., Island]:
    """Make islands: `island("--latency", "1")`; skips where namespaces are not to be had."""
    able = subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True)
    if able.returncode != 0:
        pytest.skip("unshare -rm does not work here")

    def make(*words: str, **options) -> Island:
        return Island(inbox(*words, **options))

    return make


@pytest.fixture
def inbox(emulator, program) -> Callable[..., Inbox]:
    """Make inboxes with a service of their own: `inbox("--latency", "1", SETTLE_SECONDS="2")`."""

    def make(*words: str, faults: str | None = None, **env: str) -> Inbox:
        service = emulator(*words, faults=faults)
        made = Inbox(program(service.base_url), **env)
        made.service = service
        return made

    return make


class Court:
    """Compares what was paid for with what is there: the service's bill, and the sessions."""

    @staticmethod
    def journal(session: Path) -> list[dict]:
        lines = []
        for path in sorted(session.glob("journal-*.jsonl")):
            for line in path.read_bytes().splitlines():
                try:
                    lines.append(json.loads(line))
                except ValueError:
                    continue
        return lines

    def judge(self, bill: list[dict], session: Path) -> None:
        """Fail if one of the promises about money and pictures is broken."""
        lines = self.journal(session)
        doubted = {line["request_id"] for line in lines if line["event"] == "in_doubt"}
        urls = {
            picture["url"]
            for line in lines
            if line["event"] == "answer"
            for picture in line["pictures"]
        }
        kept = [line for line in lines if line["event"] == "picture"]
        for line in kept:
            path = session / line["file"]
            assert path.is_file(), f"{line['file']} is said to be saved and is not there"
            assert is_whole(path, sniff(path)), f"{line['file']} is not whole"
            assert path.stat().st_size == line["bytes"]
        for row in bill:
            assert row["url"] in urls or row["request_id"] in doubted, (
                "paid for, and nobody knows of it"
            )
        assert len({line["file"] for line in kept}) == len(kept) == len(urls)
        answered = set()
        sent = Counter()
        for line in lines:
            if line["event"] == "answer" and line["pictures"]:
                answered.add(line["shot"])
            if line["event"] == "sending":
                assert line["shot"] not in answered, f"{line['shot']} was asked for again"
                sent[line["shot"]] += 1
        assert all(times <= 2 for times in sent.values()), "in doubt, and sent more than once more"

    def judge_all(self, bill: list[dict], sessions: list[Path]) -> None:
        """Judge many sessions, each by what its own requests were billed."""
        asked_by = {
            line["request_id"]: session
            for session in sessions
            for line in self.journal(session)
            if line["event"] == "sending"
        }
        bills: dict[Path, list[dict]] = {session: [] for session in sessions}
        for row in bill:
            assert row["request_id"] in asked_by, "paid for by no session"
            bills[asked_by[row["request_id"]]].append(row)
        for session, rows in bills.items():
            self.judge(rows, session)

    def acquits(self, bill: list[dict], session: Path, billed: int) -> bool:
        """Say whether all promises were kept and the bill has so many rows."""
        try:
            self.judge(bill, session)
        except AssertionError:
            return False
        return len(bill) == billed


@pytest.fixture
def court() -> Court:
    return Court()
