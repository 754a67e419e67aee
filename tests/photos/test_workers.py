import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from PIL import Image

from seedream_daemon.errors import ConfigError
from seedream_daemon.photos.steps import PhotoUnusableError, PrepareRequest
from seedream_daemon.photos.workers import PhotoWorkers

TROUBLE = """
import os, time

class FaceCropper:
    def detect_face_dnn(self, image):
        print("a cropper may print")
        width = image.shape[1]
        if width == 101:
            os.abort()
        if width == 102:
            time.sleep(600)
        if width == 103:
            return {"box": [0, 0, 1, 1], "hoard": bytearray(8 << 30)}
        if width == 104:
            os._exit(7)
        if width == 105:
            return {"box": [int("ARK_API_KEY" in os.environ) * 9, 0, 50, 50]}
        return None

    def calculate_balanced_crop_v2(self, *face):
        return 0, 0, 50, 50
"""


@pytest.fixture
def trouble(tmp_path: Path) -> Path:
    """A cropper that stands in for a C library: some widths make it crash, stall or hoard."""
    path = tmp_path / "cropper.py"
    path.write_text(TROUBLE, encoding="utf-8")
    return path


def wide(save, width: int) -> Path:
    return save(Image.new("RGB", (width, 60), "red"), f"{width}.png")


def crop_of(path: Path) -> PrepareRequest:
    return PrepareRequest(photo=path, to=path.with_suffix(".out"), step="crop")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1][1] != "Z"
    except OSError:
        return False


async def gone(pids: frozenset[int]) -> None:
    with anyio.fail_after(20):
        for pid in pids:
            while is_running(pid):  # noqa: ASYNC110 - another process gives no event
                await anyio.sleep(0.01)


async def test_a_photo_is_prepared_in_another_process(person, save):
    path = save(person, "01.jpg")
    async with PhotoWorkers(1) as workers:
        assert workers.pids == frozenset()
        prepared = await workers.prepare(crop_of(path))
        pids = workers.pids
        assert len(pids) == 1
        assert os.getpid() not in pids
    assert prepared.crop == "face"
    assert prepared.file.stat().st_size == prepared.bytes
    await gone(pids)


async def test_a_worker_serves_many_photos_and_there_are_no_more_than_needed(save):
    paths = [wide(save, 200 + number) for number in range(6)]
    async with PhotoWorkers(2) as workers:
        async with anyio.create_task_group() as group:
            for path in paths:
                group.start_soon(workers.prepare, crop_of(path))
        assert workers.started == 2
    assert all(path.with_suffix(".out").exists() for path in paths)


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (101, "101.png made the picture decoder crash (SIGABRT); export it as a new JPEG."),
        (102, "102.png took longer than 1.5 s to prepare; export it as a new JPEG."),
        (104, "104.png made the picture decoder crash (exit status 7); export it as a new JPEG."),
    ],
)
async def test_a_photo_that_crashes_or_stalls_fails_alone(
    width: int, message: str, trouble: Path, save
):
    async with PhotoWorkers(1, cropper_path=trouble, photo_seconds=1.5) as workers:
        await workers.prepare(crop_of(wide(save, 200)))
        first = workers.pids
        with pytest.raises(PhotoUnusableError) as error:
            await workers.prepare(crop_of(wide(save, width)))
        assert error.value.message == message
        await gone(first)
        prepared = await workers.prepare(crop_of(wide(save, 201)))
        assert prepared.crop == "center"
        assert not workers.pids & first


async def test_memory_is_bounded(trouble: Path, save):
    async with PhotoWorkers(1, cropper_path=trouble) as workers:
        prepared = await workers.prepare(crop_of(wide(save, 103)))
        assert "MemoryError" in (prepared.warning or "")
        (pid,) = workers.pids
        limits = await anyio.Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    (line,) = (line for line in limits.splitlines() if line.startswith("Max address space"))
    assert line.split()[3:5] == [str(2 << 30)] * 2


