"""Run under `unshare -rm`: a session on a disk of 256 KiB that fills up and is freed again."""

import errno
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from child import plan_of, receive

from seedream_daemon.session.recall import recall
from seedream_daemon.session.store import SessionWriter


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full() -> pytest.RaisesExc:
    return pytest.raises(OSError, check=lambda error: error.errno == errno.ENOSPC)


async def write_until_full(writer: SessionWriter) -> int:
    written = 0
    with full():
        while written < 10_000:
            await writer.append("photo", photo=f"p{written}", sha256="d" * 64, bytes=1)
            written += 1
    return written


def fill(ballast: Path) -> None:
    with full(), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


async def a_session_outlives_a_full_disk(disk: Path, content: bytes) -> None:
    writer = await SessionWriter.create(disk, plan_of(2), job={"job_id": "j"})
    draft = writer.draft("1", 1)
    draft.write_bytes(content)
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * 120_000)
    written = await write_until_full(writer)
    # A picture can still be linked, but nobody could be told: it must not stay half known.
    with full():
        await writer.keep(draft, shot="1", number=1, stem="1")
    assert names(writer.path) == sorted(
        [".lock", draft.name, "journal-0001.jsonl", "metadata.json"]
    )
    ballast.unlink()
    await writer.keep(draft, shot="1", number=1, stem="1")
    await receive(writer, "2", content)
    await writer.close("done")
    recalled = recall(writer.path)
    assert not recalled.bad_lines, recalled.bad_lines
    assert recalled.last_number == 1
    assert len(recalled.history.digests) == written
    assert recalled.history.state == "done"
    assert recalled.history.counts().pictures == 2


async def no_session_is_begun_without_room(disk: Path) -> None:
    fill(disk / "ballast")
    before = names(disk)
    with full():
        await SessionWriter.create(disk, plan_of(50), job={"job_id": "j"})
    assert names(disk) == before


if __name__ == "__main__":
    mount_point = Path(sys.argv[1])
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount_point)], check=True
    )
    anyio.run(a_session_outlives_a_full_disk, mount_point, Path(sys.argv[2]).read_bytes())
    anyio.run(no_session_is_begun_without_room, mount_point)
