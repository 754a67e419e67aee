"""The tools of a real service with real folders, against an emulator of its own."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from PIL import Image

from seedream_daemon.daemon.service import open_service
from seedream_daemon.settings import Settings
from seedream_daemon.tools.call import Call
from seedream_daemon.tools.toolbox import Tools


def jpeg(width: int = 320, height: int = 240, colour: int = 80) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (colour % 256, 120, 200)).save(stream, "JPEG", quality=80)
    return stream.getvalue()


class Desk:
    """One running service, its tools, and its folders."""

    def __init__(self, home: Path, base_url: str) -> None:
        self.home = home
        self.base_url = base_url
        self.inbox, self.outputs, self.state = home / "inbox", home / "outputs", home / "state"
        self.photos = self.inbox / "_photos"
        self.service = None
        self.tools = None

    def settings(self, **more: object) -> Settings:
        values = {
            "ARK_BASE_URL": self.base_url,
            "INBOX_DIR": str(self.inbox),
            "OUTPUT_BASE_DIR": str(self.outputs),
            "STATE_DIR": str(self.state),
            "IMAGES_PER_MINUTE": "0",
            "SETTLE_SECONDS": "30",
            "WATCH": "poll",
            "RESCAN_SECONDS": "0.2",
            **{name: str(value) for name, value in more.items()},
        }
        return Settings.from_values(values, {}, file=None)

    @asynccontextmanager
    async def open(self, **settings: object) -> AsyncIterator["Desk"]:
        """Run the service; leave it as SIGTERM would."""
        events = []
        async with open_service(self.settings(**settings), events.append, once=False) as service:
            self.service, self.tools = service, Tools(service)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(service.run)
                with anyio.fail_after(10):
                    while service._tasks is None:  # noqa: ASYNC110 - it tells nobody
                        await anyio.sleep(0.01)
                try:
                    yield self
                finally:
                    service.stop()

    def photo(self, name: str, colour: int = 80, folder: Path | None = None) -> str:
        path = (folder or self.photos) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(colour=colour))
        return str(path)

    def call(self, seconds: float = 45, **more: object) -> Call:
        return Call(deadline=anyio.current_time() + seconds, **more)

    async def __call__(self, tool: str, call: Call | None = None, **arguments: object):
        return await getattr(self.tools, tool)(arguments, call or self.call())

    async def done(self, tool: str, **arguments: object):
        """Call a tool that makes a job, and wait until the job has ended."""
        job = await self(tool, **arguments)
        self.tools.mark_answered(job["job_id"])
        return await self.ended(job["job_id"])

    async def listed(self):
        """Wait until the service knows a job; its row."""
        with anyio.fail_after(20):
            while not (rows := (await self("list_jobs"))["jobs"]):  # noqa: ASYNC110 - a poll
                await anyio.sleep(0.05)
        return rows[0]

    async def ended(self, job_id: str):
        with anyio.fail_after(60):
            while True:
                job = await self("get_job", job_id=job_id, wait_seconds=5)
                if job["state"] in ("done", "failed", "cancelled"):
                    return job


@pytest.fixture
def desk(tmp_path: Path, emulator) -> Callable[..., Desk]:
    """Make desks: `desk(faults='...')`, each with an emulator of its own in `.emulator`."""

    def make(*words: str, faults: str | None = None) -> Desk:
        started = emulator(*words, faults=faults)
        made = Desk(tmp_path, started.base_url)
        made.emulator = started
        return made

    return make
