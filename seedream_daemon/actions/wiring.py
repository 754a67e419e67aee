"""Settings -> the parts that running jobs share."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from seedream_daemon.ark.backoff import Throttle
from seedream_daemon.ark.client import ArkClient
from seedream_daemon.ark.results import ResultFetcher
from seedream_daemon.errors import ConfigError
from seedream_daemon.events import Emit
from seedream_daemon.photos.workers import PhotoWorkers
from seedream_daemon.run.engine import Engine
from seedream_daemon.run.gate import Gate
from seedream_daemon.run.means import Means, Policy
from seedream_daemon.run.room import Room
from seedream_daemon.settings import Settings
from seedream_daemon.spend.book import Caps
from seedream_daemon.spend.ledger import Ledger

FETCHES_AT_ONCE = 16
# How many are really sent at once is the gate's to say, and may change while jobs run.
MOST_PARALLEL = 256
# A service on this machine needs no key, but may well want to see one.
NO_KEY = "none"


@asynccontextmanager
async def open_engine(
    settings: Settings, emit: Emit, *, needs_key: bool = True
) -> AsyncIterator[Engine]:
    """Open what jobs run with, and close it after them. Raises ConfigError.

    Without `needs_key` only pictures that are paid for can be fetched.
    """
    key = settings.require_key() if needs_key else None
    throttle = Throttle(settings.max_parallel)
    async with (
        ArkClient(
            settings.ark_base_url,
            key.get_secret_value() if key else NO_KEY,
            max_parallel=MOST_PARALLEL,
        ) as client,
        ResultFetcher(settings.ark_base_url, settings.result_hosts) as fetcher,
        PhotoWorkers(
            cropper_path=settings.cropper_path, face_model_path=settings.face_model_path
        ) as workers,
    ):
        await workers.check()
        means = Means(
            client=client,
            fetcher=fetcher,
            ledger=open_ledger(settings),
            gate=Gate(lambda: throttle.allowed),
            throttle=throttle,
            workers=workers,
            room=Room(emit),
            emit=emit,
            policy=Policy(
                ambiguous=settings.ambiguous,
                max_input_mb=settings.max_input_mb,
                price_per_image_micro_usd=settings.price_per_image_usd,
            ),
            fetching=anyio.CapacityLimiter(FETCHES_AT_ONCE),
            chance=random.random,
        )
        engine = Engine(means, stop_grace_s=settings.stop_grace_seconds)
        async with engine.running():
            yield engine


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger of STATE_DIR. Raises ConfigError where it cannot be written."""
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        why = "a file lies where the folder should be" if is_file else error.strerror
        raise ConfigError(
            f"STATE_DIR {settings.state_dir} cannot be made: {why}. "
            "Name a folder that you may write to; nothing was sent."
        ) from error
    if not os.access(settings.state_dir, os.W_OK | os.X_OK):
        raise ConfigError(
            f"STATE_DIR {settings.state_dir} cannot be written to. "
            "Name a folder that you may write to; nothing was sent."
        )
    caps = caps_of(settings)
    return Ledger(
        settings.state_dir,
        images_per_minute=settings.images_per_minute,
        daily_budget_micro_usd=caps.day,
        job_budget_micro_usd=caps.job,
        tools_budget_micro_usd=caps.tools,
    )


def caps_of(settings: Settings) -> Caps:
    """Give the caps of money that bind every request."""
    return Caps(
        day=settings.daily_budget_usd,
        job=settings.job_budget_usd,
        tools=settings.mcp_daily_budget_usd,
    )
