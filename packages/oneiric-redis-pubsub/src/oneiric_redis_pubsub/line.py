"""The line to the server that all short calls of an adapter share; it is made again where it broke."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric.errors import ConnectionFailed, DeadlineExceeded, OneiricError
from redis.exceptions import RedisError, ResponseError

from oneiric_redis_pubsub.errors import translated
from oneiric_redis_pubsub.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric_redis_pubsub.connector import Connector
    from oneiric_redis_pubsub.wire import Command

_FAILURES = (RedisError, OSError, EOFError)


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
        wire, limit = self._wire, self._timeout if timeout is None else timeout
        if wire is None or wire.error is not None:
            wire, limit = await self._connection(limit)
        try:
            return await wire.call(command, limit)
        except _FAILURES as error:
            raise self._translated(error) from error

    async def call_all(self, commands: Sequence[Command], *, timeout: float | None = None) -> list[Any]:
        """The answers to commands that are sent together; an error of the server's is one of them."""
        wire, limit = self._wire, self._timeout if timeout is None else timeout
        if wire is None or wire.error is not None:
            wire, limit = await self._connection(limit)
        try:
            answers = await wire.call_many(commands, limit)
        except _FAILURES as error:
            raise self._translated(error) from error
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, ResponseError):
                raise self._translated(answer) from answer
        return answers

    async def call_many(self, commands: Sequence[Command], *, timeout: float | None = None) -> list[Any]:
        """The answers to commands that are sent together. Raises the first error among them."""
        answers = await self.call_all(commands, timeout=timeout)
        for answer in answers:
            if isinstance(answer, Exception):
                raise translated(answer, self._adapter) from answer
        return answers

    async def open(self) -> None:
        """Connect, if it isn't connected."""
        if self._wire is None or self._wire.error is not None:
            await self._connection(self._timeout)

    async def close(self) -> None:
        """Close it for good."""
        self._is_closed = True
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close(self._cleaned_up())

    async def _connection(self, limit: float) -> tuple[Wire, float]:
        """A new wire, and the seconds that are left for the call."""
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        try:
            async with asyncio.timeout(limit):
                wire = await self._connected()
        except TimeoutError as error:
            raise DeadlineExceeded("No connection came about in time.", adapter=self._adapter) from error
        except _FAILURES as error:
            raise translated(error, self._adapter) from error
        return wire, end - loop.time()

    def _translated(self, error: Exception) -> OneiricError:
        if isinstance(error, TimeoutError):
            what = "The server didn't answer in time; whether it has done it is not known."
            return DeadlineExceeded(what, adapter=self._adapter)
        return translated(error, self._adapter)

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
            self.greeted = await wire.call(self._greeting, self._timeout)
        return wire


def _heard(task: asyncio.Task[Wire]) -> None:
    """See the task's error, so that asyncio doesn't complain where nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
