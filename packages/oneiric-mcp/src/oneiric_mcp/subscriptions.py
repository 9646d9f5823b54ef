"""Who is told of a resource that has changed: `resources/subscribe`, and `subscriptions/listen` of the newer protocol.

FastMCP wires neither (fastmcp#4920), so both are put into the MCP server beneath it; the second is the MCP SDK's own.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Any

from anyio import CancelScope
from fastmcp.server.dependencies import get_access_token
from mcp import MCPError
from mcp.server.lowlevel import NotificationOptions
from mcp.server.subscriptions import ListenHandler, ResourceUpdated
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    DiscoverResult,
    EmptyResult,
    RequestParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from oneiric.errors import UnknownAdapter
from oneiric.validation import shape_problem

from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.uris import ALL, adapter_in, uris_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastmcp import FastMCP
    from fastmcp.server.auth import AccessToken, AuthProvider
    from fastmcp.server.low_level import LowLevelServer
    from mcp.server.connection import Connection
    from mcp.server.context import ServerRequestContext
    from mcp.server.subscriptions import ServerEvent
    from oneiric.config import ConfigStore

    from oneiric_mcp.installation import Installation

PERIOD = 1.0
"""Seconds between two looks at the config file, and at whether each subscriber's token is still valid."""
MAX_STREAMS = 256
"""How many may listen at the same time by `subscriptions/listen`."""
MAX_URIS = 1000
"""How many addresses one of them may name."""


class Subscriber:
    """One who is told by notifications on its own connection: a session of the older protocol.

    A task of its own sends them, so that one who doesn't read keeps nobody waiting; what changes again before it was told
    is told once.
    """

    def __init__(self, connection: Connection, token: AccessToken | None) -> None:
        self.token = token
        self.uris: set[str] = set()
        self._connection = connection
        self._changed: dict[str, None] = {}
        self._wake = asyncio.Event()
        # In a context of its own: this task outlives the request that makes it.
        self._task = asyncio.create_task(self._send(), context=Context())

    def tell(self, uris: tuple[str, ...]) -> None:
        """Remember to tell of those of these addresses that are subscribed to, in whatever form they were written."""
        adapters = {adapter_in(uri) for uri in uris} - {None}
        changed = {uri for uri in self.uris if uri in uris or adapter_in(uri) in adapters}
        if changed:
            self._changed.update(dict.fromkeys(changed))
            self._wake.set()

    def end(self) -> None:
        """Tell nothing more."""
        self.uris.clear()
        self._task.cancel()

    async def _send(self) -> None:
        while await self._wake.wait():
            self._wake.clear()
            while self._changed:
                uri, _ = self._changed.popitem()
                await self._connection.notify("notifications/resources/updated", {"uri": uri})


