"""The emulator beside the test's own code, in one event loop."""

import os
import socket
import subprocess
import sys

import anyio
import httpx
import pytest

from seedream_daemon.emulator.server import Options, running
from seedream_daemon.errors import ConfigError

BODY = {"model": "seedream-4-0-250828", "prompt": "p", "size": "1K"}
KEY = {"Authorization": "Bearer k"}


async def test_it_runs_beside_other_code():
    async with running(Options()) as base_url, httpx.AsyncClient() as client:
        answer = await client.post(f"{base_url}/images/generations", json=BODY, headers=KEY)
        picture = await client.get(answer.json()["data"][0]["url"])
        assert picture.status_code == 200
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(base_url)


async def test_leaving_it_ends_what_is_open():
    async with httpx.AsyncClient(timeout=None) as client, anyio.create_task_group() as tasks:
        ended = anyio.Event()

        async def ask(base_url):
            with pytest.raises(httpx.TransportError):
                await client.post(f"{base_url}/images/generations", json=BODY, headers=KEY)
            ended.set()

        with anyio.fail_after(20):
            async with running(Options(latency_s=600)) as base_url:
                tasks.start_soon(ask, base_url)
                await anyio.lowlevel.checkpoint()
            await ended.wait()


async def test_a_failure_of_the_callers_code_comes_out_bare():
    with pytest.raises(ValueError, match="mine"):
        async with running(Options()):
            raise ValueError("mine")


def test_its_first_line_says_where_and_its_temporary_files_go_with_it(tmp_path):
    command = [sys.executable, "-m", "seedream_daemon.emulator"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            base_url = process.stdout.readline().removeprefix("listening on ").rstrip("\n")
            answer = httpx.post(f"{base_url}/images/generations", json=BODY, headers=KEY)
            assert answer.status_code == 200
            assert len(list(tmp_path.glob("*/*.jpeg"))) == 1
            process.terminate()
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []


async def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as link:
        port = link.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on port {port}: Address already"):
            async with running(Options(port=port)):
                pass


async def test_a_bill_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        async with running(Options(bill=tmp_path / "missing" / "bill.jsonl")):
            pass


async def test_many_requests_at_once_are_all_billed(tmp_path):
    bill = tmp_path / "bill.jsonl"
    async with running(Options(bill=bill)) as base_url, httpx.AsyncClient() as client:

        async def ask(number):
            body = {**BODY, "prompt": f"{number}"}
            answer = await client.post(f"{base_url}/images/generations", json=body, headers=KEY)
            assert answer.status_code == 200

        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(ask, number)
    assert len(bill.read_text(encoding="utf-8").splitlines()) == 40
