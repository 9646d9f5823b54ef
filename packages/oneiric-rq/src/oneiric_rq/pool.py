"""A few connections for many calls. A call that is cancelled, wherever it is, costs its connection and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from oneiric_rq.errors import CleanedUp

if TYPE_CHECKING:
    from oneiric_rq.connection import BrokerConnection, Command, Route


class Pool:
    """Lends connections, the one that was used last first; none is given back with a reply outstanding.

    Nothing is sent twice: whether a write whose reply was lost has been done, only the caller can find out.
    """

    def __init__(self, route: Route, size: int) -> None:
        self.route = route
        self._idle: list[BrokerConnection] = []
        self._used: set[BrokerConnection] = set()
        self._slots = asyncio.Semaphore(size)
        self._is_closed = False

    async def call(self, *command: str | bytes | int) -> Any:
        """Send one command. Raises what it was refused with."""
        (reply,) = await self.exchange([command])
        return unless_refused(reply)

    async def exchange(self, commands: list[Command]) -> list[Any]:
        """Send commands in one round trip; a reply that is an error is given as one."""
        async with self._slots:
            connection = self._take()
            try:
                if not connection.is_connected:
                    await connection.connect()  # type: ignore[no-untyped-call]
                replies = await connection.exchange(commands)
            except BaseException as error:
                self._used.discard(connection)
                connection.abort()
                if self._is_closed and isinstance(error, Exception):
                    raise CleanedUp from error
                raise
            self._give_back(connection)
            return replies

    def close(self) -> None:
        """Close all connections, also those in use: their calls fail."""
        self._is_closed = True
        for connection in (*self._idle, *self._used):
            connection.abort()
        self._idle.clear()
        self._used.clear()

    def _take(self) -> BrokerConnection:
        if self._is_closed:
            raise CleanedUp
        connection = self._fresh() or self.route.dial()
        self._used.add(connection)
        return connection

    def _fresh(self) -> BrokerConnection | None:
        """The connection that was used last, of those that are still open."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    def _give_back(self, connection: BrokerConnection) -> None:
        self._used.discard(connection)
        if self._is_closed:
            connection.abort()
        else:
            self._idle.append(connection)


def unless_refused(reply: Any) -> Any:
    """A reply as it is. Raises the error that it may be, or the first one in it."""
    if isinstance(reply, ResponseError):
        raise reply
    if isinstance(reply, list):
        for each in reply:
            if isinstance(each, ResponseError):
                raise each
    return reply
