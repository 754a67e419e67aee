"""SIGINT and SIGTERM -> an orderly stop, and at the second SIGINT an immediate one."""

import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from seedream_daemon.cli.settled import say
from seedream_daemon.errors import InterruptedRunError
from seedream_daemon.run.engine import Engine

Result = TypeVar("Result")


async def interruptible(work: Callable[[Callable[[Engine], None]], Awaitable[Result]]) -> Result:
    """Run `work`, which hands over its engine, so that a signal can stop it in order.

    Raises InterruptedRunError where a signal came before there was anything to stop in order, or a
    second time.
    """
    engines: list[Engine] = []
    results: list[Result] = []

    async def listen() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                if not engines or engines[-1].stopping:
                    if number == signal.SIGTERM and engines:
                        continue
                    group.cancel_scope.cancel()
                    return
                say(
                    "Stopping: nothing new is sent, answers in flight are awaited. "
                    "Once more stops at once."
                )
                engines[-1].stop()

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        results.append(await work(engines.append))
        group.cancel_scope.cancel()
    if not results:
        raise InterruptedRunError(
            "Stopped at once. What is paid for is saved or can be fetched by resume."
        )
    return results[0]
