"""While the account is refused: ask at no cost, now and then, whether it is taken again."""

import anyio

from seedream_daemon.ark.failures import Verdict
from seedream_daemon.events import QueueReopened
from seedream_daemon.run.engine import Engine

PROBE_S = 300.0
LOOK_S = 1.0


async def keep_probing(engine: Engine, *, every_s: float = PROBE_S) -> None:
    """Open the gate for one shot when a probe is no longer refused; its answer opens it for all.

    The model is that of the refused request. Runs until cancelled.
    """
    means = engine.means
    while True:
        await anyio.sleep(LOOK_S)
        pause = means.gate.pause
        if pause is None or pause.why != "account":
            continue
        await anyio.sleep(every_s)
        refusal = await means.client.probe(pause.model)
        if refusal is None or refusal.verdict is not Verdict.ACCOUNT:
            means.gate.reopen()
            means.emit(QueueReopened())
