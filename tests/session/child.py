"""A process that writes a session until it is killed: `child.py BASE|SESSION SHOTS PICTURE`.

Every step that was acknowledged is told on stdout, which outlives the kill.
"""

import sys
from pathlib import Path

import anyio

from seedream_daemon.job.plan import Asked, Plan, Shot
from seedream_daemon.session.segment import journal_files
from seedream_daemon.session.store import SessionWriter


def plan_of(shots: int) -> Plan:
    ids = [str(number) for number in range(1, shots + 1)]
    return Plan(
        kind="bulk",
        name="killed",
        model="m",
        family="4.0",
        size=None,
        asked=Asked(),
        prompts=("x",),
        shots=tuple(Shot(id=i, name=i, stem=i, template="x", prompt="x") for i in ids),
    )


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def receive(writer: SessionWriter, shot: str, content: bytes) -> None:
    draft = writer.draft(shot, 1)
    draft.write_bytes(content)
    kept = await writer.keep(draft, shot=shot, number=1, stem=shot)
    tell("picture", shot, kept.file)
    await writer.append("saved", shot=shot, files=[kept.file])
    tell("saved", shot)


async def shoot(writer: SessionWriter, shot: str, content: bytes) -> None:
    attempt = writer.history.shots[shot].attempts + 1
    request = {"attempt": attempt, "request_id": f"{shot}-{attempt}", "fingerprint": "f"}
    await writer.append("sending", shot=shot, count=1, price_micro_usd=1, **request)
    tell("sending", shot)
    answer = {
        "request_id": f"{shot}-{attempt}",
        "failed": [],
        "done": True,
        "images": 1,
        "error": None,
    }
    pictures = [{"number": 1, "index": 0, "url": "u", "size": None}]
    await writer.append("answer", shot=shot, pictures=pictures, **answer)
    tell("answer", shot)
    await receive(writer, shot, content)


async def main(where: Path, shots: int, content: bytes) -> None:
    if journal_files(where):
        writer = await SessionWriter.open(where)
    else:
        writer = await SessionWriter.create(where, plan_of(shots), job={"job_id": "j"})
    tell("session", writer.path)
    async with anyio.create_task_group() as group:
        for picture in writer.history.to_fetch():
            group.start_soon(receive, writer, picture.shot, content)
        for shot, lived in list(writer.history.shots.items()):
            if lived.state.value in ("planned", "in_doubt"):
                group.start_soon(shoot, writer, shot, content)
    await writer.close("done")
    tell("closed")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(exist_ok=True)
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_bytes())
