"""One accepted request: its pictures are drawn, spooled and told, in their time."""

import base64
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread

from seedream_daemon.emulator import refusal
from seedream_daemon.emulator.answers import SendEvent
from seedream_daemon.emulator.checks import Asked
from seedream_daemon.emulator.families import Size
from seedream_daemon.emulator.pictures import Poster, draw
from seedream_daemon.emulator.references import Reference
from seedream_daemon.emulator.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One picture to make; `index` counts from 0, `url` is None where it travels inline."""

    index: int
    name: str
    url: str | None
    fails: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A request that is answered; `due_from` is when its body was complete (monotonic)."""

    asked: Asked
    size: Size
    references: tuple[Reference, ...]
    members: tuple[Member, ...]
    created: int
    due_from: float = 0.0

    @property
    def size_text(self) -> str:
        """Give the size of each picture as the wire spells it."""
        return f"{self.size[0]}x{self.size[1]}"

    def usage(self) -> Mapping[str, int]:
        """Count what is billed: pictures that were made, and tokens by their area."""
        made = sum(not member.fails for member in self.members)
        tokens = round(made * self.size[0] * self.size[1] / 256)
        return {"generated_images": made, "output_tokens": tokens, "total_tokens": tokens}


class Studio:
    """Draws. `latency_s` is the time from a complete body to a complete answer."""

    def __init__(self, spool: Spool, *, latency_s: float) -> None:
        self._spool = spool
        self._latency_s = latency_s
        # More threads than processors would only make every picture late.
        self.limiter = anyio.CapacityLimiter(max(2, os.cpu_count() or 2))

    def plan(
        self,
        asked: Asked,
        references: tuple[Reference, ...],
        *,
        base: str,
        failing: int | None,
        is_expired: bool,
    ) -> Generation:
        """Name the pictures to be made; the `failing`th of them (from 1) will not be."""
        members = []
        for index in range(asked.count()):
            name = self._spool.new_name(index, png=asked.png, is_expired=is_expired)
            url = None if asked.b64 else self._spool.url(base, name)
            members.append(Member(index=index, name=name, url=url, fails=index + 1 == failing))
        return Generation(
            asked=asked,
            size=asked.size(tuple(reference.size for reference in references)),
            references=references,
            members=tuple(members),
            created=int(time.time()),
        )

    async def make(self, generation: Generation) -> Mapping[str, object]:
        """Make all pictures and give the answer as one JSON object."""
        data = [await self._member(generation, member) for member in generation.members]
        await self._wait_until_due(generation, len(data))
        head = {"model": generation.asked.model, "created": generation.created}
        if all(member.fails for member in generation.members):
            return {**head, "error": data[0]["error"]}
        return {**head, "data": data, "usage": generation.usage()}

    async def tell(self, generation: Generation, send: SendEvent, *, is_cut: bool) -> bool:
        """Make the pictures and tell of each when it is due; False if the stream is to be cut."""
        head = {"model": generation.asked.model, "created": generation.created}
        for number, member in enumerate(generation.members, 1):
            item = await self._member(generation, member)
            await self._wait_until_due(generation, number)
            kind = "failed" if member.fails else "succeeded"
            event = {"type": f"image_generation.partial_{kind}", **head}
            await send({**event, "image_index": member.index, **item})
            if is_cut:
                return False
        await send({"type": "image_generation.completed", **head, "usage": generation.usage()})
        return True

    async def _member(self, generation: Generation, member: Member) -> Mapping[str, object]:
        if member.fails:
            error = refusal.moderated()
            return {"error": {"code": error.code, "message": error.message}}
        content = await anyio.to_thread.run_sync(
            self._draw, generation, member, limiter=self.limiter
        )
        if member.url is None:
            return {"b64_json": content, "size": generation.size_text}
        return {"url": member.url, "size": generation.size_text}

    def _draw(self, generation: Generation, member: Member) -> str:
        """Draw and keep a picture; give it as base64 where it travels inline."""
        asked = generation.asked
        content = draw(
            Poster(
                model=asked.model,
                prompt=asked.prompt,
                size=generation.size,
                references=generation.references,
                number=member.index + 1,
                count=len(generation.members),
                seed=asked.seed,
                watermark=asked.watermark,
                png=asked.png,
            )
        )
        if member.url is None:
            return base64.b64encode(content).decode("ascii")
        self._spool.write(member.name, content)
        return ""

    async def _wait_until_due(self, generation: Generation, number: int) -> None:
        """Wait for the moment at which the `number`th picture is ready."""
        share = number / len(generation.members)
        due = generation.due_from + self._latency_s * share
        await anyio.sleep(max(0.0, due - time.monotonic()))
