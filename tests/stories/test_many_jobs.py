"""Several jobs in one process: fair, and each with its own failures."""

import io
from pathlib import Path

import anyio
import pytest
from PIL import Image

from seedream_daemon.actions.plan import plan_folder
from seedream_daemon.actions.run import new_session, run_session
from seedream_daemon.actions.wiring import open_engine
from seedream_daemon.events import Event, ShotEnded, ShotSending
from seedream_daemon.inbox.tend import new_job_id
from seedream_daemon.settings import Settings


@pytest.fixture
def settings(emulator, tmp_path: Path):
    def make(latency: float, **more) -> Settings:
        return Settings(
            ark_base_url=emulator("--latency", str(latency)).base_url,
            output_base_dir=tmp_path / "outputs",
            state_dir=tmp_path / "state",
            images_per_minute=0,
            **more,
        )

    return make


def bulk(folder: Path, photos: int) -> Path:
    folder.mkdir()
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 199)).save(stream, "JPEG")
    for number in range(photos):
        (folder / f"{number}.jpg").write_bytes(stream.getvalue())
    job = 'kind = "bulk"\nprompt = "retouch"\nsize = "1024x1024"\n'
    (folder / "job.toml").write_text(job, encoding="utf-8")
    return folder


async def test_a_small_job_behind_a_large_one_is_served_at_once(settings, tmp_path: Path) -> None:
    chosen = settings(0.05, max_parallel=4)
    heard: list[Event] = []
    large_sent = anyio.Event()

    def emit(event: Event) -> None:
        heard.append(event)
        if len([one for one in heard if isinstance(one, ShotSending)]) >= 20:
            large_sent.set()

    async def job(folder: Path, engine, ids: dict[str, str]) -> None:
        plan = await plan_folder(chosen, folder)
        ids[folder.name] = new_job_id()
        facts = {"job_id": ids[folder.name], "folder": str(folder), "origin": "folder"}
        session = await new_session(chosen, plan, facts)
        await run_session(engine, session, plan, again=frozenset())

    ids: dict[str, str] = {}
    with anyio.fail_after(50):
        async with open_engine(chosen, emit) as engine, anyio.create_task_group() as jobs:
            jobs.start_soon(job, bulk(tmp_path / "large", 1000), engine, ids)
            await large_sent.wait()
            before = len(heard)
            await job(bulk(tmp_path / "small", 4), engine, ids)
            jobs.cancel_scope.cancel()
    since = [one for one in heard[before:] if isinstance(one, ShotSending)]
    large = [one for one in since if one.job_id == ids["large"]]
    small = [one for one in since if one.job_id == ids["small"]]
    ended = [one for one in heard if isinstance(one, ShotEnded) and one.job_id == ids["small"]]
    assert len(small) == 4
    assert [one.state for one in ended] == ["saved"] * 4
    # Its four shots took every second slot that freed; what was in flight before came first.
    first = since.index(small[0])
    last = since.index(small[-1])
    assert last - first <= 8
    assert len(large) < 60
