"""The whole program, as its users have it: processes, folders, a loopback service."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image


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
        self._started: list[subprocess.Popen] = []

    def __call__(self, *words: object, timeout: float = 60, **env: str) -> Finished:
        return Finished(
            subprocess.run(
                self._command(words),
                cwd=self.home,
                env={**self.env, **env},
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=timeout,
                check=False,
            )
        )

    def start(self, *words: object, **env: str) -> subprocess.Popen:
        """Start a command and leave it running; it is killed after the test."""
        process = subprocess.Popen(
            self._command(words),
            cwd=self.home,
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
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
