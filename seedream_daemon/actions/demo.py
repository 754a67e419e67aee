"""The examples, run against the emulator: what a new user sees first."""

from pathlib import Path
from typing import Any

from seedream_daemon.actions.examples import copy_examples
from seedream_daemon.actions.run import run_folder
from seedream_daemon.emulator.server import Options, running
from seedream_daemon.errors import PRECEDENCE, ConfigError, ExitCode
from seedream_daemon.events import Emit
from seedream_daemon.settings import Settings

LATENCY_S = 0.4


async def run_demo(folder: Path, *, emit: Emit) -> tuple[list[dict[str, Any]], ExitCode]:
    """Run every example in `folder`; gives the result.json documents."""
    try:
        examples = copy_examples(folder / "inbox")
    except OSError as error:
        raise ConfigError(
            f"The examples cannot be copied into {folder}: {error.strerror}. "
            "Name a folder that you may write to."
        ) from error
    documents, codes = [], [ExitCode.OK]
    async with running(Options(latency_s=LATENCY_S)) as base_url:
        settings = Settings(
            ark_base_url=base_url,
            inbox_dir=folder / "inbox",
            output_base_dir=folder / "outputs",
            state_dir=folder / "state",
        )
        for example in examples:
            result = await run_folder(settings, example, emit=emit, on_engine=lambda _: None)
            documents.append(result.document)
            codes.append(result.exit_code)
    return documents, next(code for code in PRECEDENCE if code in codes)
