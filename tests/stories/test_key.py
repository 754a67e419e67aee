"""The key is told to the service, and to nothing and nobody else."""

import json
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

KEY = "CANARY-5f0c7a1e93b2-key"
T2I = 'kind = "t2i"\nprompt = "a fox"\nsize = "1024x1024"\n'
BULK = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'


class Parrot(BaseHTTPRequestHandler):
    """Answers each request with a refusal that repeats the key, each time in another way."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers["Authorization"]
        self.server.heard.append(key)
        status, answer = [
            (400, json.dumps({"error": {"code": "InvalidParameter", "message": f"said {key}"}})),
            (400, json.dumps({"error": {"code": key, "message": key.removeprefix("Bearer ")}})),
            (400, f"<html>{key}</html>"),
            (200, f'event: error\ndata: {{"error": {{"code": "{key}", "message": "{key}"}}}}\n\n'),
            (401, json.dumps({"error": {"code": "AuthenticationError", "message": key}})),
        ][min(len(self.server.heard) - 1, 4)]
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if status == 200 else "text/plain")
        self.send_header("x-request-id", key)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def parrot() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Parrot) as service:
        service.heard = []
        thread = Thread(target=service.serve_forever, args=(0.02,))
        thread.start()
        yield service
        service.shutdown()
        thread.join()


def told(folder: Path) -> list[str]:
    """Every file below a folder that holds the key, or has it in its name."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if KEY in path.name or (path.is_file() and KEY.encode() in path.read_bytes())
    ]


def titles(pid: int) -> bytes:
    """How a process and its children show up in `ps`."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    lines = [Path(f"/proc/{one}/cmdline").read_bytes() for one in (pid, *children)]
    return b"".join(lines)


@pytest.fixture
def keyed(inbox, tmp_path):
    """Make inboxes whose service has the key from a file, and says as much as it can."""
    secret = tmp_path / "secret"
    secret.write_text(KEY + "\n", encoding="utf-8")

    def make(*words: str, **env: str):
        return inbox(*words, ARK_API_KEY_FILE=str(secret), LOG_LEVEL="debug", **env)

    return make


@pytest.mark.slow
def test_a_whole_life_tells_nobody_the_key(keyed, job_folder) -> None:
    faults = '[[fault]]\nfault = "moderation"\nmatch = {nth = 2}\n'
    box = keyed("--latency", "0.2", MAX_PARALLEL="2", faults=faults).serve(LOG_FORMAT="console")
    box.drop(job_folder("shoot", BULK, dict.fromkeys(f"{n}.jpg" for n in range(6))))
    box.drop(job_folder("bad", "kind = 3\n"))
    box.wait(lambda: len(box.service.bill()) >= 2)
    shown = titles(box.process.pid)
    box.stop(signal.SIGKILL)
    box.serve(LOG_FORMAT="json")
    result = box.result("_failed", "shoot")
    commands = [
        ("status",),
        ("jobs", "--json"),
        ("sessions", "--json"),
        ("show", result["session"], "--json"),
        ("spend", "--json"),
        ("doctor", "--json"),
        ("check", job_folder("other", T2I)),
        ("run", job_folder("third", T2I), "--json"),
        ("retry", result["session"]),
    ]
    said = [box.run(*words) for words in commands]
    shown += titles(box.process.pid)
    assert box.stop() == 0

    assert KEY.encode() not in shown
    assert [one for one in said if KEY in one.out + one.err] == []
    assert told(box.run.home) == []


@pytest.mark.slow
def test_a_service_that_repeats_the_key_is_not_quoted(keyed, job_folder, parrot) -> None:
    box = keyed(
        ARK_BASE_URL=f"http://127.0.0.1:{parrot.server_address[1]}/api/v3", MAX_PARALLEL="1"
    )
    box.serve()
    for number in range(4):
        box.drop(job_folder(f"fox {number}", T2I))
        box.result("_failed", f"fox {number}")
    box.drop(job_folder("fox 4", T2I))
    status = box.wait(lambda: (s := box.status())["state"] == "paused" and s)
    said = box.run("run", job_folder("fifth", T2I))
    assert box.stop() == 0

    assert set(parrot.heard) == {f"Bearer {KEY}"}
    assert len(parrot.heard) >= 6
    assert KEY not in json.dumps(status) + said.out + said.err
    assert told(box.run.home) == []


@pytest.mark.parametrize(
    "key",
    [f"{KEY} {KEY}", *(pytest.param(f"{KEY}{odd}", marks=pytest.mark.slow) for odd in "é\x07")],
)
def test_a_key_that_cannot_be_one_is_refused_unquoted(keyed, job_folder, key) -> None:
    box = keyed()

    refused = box.run("run", job_folder("fox", T2I), ARK_API_KEY=key)

    assert refused.code == 3
    assert "ARK_API_KEY" in refused.err
    assert KEY not in refused.out + refused.err
    assert told(box.run.home) == []


@pytest.mark.slow
def test_a_traceback_does_not_hold_the_key(keyed, job_folder) -> None:
    box = keyed()
    assert box.run("run", job_folder("fox", T2I)).code == 0
    for ledger in box.run.state.rglob("ledger-*.jsonl"):
        ledger.write_text('{"event": "reserve", "request_id": 3}\n' * 3, encoding="utf-8")
    (box.run.state / "checkpoint.json").write_text("[]", encoding="utf-8")

    broken = box.run("run", job_folder("other", T2I))

    assert KEY not in broken.out + broken.err
    assert told(box.run.home) == []
