"""What all running jobs share: the service, the money, the slots."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import anyio

from seedream_daemon.ark.backoff import Throttle
from seedream_daemon.ark.client import ArkClient
from seedream_daemon.ark.results import ResultFetcher
from seedream_daemon.events import Emit
from seedream_daemon.photos.workers import PhotoWorkers
from seedream_daemon.run.gate import Gate
from seedream_daemon.run.room import Room
from seedream_daemon.spend.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator chose about requests. Money is in whole micro-dollars.

    `ambiguous` says whether a request that may have been billed is asked again once by itself.
    """

    ambiguous: Literal["retry", "hold"] = "retry"
    max_input_mb: float = 10
    price_per_image_micro_usd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The parts that every job works with; one per process."""

    client: ArkClient
    fetcher: ResultFetcher
    ledger: Ledger
    gate: Gate
    throttle: Throttle
    workers: PhotoWorkers
    room: Room
    emit: Emit
    policy: Policy
    fetching: anyio.CapacityLimiter
    chance: Callable[[], float]
    asking: set[anyio.CancelScope] = field(default_factory=set)
