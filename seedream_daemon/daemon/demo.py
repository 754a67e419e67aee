"""The examples and one drop that is broken on purpose, through a whole daemon of their own."""

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from seedream_daemon.actions.examples import make_home, template_dir
from seedream_daemon.daemon.serve import serve
from seedream_daemon.emulator.server import Options, running
from seedream_daemon.errors import ConfigError, ExitCode, InterruptedRunError
from seedream_daemon.events import DropPutAway, Emit, Event
from seedream_daemon.settings import Settings

LATENCY_S = 0.4
SETTLE_S = 1.0
BROKEN = "broken-on-purpose"
_BROKEN_JOB = """\
# Two mistakes, so that you see what a folder in _failed looks like.
kind = "t2i"
prompt = "A lighthouse in a storm, oil painting"
aspekt = "4:3"
count = 99
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A drop of the demo after its end: where it lies now, and its result.json."""

    folder: Path
    document: dict[str, Any]

    @property
    def is_broken(self) -> bool:
        """Whether it was meant to be refused."""
        return self.folder.name.startswith(BROKEN)

    @property
    def went_as_meant(self) -> bool:
        """Whether it is done; if it is broken, whether it was refused before anything was sent."""
        if self.is_broken:
            return bool(self.document.get("problems")) and self.document["session"] is None
        return bool(self.document["state"] == "done")

    def error_text(self) -> str:
        """Read what its error.txt says; blocks."""
        return (self.folder / "error.txt").read_text(encoding="utf-8")


async def run_demo(home: Path, *, emit: Emit) -> tuple[tuple[Shown, ...], ExitCode]:
    """Make a home, drop every example into its inbox and serve that; give how each drop ended.

    The service is the emulator, so that neither key nor settings are needed. Exit code OK means
    that the good drops are done and the broken one was refused. Raises ConfigError if `home`
    cannot be written, InterruptedRunError if a signal came first.
    """
    ended: list[Path] = []

    def tell(event: Event) -> None:
        if isinstance(event, DropPutAway):
            ended.append(Path(event.folder))
        emit(event)

    try:
        dropped = await anyio.to_thread.run_sync(_drop_all, home)
    except OSError as error:
        raise ConfigError(
            f"The examples cannot be copied into {home}: {error.strerror}. "
            "Name a folder that you may write to."
        ) from error
    async with running(Options(latency_s=LATENCY_S)) as base_url:
        settings = _settings(home, base_url)
        await serve(settings, emit=tell, once=True, reread=lambda: settings)
    shown = await anyio.to_thread.run_sync(partial(_read_all, ended))
    if len(shown) < dropped:
        raise InterruptedRunError(
            f"The demo was stopped: {len(shown)} of {dropped} folders came to their end. "
            "Run it again to see the rest."
        )
    as_meant = all(drop.went_as_meant for drop in shown)
    return shown, ExitCode.OK if as_meant else ExitCode.SOME_FAILED


def _settings(home: Path, base_url: str) -> Settings:
    return Settings(
        ark_base_url=base_url,
        inbox_dir=home / "inbox",
        output_base_dir=home / "outputs",
        state_dir=home / "state",
        settle_seconds=SETTLE_S,
    )


def _drop_all(home: Path) -> int:
    """Fill the inbox as a person would; a drop that lies there already is left as it is."""
    make_home(home)
    inbox = home / "inbox"
    examples = [item for item in sorted(template_dir().iterdir()) if item.is_dir()]
    for example in examples:
        if not (inbox / example.name).exists():
            shutil.copytree(example, inbox / example.name)
    broken = inbox / BROKEN
    broken.mkdir(exist_ok=True)
    (broken / "job.toml").write_text(_BROKEN_JOB, encoding="utf-8")
    return len(examples) + 1


def _read_all(folders: list[Path]) -> tuple[Shown, ...]:
    return tuple(
        Shown(
            folder=folder,
            document=json.loads((folder / "result.json").read_text(encoding="utf-8")),
        )
        for folder in sorted(folders)
    )
