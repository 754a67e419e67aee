from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from seedream_daemon.job.plan import Asked, Group, Photo, Plan, Shot
from seedream_daemon.session.store import SessionWriter


class Clock:
    """A wall clock and a steady one that stand still until they are told to go on."""

    def __init__(self) -> None:
        self.wall = datetime(2025, 9, 12, 14, 30, 12, tzinfo=timezone(timedelta(hours=9)))
        self.steady = 100.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def go_on(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds


class Session:
    """What a run does to a session, in few words."""

    def __init__(self, writer: SessionWriter) -> None:
        self.writer = writer

    async def send(self, shot: str, request_id: str = "q1", *, count: int = 1) -> None:
        await self.writer.append(
            "sending",
            shot=shot,
            attempt=1,
            request_id=request_id,
            fingerprint="f" * 64,
            count=count,
            price_micro_usd=30_000 * count,
        )

    async def answer(
        self,
        shot: str,
        numbers: Sequence[int] = (1,),
        request_id: str = "q1",
        *,
        done: bool = True,
        images: int | None = None,
    ) -> None:
        pictures = [
            {"number": n, "index": n - 1, "url": f"https://ark.test/{shot}/{n}", "size": "4x4"}
            for n in numbers
        ]
        await self.writer.append(
            "answer",
            shot=shot,
            request_id=request_id,
            pictures=pictures,
            failed=[],
            done=done,
            images=images,
            error=None,
            server_request_id="s1",
            server_time=None,
        )

    async def receive(self, shot: str, content: bytes, number: int = 1) -> Any:
        draft = self.writer.draft(shot, number)
        draft.write_bytes(content)
        stem = next(one.stem for one in self.writer.plan.shots if one.id == shot)
        return await self.writer.keep(draft, shot=shot, number=number, stem=stem)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    def draw(shade: int = 0, image_format: str = "JPEG", sides: tuple[int, int] = (4, 4)) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", sides, (shade % 256, shade // 256, 0)).save(file, image_format)
        return file.getvalue()

    return draw


@pytest.fixture
def bulk_plan(tmp_path: Path) -> Callable[[int], Plan]:
    def plan(shots: int = 3, *, kind: Any = "bulk") -> Plan:
        root = tmp_path / "drop"
        photos = [
            Photo(name=f"IMG_{n}.jpg", path=root / f"IMG_{n}.jpg") for n in range(1, shots + 1)
        ]
        return Plan(
            kind=kind,
            name="my shoot",
            model="seedream-4-0-250828",
            family="4.0",
            size="2K",
            asked=Asked(),
            prompts=("Brighten {the} photo",),
            shots=tuple(
                Shot(
                    id=photo.name,
                    name=photo.name,
                    stem=photo.name[:-4],
                    template="Brighten {the} photo",
                    prompt="Brighten this photo",
                    photos=(photo,),
                )
                for photo in photos
            ),
        )

    return plan


@pytest.fixture
def single_plan() -> Callable[[str], Plan]:
    def plan(kind: Any = "t2i") -> Plan:
        photos = (Photo(name="me.jpg", path=Path("/drop/me.jpg")),) if kind == "i2i" else ()
        shot = Shot(id="1", name="1", stem="01", template="a {x}", prompt="a cat", photos=photos)
        return Plan(
            kind=kind,
            name="cat",
            model="seedream-4-0-250828",
            family="4.0",
            size="2048x2048",
            asked=Asked(count=4),
            prompts=("a {x}",),
            shots=(shot,),
        )

    return plan


@pytest.fixture
def grid_plan() -> Plan:
    groups = tuple(
        Group(
            name=name,
            label=label,
            photos=(
                Photo(
                    name=f"groups/{name}/a.jpg",
                    path=Path(f"/drop/groups/{name}/a.jpg"),
                    prepare="crop",
                ),
            ),
            variables=(("gender", gender),),
            left_out=left_out,
        )
        for name, label, gender, left_out in (
            ("man_chubby", "Man, chubby", "man", ()),
            ("woman", "woman", "woman", ("k.jpg",)),
        )
    )
    templates = ("ID photo of a {gender}", "{gender}, grey jacket")
    return Plan(
        kind="grid",
        name="id photos",
        model="seedream-4-0-250828",
        family="4.0",
        size="1296x1728",
        asked=Asked(seed=7),
        prompts=templates,
        groups=groups,
        common=(Photo(name="common/bg.jpg", path=Path("/drop/common/bg.jpg")),),
        crop=True,
        shots=tuple(
            Shot(
                id=f"r{row}_c{col}",
                name=f"{group.label} {row}",
                stem=f"cells/r{row}_c{col}",
                template=template,
                prompt=template.replace("{gender}", group.variables[0][1]),
                group=group.name,
                row=row,
                col=col,
            )
            for row, template in enumerate(templates, start=1)
            for col, group in enumerate(groups, start=1)
        ),
    )


@pytest.fixture
def begin(tmp_path: Path, clock: Clock) -> Any:
    async def create(plan: Plan, base: Path | None = None) -> Session:
        writer = await SessionWriter.create(
            base or tmp_path / "outputs",
            plan,
            job={"job_id": "j0123456789", "folder": None, "origin": "command"},
            now=clock.now,
            monotonic=clock.monotonic,
        )
        return Session(writer)

    return create


@pytest.fixture
def reopen(clock: Clock) -> Any:
    async def take(path: Path) -> Session:
        return Session(await SessionWriter.open(path, now=clock.now, monotonic=clock.monotonic))

    return take
