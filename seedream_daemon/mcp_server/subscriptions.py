"""Who is told when something changes: listeners of 2026-07-28, subscribers of the eras before."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ResourcesListChanged,
    ResourceUpdated,
)
from mcp.types import (
    EmptyResult,
    NotificationParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from seedream_daemon.mcp_server.private import connection_of

LOOK_S = 1.0

Context = ServerRequestContext[Any, Any]
Marks = Callable[[frozenset[str]], Awaitable[Mapping[str, str]]]


class Subscriptions:
    """Looks once a second, while anybody listens, whether a watched resource has changed.

    `marks` gives for each URI a text that changes when the resource does, and for `""` one that
    changes when a resource comes or goes; a URI it leaves out never changes.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus)
        self._listened: dict[object, frozenset[str]] = {}
        self._subscribed: dict[int, dict[str, ServerSession]] = {}
        self._clients: dict[int, ServerSession] = {}
        self._wanted = anyio.Event()

    async def watch(self) -> None:
        """Tell of changes until cancelled."""
        seen: dict[str, str] = {}
        while True:
            watched = self._watched()
            if not watched:
                seen = {}
                await self._wanted.wait()
                self._wanted = anyio.Event()
                continue
            marks = await self._marks(watched)
            for uri in marks.keys() & seen.keys():
                if marks[uri] != seen[uri]:
                    await self._tell(uri)
            seen = dict(marks)
            await anyio.sleep(LOOK_S)

    def close(self) -> None:
        """End every listener's stream in order."""
        self._listen.close()

    async def listen(
        self, ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve subscriptions/listen until the client leaves or `close`."""
        asked = params.notifications
        uris = {str(uri) for uri in asked.resource_subscriptions or ()}
        token = object()
        self._listened[token] = frozenset(uris | ({""} if asked.resources_list_changed else set()))
        self._wanted.set()
        try:
            return await self._listen(ctx, params)
        finally:
            del self._listened[token]

    async def subscribe(self, ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        """Serve resources/subscribe."""
        connection = self._remember(ctx)
        self._subscribed.setdefault(id(connection), {})[str(params.uri)] = ctx.session
        self._wanted.set()
        return EmptyResult()

    async def unsubscribe(self, ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Serve resources/unsubscribe."""
        self._subscribed.get(id(connection_of(ctx)), {}).pop(str(params.uri), None)
        return EmptyResult()

    async def initialized(self, ctx: Context, _: NotificationParams) -> None:
        """Remember a client of the handshake eras: it is told when sessions come."""
        self._remember(ctx)
        self._wanted.set()

    def _remember(self, ctx: Context) -> Connection:
        connection = connection_of(ctx)
        if id(connection) not in self._clients:
            self._clients[id(connection)] = ctx.session
            connection.exit_stack.callback(self._forget, id(connection))
        return connection

    def _forget(self, key: int) -> None:
        self._clients.pop(key, None)
        self._subscribed.pop(key, None)

    def _watched(self) -> frozenset[str]:
        watched = {uri for uris in self._listened.values() for uri in uris}
        watched |= {uri for uris in self._subscribed.values() for uri in uris}
        return frozenset(watched | ({""} if self._clients else set()))

    async def _tell(self, uri: str) -> None:
        """Tell of one change; a client that does not read holds up nobody else."""
        if uri == "":
            await self._bus.publish(ResourcesListChanged())
        else:
            await self._bus.publish(ResourceUpdated(uri=uri))
        async with anyio.create_task_group() as tasks:
            for key, session in list(self._clients.items()):
                if uri == "" or uri in self._subscribed.get(key, {}):
                    tasks.start_soon(_push, session, uri)


async def _push(session: ServerSession, uri: str) -> None:
    with anyio.move_on_after(LOOK_S):
        if uri == "":
            await session.send_resource_list_changed()
        else:
            await session.send_resource_updated(uri)
