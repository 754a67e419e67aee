"""The MCP server: one object that serves every connection of both doors, in every era."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio.abc
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.types import Icon, NotificationParams

from seedream_daemon import __version__
from seedream_daemon.mcp_server.answers import Answers, held_answers
from seedream_daemon.mcp_server.calls import ToolCalls
from seedream_daemon.mcp_server.catalog import INSTRUCTIONS
from seedream_daemon.mcp_server.completions import Completions
from seedream_daemon.mcp_server.confirm import Questions
from seedream_daemon.mcp_server.discretion import discretion
from seedream_daemon.mcp_server.job_tasks import JobTasks
from seedream_daemon.mcp_server.prompts import get_prompt, list_prompts
from seedream_daemon.mcp_server.resources import Resources
from seedream_daemon.mcp_server.subscriptions import Marks, Subscriptions
from seedream_daemon.mcp_server.tasks import add_tasks
from seedream_daemon.mcp_server.toolbox import Toolbox

NAME = "seedream-daemon"
DOCUMENTATION = "https://docs.byteplus.com/en/docs/ModelArk/1541523"
# A folder with a lens.
ICON = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9"
    "IjAgMCAxNiAxNiI+PHBhdGggZmlsbD0iIzM2YyIgZD0iTTEgM2g1bDIgMmg3djlIMXoiLz48Y2lyY2xlIGN4PSI4Ii"
    "BjeT0iOS41IiByPSIzIiBmaWxsPSIjZmZmIi8+PC9zdmc+"
)
# Lists of tools, prompts and templates change only with the program.
LASTING = CacheHint(ttl_ms=60_000, scope="private")
PASSING = CacheHint(ttl_ms=0, scope="private")
STATE_S = 600.0


class SeedreamServer(Server[Answers]):
    """The SDK's server, saying that the list of resources changes."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Give what `initialize` answers."""
        return super().create_initialization_options(
            notification_options or NotificationOptions(resources_changed=True),
            experimental_capabilities,
            extensions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A server, and what runs beside it."""

    server: SeedreamServer
    subscriptions: Subscriptions


def build_server(
    tools: Toolbox, *, tasks: anyio.abc.TaskGroup, marks: Marks, sealing_key: str
) -> Built:
    """Make the server over `tools`.

    Questions to clients live in `tasks`. `sealing_key` (32 characters or more) seals what a
    client must bring back; the same key after a restart takes what was sealed before it.
    """
    calls = ToolCalls(tools, Questions(tasks), JobTasks(tools))
    resources, subscriptions = Resources(tools), Subscriptions(marks)
    server = SeedreamServer(
        NAME,
        version=__version__,
        title="Seedream daemon",
        instructions=INSTRUCTIONS,
        website_url=DOCUMENTATION,
        icons=[Icon(src=ICON, mime_type="image/svg+xml", sizes=["any"])],
        cache_hints=_hints(),
        lifespan=_answers(tools.mark_answered),
        on_list_tools=calls.list,
        on_call_tool=calls.call,
        on_list_resources=resources.list,
        on_list_resource_templates=resources.templates,
        on_read_resource=resources.read,
        on_subscribe_resource=subscriptions.subscribe,
        on_unsubscribe_resource=subscriptions.unsubscribe,
        on_subscriptions_listen=subscriptions.listen,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=Completions(tools).complete,
    )
    server.add_notification_handler(
        "notifications/initialized", NotificationParams, subscriptions.initialized
    )
    add_tasks(server, JobTasks(tools))
    security = RequestStateSecurity(keys=[sealing_key], ttl=STATE_S)
    boundary = RequestStateBoundary(security, default_audience=NAME)
    server.middleware += [boundary, discretion, calls.alike]
    return Built(server=server, subscriptions=subscriptions)


def _hints() -> Mapping[Any, CacheHint]:
    return {
        "tools/list": LASTING,
        "prompts/list": LASTING,
        "resources/templates/list": LASTING,
        "resources/list": PASSING,
        "resources/read": PASSING,
    }


def _answers(answered: Callable[[str], None]) -> Any:
    @asynccontextmanager
    async def lifespan(_: Server[Answers]) -> AsyncIterator[Answers]:
        yield held_answers(answered)

    return lifespan
