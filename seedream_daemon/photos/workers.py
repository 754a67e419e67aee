"""[edge] Photo workers: processes that prepare photos beside the uploads, off the event loop.

They are started when first needed, replaced when a photo kills or stalls them, and ended when
there is nothing to do: an idle daemon has none.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

import seedream_daemon
from seedream_daemon.errors import ConfigError
from seedream_daemon.photos.steps import (
    PhotoUnusableError,
    Prepared,
    PrepareRequest,
    SheetRow,
    Tile,
)

MEMORY_BYTES = 2 << 30
PHOTO_SECONDS = 60.0
IDLE_SECONDS = 30.0
_START_SECONDS = 120.0  # a custom cropper may load a large library
_MAX_ANSWER_BYTES = 1 << 16
# What a worker needs not know, since it runs decoders on strangers' bytes.
_KEPT_BACK = ("ARK_API_KEY", "ARK_API_KEY_FILE", "MCP_TOKEN_FILE", "CREDENTIALS_DIRECTORY")

# One thread each, since there are as many workers as cores. And glibc keeps the pixels' memory from
# one photo to the next: to get 48 MB anew from the kernel takes a fifth of the time of a crop.
_LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}


class _WorkerDiedError(Exception):
    """The process ended without an answer; the text says how."""


class _Worker:
    """One process; it is asked one thing at a time."""

    def __init__(self, process: anyio.abc.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a photo worker must have pipes")
        self._process = process
        self._questions = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)
        self.is_closed = False
        self.idle_since = anyio.current_time()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def tell(self, document: dict[str, Any]) -> None:
        try:
            await self._questions.send(json.dumps(document).encode("ascii") + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            raise _WorkerDiedError(await self._how_it_ended()) from error

    async def hear(self) -> dict[str, Any]:
        try:
            line = await self._answers.receive_until(b"\n", _MAX_ANSWER_BYTES)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            raise _WorkerDiedError(await self._how_it_ended()) from error
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _how_it_ended(self) -> str:
        status = await self._process.wait()
        return f"exit status {status}" if status >= 0 else signal.Signals(-status).name

    async def close(self) -> None:
        """End the process at once: what it writes, it writes atomically."""
        self.is_closed = True
        with anyio.CancelScope(shield=True):
            if self.is_alive:
                self._process.kill()
            await self._process.aclose()


class PhotoWorkers:
    """As many photo workers as are needed, up to `count` (default: as many as cores).

    `async with` it; several tasks may ask at once. `memory_bytes` bounds the address space of each
    worker and `photo_seconds` the time for each photo. Workers end after `idle_seconds` of rest.
    """

    def __init__(
        self,
        count: int | None = None,
        *,
        cropper_path: Path | None = None,
        face_model_path: Path | None = None,
        memory_bytes: int = MEMORY_BYTES,
        photo_seconds: float = PHOTO_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._slots = anyio.Semaphore(count or len(os.sched_getaffinity(0)))
        # For callers who note what they have begun: whoever holds a turn need not wait for long.
        self.turns = anyio.Semaphore(count or len(os.sched_getaffinity(0)))
        self._settings = {
            "cropper": str(cropper_path) if cropper_path else None,
            "face_model": str(face_model_path) if face_model_path else None,
            "memory_bytes": memory_bytes,
        }
        self._photo_seconds = photo_seconds
        self._idle_seconds = idle_seconds
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._group = anyio.create_task_group()
        self.started = 0

    async def __aenter__(self) -> Self:
        """Start nothing yet."""
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all workers."""
        self._group.cancel_scope.cancel()
        # Not told of the failure, which it would wrap into a group: callers get it as it is.
        await self._group.__aexit__(None, None, None)
        for worker in tuple(self._workers):
            await self._end(worker)

    @property
    def pids(self) -> frozenset[int]:
        """The processes that there are at this moment."""
        return frozenset(worker.pid for worker in self._workers)

    def stray_cropper(self) -> Path | None:
        """Give a cropper_v2.py that lies in the current folder and that no setting names."""
        stray = Path.cwd() / "cropper_v2.py"
        return stray if self._settings["cropper"] is None and stray.exists() else None

    async def check(self) -> None:
        """Start one worker, so that a wrong CROPPER_PATH or FACE_MODEL_PATH shows at the start.

        Raises ConfigError. Does nothing where neither is set.
        """
        if self._settings["cropper"] or self._settings["face_model"]:
            async with self._slots:
                self._rest(await self._start())

    async def prepare(self, request: PrepareRequest) -> Prepared:
        """Prepare one photo; waits while all workers are busy.

        Raises PhotoUnusableError if the photo cannot be used, crashes its worker or takes too
        long; OSError if there is no room for the result, which is not the photo's fault;
        ConfigError if no worker can start. If cancelled, the worker is ended at once.
        """
        answer = await self._ask("prepare", request.to_json(), request.called)
        return Prepared.from_json(answer)

    async def sheet_row(self, row: SheetRow) -> None:
        """Draw one row of a contact sheet; raises as `prepare` does."""
        await self._ask("row", row.to_json(), row.photo.name)

    async def join_sheet(self, rows: Sequence[Path], to: Path) -> None:
        """Put rows into one contact sheet, a JPEG at `to`; raises as `prepare` does."""
        await self._ask("join", {"rows": [str(row) for row in rows], "to": str(to)}, to.name)

    async def view(
        self, picture: Path, to: Path, *, max_side: int, max_bytes: int
    ) -> tuple[int, int, int, int]:
        """Write a copy to look at; give its width and height, then the picture's.

        Raises as `prepare` does.
        """
        asked = {"picture": str(picture), "to": str(to)}
        limits = {"max_side": max_side, "max_bytes": max_bytes}
        width, height, *whole = await self._ask("view", {**asked, **limits}, picture.name)
        return width, height, whole[0], whole[1]

    async def tiles(self, tiles: Sequence[Tile]) -> tuple[bool, ...]:
        """Write the tiles of a sheet; tell of each whether its picture was there.

        Raises as `prepare` does.
        """
        asked = {"tiles": [tile.to_json() for tile in tiles]}
        return tuple(await self._ask("tiles", asked, "a picture"))

    async def mosaic(
        self,
        tiles: Sequence[tuple[Path | None, str]],
        to: Path,
        *,
        columns: int,
        cell: tuple[int, int],
        max_bytes: int,
    ) -> tuple[int, int]:
        """Put tiles with their labels into one sheet at `to`; give its width and height."""
        rows = [[str(path) if path else None, label] for path, label in tiles]
        asked = {"tiles": rows, "to": str(to), "columns": columns, "cell": cell}
        answer = await self._ask("mosaic", {**asked, "max_bytes": max_bytes}, to.name)
        return answer[0], answer[1]

    async def _ask(self, what: str, asked: dict[str, Any], name: str) -> Any:
        async with self._slots:
            worker = self._rested() or await self._start()
            try:
                with anyio.fail_after(self._photo_seconds):
                    await worker.tell({"do": what, "asked": asked})
                    answer = await worker.hear()
            except _WorkerDiedError as death:
                await self._end(worker)
                reason = f"made the picture decoder crash ({death}); export it as a new JPEG"
                raise PhotoUnusableError(name, reason) from death
            except TimeoutError as error:
                await self._end(worker)
                waited = f"took longer than {self._photo_seconds:g} s to prepare"
                reason = f"{waited}; export it as a new JPEG"
                raise PhotoUnusableError(name, reason) from error
            except BaseException:
                await self._end(worker)  # it is in the middle of something
                raise
            self._rest(worker)
        if "no_room" in answer:
            raise OSError(answer["no_room"], os.strerror(answer["no_room"]))
        if "problem" in answer:
            raise PhotoUnusableError(name, answer["problem"])
        return answer["done"]

    def _rested(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            self._group.start_soon(self._end, worker)
        return None

    def _rest(self, worker: _Worker) -> None:
        worker.idle_since = anyio.current_time()
        self._idle.append(worker)

    async def _start(self) -> _Worker:
        worker = _Worker(
            await anyio.open_process(
                [sys.executable, "-P", "-m", "seedream_daemon.photos.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the daemon, which ends its workers
            )
        )
        self.started += 1
        self._workers.add(worker)
        try:
            with anyio.fail_after(_START_SECONDS):
                await worker.tell(self._settings)
                greeting = await worker.hear()
        except (_WorkerDiedError, TimeoutError) as error:
            await self._end(worker)
            how = str(error) or f"no sign of life in {_START_SECONDS:g} s"
            named = self._settings["cropper"] or self._settings["face_model"]
            blame = f"; {named} is loaded at that point" if named else ""
            raise ConfigError(f"A photo worker cannot start ({how}){blame}.") from error
        except BaseException:
            await self._end(worker)
            raise
        if "config_problem" in greeting:
            await self._end(worker)
            raise ConfigError(greeting["config_problem"])
        self._group.start_soon(self._end_when_idle, worker)
        return worker

    async def _end_when_idle(self, worker: _Worker) -> None:
        while not worker.is_closed:
            rested = anyio.current_time() - worker.idle_since
            if worker not in self._idle:
                rested = 0
            if rested >= self._idle_seconds:
                self._idle.remove(worker)
                await self._end(worker)
                return
            await anyio.sleep(self._idle_seconds - rested)

    async def _end(self, worker: _Worker) -> None:
        await worker.close()
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _KEPT_BACK}
    package = str(Path(seedream_daemon.__file__).parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | _LIBRARIES | {"PYTHONPATH": os.pathsep.join(paths)}
