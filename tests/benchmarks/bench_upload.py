"""Uploads big photos through our client and through the official SDK, and compares.

    python tests/benchmarks/bench_upload.py

32 requests of 10 photos of 8 MB, 16 at a time, into a sink in another process. The SDK gets 16
requests on 16 threads, since it is slow; throughputs are compared. Each side is a process of its
own, so that its peak memory (VmHWM) is its own. Exit code 0 when both goals are met.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PHOTO_BYTES = 8_000_000
PHOTOS = 10
AT_ONCE = 16
REQUESTS = {"ours": 32, "sdk": 16}
MAX_PEAK_MB = 128
MIN_TIMES_FASTER = 10
ANSWER = json.dumps(
    {
        "data": [{"url": "http://127.0.0.1/x.jpg", "size": "2048x2048"}],
        "usage": {"generated_images": 1},
    }
).encode()


def sink():
    """Swallow requests on a free port, which is printed first."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=swallow, args=(connection,), daemon=True).start()


def swallow(connection):
    buffer = bytearray(1 << 20)
    head = b""
    while True:
        count = connection.recv_into(buffer)
        if not count:
            connection.close()
            return
        head += buffer[:count]
        if b"\r\n\r\n" not in head:
            continue
        fields, _, rest = head.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in fields.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        left = length - len(rest)
        while left > 0:
            count = connection.recv_into(buffer, min(left, len(buffer)))
            if not count:
                return
            left -= count
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % len(ANSWER)
            + ANSWER
        )
        head = b""


def upload_ours(base_url, paths):
    import anyio

    from seedream_daemon.ark.client import ArkClient
    from seedream_daemon.ark.wire import ArkRequest, SentPhoto

    photos = tuple(
        SentPhoto(path=path, mime="image/jpeg", size_bytes=PHOTO_BYTES) for path in paths
    )
    request = ArkRequest(model="seedream-4-0-250828", prompt="a picture", size="2K", photos=photos)

    async def on_picture(_picture):
        pass

    async def main():
        slots = anyio.CapacityLimiter(AT_ONCE)

        async def one(client, number):
            async with slots:
                await client.generate(request, request_id=str(number), on_picture=on_picture)

        async with (
            ArkClient(base_url, "key", max_parallel=AT_ONCE) as client,
            anyio.create_task_group() as tasks,
        ):
            for number in range(REQUESTS["ours"]):
                tasks.start_soon(one, client, number)

    anyio.run(main)


def upload_sdk(base_url, paths):
    import base64

    from volcenginesdkarkruntime import Ark

    client = Ark(api_key="key", base_url=base_url, max_retries=0)

    def one(_number):
        images = [
            "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()
            for path in paths
        ]
        client.images.generate(
            model="seedream-4-0-250828", prompt="a picture", size="2K", image=images
        )

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(one, range(REQUESTS["sdk"])))


def measure(side, port, folder):
    paths = sorted(Path(folder).iterdir())
    started = time.perf_counter()
    {"ours": upload_ours, "sdk": upload_sdk}[side](f"http://127.0.0.1:{port}/api/v3", paths)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    sent_mb = REQUESTS[side] * PHOTOS * PHOTO_BYTES / 1e6
    print(json.dumps({"mb_s": sent_mb / seconds, "peak_mb": peak_kb * 1024 / 1e6}))


def child(*words):
    command = [sys.executable, __file__, *words]
    return json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=900).stdout
    )


def compare(sides):
    with tempfile.TemporaryDirectory() as folder:
        for number in range(PHOTOS):
            (Path(folder) / f"{number}.jpg").write_bytes(bytes([number]) * PHOTO_BYTES)
        server = subprocess.Popen(
            [sys.executable, __file__, "--sink"], stdout=subprocess.PIPE, text=True
        )
        try:
            port = server.stdout.readline().strip()
            found = {
                side: child("--side", side, "--port", port, "--folder", folder) for side in sides
            }
        finally:
            server.kill()
            server.wait()
    for side, figures in found.items():
        print(f"{side:5} {figures['mb_s']:8.0f} MB/s, peak {figures['peak_mb']:6.0f} MB")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sink", action="store_true")
    parser.add_argument("--side", choices=list(REQUESTS))
    parser.add_argument("--port")
    parser.add_argument("--folder")
    parser.add_argument("--only-ours", action="store_true", help="leave the comparison out")
    options = parser.parse_args()
    if options.sink:
        sink()
    if options.side:
        measure(options.side, options.port, options.folder)
        return 0
    found = compare(["ours"] if options.only_ours else ["ours", "sdk"])
    good = found["ours"]["peak_mb"] <= MAX_PEAK_MB
    if "sdk" in found:
        times = found["ours"]["mb_s"] / found["sdk"]["mb_s"]
        print(f"{times:.1f} times as fast (goal: {MIN_TIMES_FASTER}), peak goal {MAX_PEAK_MB} MB")
        good = good and times >= MIN_TIMES_FASTER
    print("PASS" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
