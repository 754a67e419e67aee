"""What the benchmarks share: the program of this very tree, a loopback service, photos, journals.

The program and the service are driven as the stories drive them, by the same code.
"""

import io
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from PIL import Image

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent


def load(path: str) -> ModuleType:
    """Import a file of the tests, which are no package."""
    spec = spec_from_file_location(path.replace("/", "_").removesuffix(".py"), TESTS / path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stories = load("stories/conftest.py")
services = load("conftest.py")


class Rig:
    """A folder with programs and services in it, all ended on leaving `rig()`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs: list = []
        self._services: list = []

    def service(self, *words: str):
        """Start an emulator in a process of its own."""
        place = self.folder / f"service{len(self._services)}"
        place.mkdir()
        self._services.append(services.Emulator(place / "bill.jsonl", *words))
        return self._services[-1]

    def program(self, base_url: str):
        """Give a program with folders of its own; IMAGES_PER_MINUTE is off."""
        home = self.folder / f"home{len(self._programs)}"
        home.mkdir()
        made = stories.Program(home, base_url)
        # Not what happens to be installed, but what lies beside the benchmarks.
        made.env["PYTHONPATH"] = str(ROOT)
        self._programs.append(made)
        return made

    def job(self, name: str, text: str, photos: Iterator[tuple[str, bytes]]) -> Path:
        """Write a job folder."""
        folder = self.folder / name
        folder.mkdir()
        for photo, content in photos:
            (folder / photo).write_bytes(content)
        (folder / "job.toml").write_text(text, encoding="utf-8")
        return folder

    def end(self) -> None:
        """End all processes."""
        for one in self._programs:
            one.end()
        for one in self._services:
            one.kill()


@contextmanager
def rig() -> Iterator[Rig]:
    """Give a rig in a folder that goes away afterwards (below TMPDIR)."""
    for name in list(os.environ):
        if name.startswith(("ARK_", "SEEDREAM_", "MCP_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["PYTHONPATH"] = str(ROOT)
    with TemporaryDirectory(prefix="seedream-bench-") as folder:
        made = Rig(Path(folder))
        try:
            yield made
        finally:
            made.end()


def photos(number: int, *, at_least_bytes: int = 0) -> Iterator[tuple[str, bytes]]:
    """Give so many names and JPEGs, no two alike; the picture in them is the same."""
    base = _noise(at_least_bytes) if at_least_bytes else stories.jpeg(64, 64)
    for one in range(number):
        note = f"photo {one}".encode()
        # A comment right behind the start marker; its length counts its own two bytes.
        comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
        yield f"IMG_{one:05d}.jpg", base[:2] + comment + base[2:]


def _noise(at_least_bytes: int) -> bytes:
    """Give a JPEG of at least so many bytes, and hardly more."""
    side, chance = 320, random.Random(1)
    while True:
        pixels = chance.randbytes(side * side * 3)
        stream = io.BytesIO()
        Image.frombytes("RGB", (side, side), pixels).save(stream, "JPEG", quality=80)
        if stream.tell() >= at_least_bytes:
            return stream.getvalue()
        side += 8


def times(session: Path, event: str) -> list[float]:
    """When each such entry of a session's journal was made, in Unix seconds."""
    lines = stories.Court.journal(session)
    return [
        datetime.fromisoformat(line["at"]).timestamp() for line in lines if line["event"] == event
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What was measured, and whether it is good enough."""

    text: str
    holds: bool


def at_most(what: str, measured: float, limit: float, unit: str, digits: int = 2) -> Claim:
    """Claim that a figure does not pass its limit."""
    text = f"{what}: {measured:.{digits}f} {unit}, at most {limit:.{digits}f}"
    return Claim(text=text, holds=measured <= limit)


def report(claims: list[Claim]) -> int:
    """Print each claim with PASS or FAIL; give the exit code."""
    for claim in claims:
        print(f"{'PASS' if claim.holds else 'FAIL'}  {claim.text}", flush=True)
    return 0 if all(claim.holds for claim in claims) else 1


def main(bench: Callable[[Rig], list[Claim]]) -> None:
    """Run a benchmark in a rig, print its claims and exit by them."""
    with rig() as made:
        code = report(bench(made))
    sys.exit(code)
