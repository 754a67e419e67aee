"""`serve`: the service with its doors, from start to an orderly end."""

import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import anyio

from seedream_daemon.daemon.control import serve_control, socket_path
from seedream_daemon.daemon.on_demand import end_when_idle, take_over
from seedream_daemon.daemon.pulse import Pulse
from seedream_daemon.daemon.service import Service, open_service
from seedream_daemon.errors import ConfigError, ExitCode
from seedream_daemon.events import Emit
from seedream_daemon.settings import Settings
from seedream_daemon.systemd import Notifier

Door = Callable[[Service], Coroutine[Any, Any, None]]
Reread = Callable[[], Settings]


async def serve(
    settings: Settings,
    *,
    emit: Emit,
    once: bool,
    reread: Reread,
    doors: Sequence[Door] = (),
    idle_s: float | None = None,
) -> ExitCode:
    """Serve the inbox until SIGTERM or SIGINT; with `once` only what lies in it now.

    `reread` gives the settings anew at SIGHUP. `doors` run beside the service and are ended with
    it. After `idle_s` without job and client the service ends by itself, and it makes way for
    one that does not. Raises ConfigError where nothing can be served.
    """
    if idle_s is None:
        await take_over(settings)
    async with open_service(settings, emit, once=once) as service:
        pulse = Pulse(service, Notifier.from_environment(os.environ))
        async with anyio.create_task_group() as beside:
            beside.start_soon(_listen, service, pulse, reread, beside.cancel_scope)
            beside.start_soon(
                serve_control, service, socket_path(settings.state_dir, "control.sock")
            )
            for door in doors:
                beside.start_soon(door, service)
            if idle_s is not None:
                service.ends_when_idle = True
                beside.start_soon(end_when_idle, service, idle_s)
            beside.start_soon(pulse.beat)
            beside.start_soon(pulse.ready_once_tended)
            await (service.run_once() if once else service.run())
            beside.cancel_scope.cancel()
        return service.exit_code if once else ExitCode.OK


async def _listen(
    service: Service, pulse: Pulse, reread: Reread, everything: anyio.CancelScope
) -> None:
    """First signal: stop in order. SIGINT again: at once. SIGHUP: take the settings anew."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                _reload(service, pulse, reread)
            elif not service.engine.stopping:
                service.stop()
            elif number == signal.SIGINT:
                everything.cancel()


def _reload(service: Service, pulse: Pulse, reread: Reread) -> None:
    """Take the settings anew; what is wrong in them must not end the service."""
    pulse.reloading()
    try:
        service.take_settings(reread())
    except ConfigError as error:
        message = f"The settings were not read anew, those before hold: {error.message}"
        service.warn(message)
    pulse.ready()