@pytest.mark.slow
async def test_a_photo_that_needs_too_much_memory_fails_alone(save):
    path = save(Image.new("RGB", (9000, 9000), "red"), "a.png")
    async with PhotoWorkers(1, memory_bytes=600 << 20) as workers:
        with pytest.raises(PhotoUnusableError, match=r"^a\.png needs more memory than a photo is"):
            await workers.prepare(
                PrepareRequest(photo=path, to=path.with_name("p"), step="convert")
            )


async def test_the_key_does_not_reach_a_worker(trouble: Path, save, monkeypatch):
    monkeypatch.setenv("ARK_API_KEY", "CANARY")
    async with PhotoWorkers(1, cropper_path=trouble) as workers:
        prepared = await workers.prepare(crop_of(wide(save, 105)))
        (pid,) = workers.pids
        environment = await anyio.Path(f"/proc/{pid}/environ").read_bytes()
    assert prepared.face == (0, 0, 50, 50)
    assert b"CANARY" not in environment


async def test_a_damaged_photo_is_told_by_name(save):
    path = save(Image.new("RGB", (64, 64)), "a.jpg")
    path.write_bytes(path.read_bytes()[:-9])
    async with PhotoWorkers(1) as workers:
        with pytest.raises(PhotoUnusableError, match=r"^a\.jpg is cut short"):
            await workers.prepare(crop_of(path))
        assert workers.started == len(workers.pids) == 1


async def test_a_missing_photo_and_a_missing_folder_are_told(save, tmp_path: Path):
    async with PhotoWorkers(1) as workers:
        with pytest.raises(PhotoUnusableError, match=r"^none\.jpg .*No such file"):
            await workers.prepare(crop_of(tmp_path / "none.jpg"))
        path = wide(save, 200)
        request = PrepareRequest(photo=path, to=tmp_path / "no" / "p", step="convert")
        with pytest.raises(PhotoUnusableError, match="No such file"):
            await workers.prepare(request)


async def test_idle_workers_end(save):
    async with PhotoWorkers(1, idle_seconds=0.2) as workers:
        await workers.prepare(crop_of(wide(save, 200)))
        await gone(workers.pids)
        with anyio.fail_after(20):
            while workers.pids:  # noqa: ASYNC110 - nothing else waits for it
                await anyio.sleep(0.01)
        await workers.prepare(crop_of(wide(save, 201)))
        assert workers.started == 2


async def test_a_worker_that_was_killed_while_idle_is_replaced(save):
    async with PhotoWorkers(1) as workers:
        await workers.prepare(crop_of(wide(save, 200)))
        (pid,) = workers.pids
        os.kill(pid, 9)
        await gone(frozenset([pid]))
        with anyio.fail_after(20):
            while workers.started == 1:
                try:
                    await workers.prepare(crop_of(wide(save, 201)))
                except PhotoUnusableError:
                    await anyio.sleep(0.01)  # the event loop had not heard of its death yet


async def test_a_cancelled_photo_ends_its_worker(trouble: Path, save):
    async with PhotoWorkers(1, cropper_path=trouble) as workers:
        await workers.prepare(crop_of(wide(save, 200)))
        first = workers.pids
        with anyio.move_on_after(0.3) as scope:
            await workers.prepare(crop_of(wide(save, 102)))
        assert scope.cancelled_caught
        await gone(first)
        assert (await workers.prepare(crop_of(wide(save, 201)))).crop == "center"


async def test_leaving_ends_workers_that_are_busy(trouble: Path, save):
    async with anyio.create_task_group() as group, PhotoWorkers(1, cropper_path=trouble) as workers:
        await workers.check()
        pids = workers.pids
        group.start_soon(workers.prepare, crop_of(wide(save, 102)))
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    await gone(pids)


async def test_workers_end_when_the_daemon_is_killed(save, tmp_path: Path):
    path = wide(save, 200)
    code = (
        "import anyio, os, sys\n"
        "from pathlib import Path\n"
        "from seedream_daemon.photos.workers import PhotoWorkers\n"
        "from seedream_daemon.photos.steps import PrepareRequest\n"
        "async def main():\n"
        "    async with PhotoWorkers(1) as workers:\n"
        f"        path = Path({str(path)!r})\n"
        "        await workers.prepare(PrepareRequest(photo=path, to=path.with_name('p'), step='crop'))\n"
        "        print(*workers.pids, flush=True)\n"
        "        os.kill(os.getpid(), 9)\n"
        "anyio.run(main)\n"
    )
    ended = await anyio.run_process([sys.executable, "-c", code], check=False)
    assert ended.returncode == -9
    await gone(frozenset([int(ended.stdout)]))