class Subscriptions:
    """The subscribers of one server.

    The config file is looked at only while there are any; a subscriber whose token is no longer valid is forgotten.
    """

    def __init__(self, installation: Installation, auth: AuthProvider | None = None) -> None:
        self._installation = installation
        self._auth = auth
        self._subscribers: dict[Connection, Subscriber] = {}
        self._streams: dict[CancelScope, AccessToken | None] = {}
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}
        self._listen_handler = ListenHandler(self, max_subscriptions=MAX_STREAMS)
        self._seen: tuple[ConfigStore, dict[str, object]]
        self._watch: asyncio.Task[None] | None = None

    def add_to(self, server: FastMCP) -> None:
        """Answer the server's requests to subscribe, and say in its capabilities that it does."""
        lowlevel = server._mcp_server  # noqa: SLF001 - FastMCP gives no other way to it
        lowlevel.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        lowlevel.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)
        lowlevel.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, self._listen)
        _say_that_no_list_changes(lowlevel)

    def changed(self, *adapters: str) -> None:
        """Tell the subscribers that something of these adapters has changed: a config, or the state of an instance."""
        uris = tuple(dict.fromkeys(uri for adapter in adapters for uri in uris_of(adapter))) or (ALL,)
        for subscriber in self._subscribers.values():
            subscriber.tell(uris)
        for listener in list(self._listeners.values()):
            for uri in uris:
                listener(ResourceUpdated(uri))

    def look(self) -> None:
        """Compare the config with what it was at the last look, and tell of each adapter whose instances changed."""
        if self._watch is None:
            return
        config, before = self._seen
        if self._installation.config is config:
            return
        self._seen = self._snapshot()
        after = self._seen[1]
        names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        if names:
            self.changed(*sorted({adapter for name in names for adapter in _adapters(before, after, name)}))

    def close(self) -> None:
        """End the streams of those who listen, and tell them so."""
        self._listen_handler.close()

    # What follows makes this a SubscriptionBus of the SDK's.

    async def publish(self, event: ServerEvent) -> None:
        """Tell those who listen."""
        for listener in list(self._listeners.values()):
            listener(event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Add one who listens; gives what ends that."""
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None

    async def _subscribe(self, ctx: ServerRequestContext[Any, Any], params: SubscribeRequestParams) -> EmptyResult:
        self._check(params.uri)
        connection = ctx.session._connection  # noqa: SLF001 - as FastMCP does for what it keeps for a connection
        subscriber = self._subscribers.get(connection)
        if subscriber is None:
            subscriber = self._subscribers[connection] = Subscriber(connection, get_access_token())
            connection.exit_stack.callback(self._forget, connection)
            self._start()
        if len(subscriber.uris) >= MAX_URIS:
            raise MCPError(code=INVALID_PARAMS, message=f"A session can subscribe to {MAX_URIS} resources.")
        subscriber.uris.add(params.uri)
        return EmptyResult()

    async def _unsubscribe(self, ctx: ServerRequestContext[Any, Any], params: UnsubscribeRequestParams) -> EmptyResult:
        subscriber = self._subscribers.get(ctx.session._connection)  # noqa: SLF001 - see above
        if subscriber is not None:
            subscriber.uris.discard(params.uri)
        return EmptyResult()

    async def _listen(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        uris = params.notifications.resource_subscriptions or []
        if len(uris) > MAX_URIS:
            raise MCPError(code=INVALID_PARAMS, message=f"A stream can subscribe to {MAX_URIS} resources.")
        for uri in uris:
            self._check(uri)
        with CancelScope() as scope:
            self._streams[scope] = get_access_token()
            self._start()
            try:
                return await self._listen_handler(ctx, params)
            finally:
                del self._streams[scope]
                self._stop_if_alone()
        raise MCPError(code=INVALID_REQUEST, message="The token of this stream is no longer valid.")

    def _check(self, uri: str) -> None:
        """Refuse to subscribe to what there isn't. Raises MCPError with the nearest names."""
        adapter = adapter_in(uri)
        try:
            if adapter is not None:
                _ = self._installation.catalog[adapter]
            elif uri != ALL:
                raise UnknownAdapter(f"There is no resource {uri[:100]!r}.")
        except UnknownAdapter as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error), data={"uri": uri[:1000]}) from None

    def _forget(self, connection: Connection) -> None:
        subscriber = self._subscribers.pop(connection, None)
        if subscriber is not None:
            subscriber.end()
        self._stop_if_alone()

    def _start(self) -> None:
        if self._watch is None:
            self._seen = self._snapshot()
            self._watch = asyncio.create_task(self._look_again_and_again(), context=Context())

    def _stop_if_alone(self) -> None:
        if self._watch and not self._subscribers and not self._streams:
            self._watch.cancel()
            self._watch = None

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            await self._forget_the_unauthorised()
            self.look()

    async def _forget_the_unauthorised(self) -> None:
        for connection, subscriber in list(self._subscribers.items()):
            if not await self._may_read(subscriber.token):
                self._forget(connection)
        for scope, token in list(self._streams.items()):
            if not await self._may_read(token):
                scope.cancel()

    async def _may_read(self, token: AccessToken | None) -> bool:
        if self._auth is None or token is None:
            return True
        known = await self._auth.verify_token(token.token)
        return known is not None and Scope.READ in known.scopes

    def _snapshot(self) -> tuple[ConfigStore, dict[str, object]]:
        """The config, and of each instance what changes when it does; under no name, why there is none."""
        config = self._installation.config
        shown = {name: (instance.adapter, _comparable(instance.values)) for name, instance in config.items()}
        return config, shown | {"": self._installation.config_error}


def _say_that_no_list_changes(lowlevel: LowLevelServer[Any]) -> None:
    """What tools, resources and prompts there are is settled at the start; FastMCP and the SDK say that it may change."""
    lowlevel.notification_options = NotificationOptions()  # for the older protocols
    said = lowlevel.get_request_handler("server/discover")
    assert said

    async def discover(ctx: ServerRequestContext[Any, Any], params: RequestParams) -> DiscoverResult:
        result = DiscoverResult.model_validate(await said.handler(ctx, params))
        for capability in (result.capabilities.tools, result.capabilities.resources, result.capabilities.prompts):
            if capability:
                capability.list_changed = False
        return result

    lowlevel.add_request_handler("server/discover", RequestParams, discover)


def _comparable(values: Mapping[str, Any]) -> object:
    """The values; of a config that is too large or deep for one, or holds itself, something that equals nothing else."""
    return values if shape_problem(values) is None else object()


def _adapters(before: dict[str, Any], after: dict[str, Any], name: str) -> set[str]:
    """The adapters that an instance was and is of."""
    return {seen[name][0] for seen in (before, after) if name and name in seen}
