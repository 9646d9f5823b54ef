"""The line to the server that all short calls of an adapter share; it is made again where it broke."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric.errors import ConnectionFailed, DeadlineExceeded
from redis import exceptions as driver

from oneiric_redis_pubsub.errors import translated
from oneiric_redis_pubsub.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from oneiric_redis_pubsub.connector import Connector
    from oneiric_redis_pubsub.wire import Command


class Line:
    """A wire, and the next one where it broke. Nothing is sent twice: what was under way then, fails."""

    def __init__(
        self, connector: Connector, adapter: str | None, timeout: float, greeting: Command | None = None
    ) -> None:
        self._connector = connector
        self._adapter = adapter
        self._timeout = timeout
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[Wire] | None = None
        self._is_closed = False
        self._greeting = greeting
        self.greeted: Any = None
        """The answer to `greeting`, which each new connection is asked."""

    async def call(self, *command: Any, timeout: float | None = None) -> Any:
        """The answer to a command. Raises an OneiricError; a server's error that has no class of its own as MessagingError."""
        return await self._within(timeout, lambda wire: wire.call(command))

    async def call_many(self, commands: Sequence[Command], *, timeout: float | None = None) -> list[Any]:
        """The answers to commands that are sent together. Raises the first error among them."""
        answers = await self.call_all(commands, timeout=timeout)
        for answer in answers:
            if isinstance(answer, Exception):
                raise translated(answer, self._adapter) from answer
        return answers

    async def call_all(self, commands: Sequence[Command], *, timeout: float | None = None) -> list[Any]:
        """The answers to commands that are sent together; an error of the server's is one of them."""
        return await self._within(timeout, lambda wire: wire.call_many(commands))  # type: ignore[no-any-return]

    async def open(self) -> None:
        """Connect, if it isn't connected."""
        await self._within(None, _nothing)

    async def close(self) -> None:
        """Close it for good."""
        self._is_closed = True
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close(self._cleaned_up())

    async def _within(self, timeout: float | None, call: Callable[[Wire], Awaitable[Any]]) -> Any:
        limit = self._timeout if timeout is None else timeout
        began = asyncio.get_running_loop().time()
        wire: Wire | None = None
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                wire = self._wire
                if wire is None or wire.error is not None:
                    wire = await self._connected()
                return await call(wire)
        except TimeoutError as error:
            if (
                wire is not None and wire.heard < began and deadline.expired()
            ):  # it is silent: not only this call is slow
                await wire.close(error)
            raise self._late(wire) from error
        except (driver.RedisError, OSError, EOFError) as error:
            raise translated(error, self._adapter) from error

    def _late(self, wire: Wire | None) -> DeadlineExceeded:
        what = "The server didn't answer in time; whether it has done it is not known."
        return DeadlineExceeded(what if wire else "No connection came about in time.", adapter=self._adapter)

    def _cleaned_up(self) -> ConnectionFailed:
        what = "The adapter was cleaned up before this call was done."
        return ConnectionFailed(what, adapter=self._adapter, transient=False)

    async def _connected(self) -> Wire:
        """A wire that works; all who wait for one wait for the same."""
        if self._is_closed:
            raise self._cleaned_up()
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.ensure_future(self._connect())
            self._connecting.add_done_callback(_heard)
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> Wire:
        wire = self._wire = Wire(await self._connector.connect())
        if self._greeting is not None:
            self.greeted = await wire.call(self._greeting)
        return wire


async def _nothing(_: Wire) -> None:
    """Need no more than the connection."""


def _heard(task: asyncio.Task[Wire]) -> None:
    """See the task's error, so that asyncio doesn't complain where nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