async def test_a_wrong_cropper_shows_at_the_start(tmp_path: Path):
    async with PhotoWorkers(1, cropper_path=tmp_path / "none.py") as workers:
        with pytest.raises(ConfigError, match=r"^CROPPER_PATH names"):
            await workers.check()
        assert workers.pids == frozenset()


async def test_a_cropper_that_ends_the_process_shows_at_the_start(tmp_path: Path):
    path = tmp_path / "cropper.py"
    path.write_text("import os; os._exit(5)", encoding="utf-8")
    async with PhotoWorkers(1, cropper_path=path) as workers:
        with pytest.raises(ConfigError, match=r"cannot start \(exit status 5\); .*cropper\.py"):
            await workers.check()


async def test_without_a_custom_cropper_the_check_starts_nothing():
    async with PhotoWorkers(1) as workers:
        await workers.check()
        assert workers.started == 0


async def test_a_failure_inside_leaves_as_it_is(save):
    with pytest.raises(PhotoUnusableError):
        async with PhotoWorkers(1) as workers:
            await workers.prepare(crop_of(Path("/none.jpg")))


async def test_a_foreign_module_in_the_current_folder_is_not_loaded(save, tmp_path, monkeypatch):
    path = wide(save, 200)
    (tmp_path / "json.py").write_text("import os; os._exit(3)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    async with PhotoWorkers(1) as workers:
        await workers.prepare(crop_of(path))


async def test_names_that_are_not_utf_8_are_read(save, tmp_path: Path):
    path = wide(save, 200)
    odd = tmp_path / os.fsdecode(b"\xff \xea\xb0\x80 -rf\n.png")
    path.rename(odd)
    async with PhotoWorkers(1) as workers:
        prepared = await workers.prepare(
            PrepareRequest(photo=odd, to=tmp_path / "p.jpg", step="convert")
        )
    assert prepared.width == 200


async def test_a_photo_is_called_as_people_call_it(save):
    path = wide(save, 200)
    async with PhotoWorkers(1) as workers:
        request = PrepareRequest(
            photo=path, to=path.with_suffix(".out"), step="crop", name="groups/가/1.png"
        )
        prepared = await workers.prepare(request)
        assert prepared.warning is not None
        assert prepared.warning.startswith("groups/가/1.png: no face was found")
        path.write_bytes(b"")
        with pytest.raises(PhotoUnusableError) as error:
            await workers.prepare(request)
    assert error.value.message == "groups/가/1.png is empty; copy it again."
    assert error.value.reason == "is empty; copy it again"


def test_the_daemon_itself_loads_no_picture_library():
    code = (
        "import sys, seedream_daemon.photos.workers, seedream_daemon.photos.inspect;"
        "assert not {'PIL', 'cv2', 'numpy', 'pillow_heif'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


FULL_DISK = """
import anyio, errno, sys
from pathlib import Path
from seedream_daemon.photos.steps import PrepareRequest
from seedream_daemon.photos.workers import PhotoWorkers

async def main():
    async with PhotoWorkers(1) as workers:
        request = PrepareRequest(photo=Path(sys.argv[1]), to=Path(sys.argv[2]), step="convert")
        try:
            await workers.prepare(request)
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
            print("no room")

anyio.run(main)
"""


def test_a_full_disk_is_not_the_fault_of_the_photo(save, tmp_path: Path):
    path = save(Image.effect_noise((1000, 1000), 90).convert("RGB"), "a.jpg", quality=95)
    small = tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=64k tmpfs {small}"
    if subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], check=False, capture_output=True
    ).returncode:
        pytest.skip("unshare -rm may not mount here")
    run = [sys.executable, "-c", FULL_DISK, str(path), str(small / "p.jpg")]
    command = ["unshare", "-rm", "sh", "-c", mount + ' && exec "$@"', "sh", *run]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    assert ended.stdout == "no room\n"
