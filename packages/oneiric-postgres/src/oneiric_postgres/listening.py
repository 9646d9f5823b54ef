"""LISTEN: notifications as an async iterator, on a connection of its own that is watched.

A connection that went quiet looks like one on which nothing comes, so it is asked now and then whether it is still there.
Where it isn't, another one is opened, and a `Gap` says that notifications may have been lost: PostgreSQL keeps none for who is
away.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from oneiric.errors import OneiricError, QueryError

from oneiric_postgres.errors import CleanedUp, unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import asyncpg

_LONGEST_CHANNEL = 63
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 10.0
"""Seconds between two attempts to connect anew."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What somebody has sent with NOTIFY."""

    channel: str
    payload: str
    pid: int
    """The process of the server that sent it."""


@dataclass(frozen=True, slots=True)
class Gap:
    """From here on notifications come again; before it some may have been lost: look at what you are notified of anew."""

    reason: str
    """One sentence."""
    lost: int | None = None
    """How many, where that is known: they came faster than they were taken."""


class Listener:
    """`async for event in listener`, after `async with listener`, or without: it begins with the first event then.

    An event is a Notification or a Gap. Where the server can't be reached it goes on trying; what only a person can mend
    (a password that is no longer right) is raised.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        channels: Sequence[str],
        *,
        most: int,
        probe: float,
        adapter: str | None,
        closed: Callable[[Listener], None],
    ) -> None:
        self._connect = connect
        self._channels = channels
        self._most = most
        self._probe = probe
        self._adapter = adapter
        self._closed = closed
        self._events: deque[Notification | Gap] = deque()
        self._lost = 0
        self._news = asyncio.Event()
        self._beginning = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification | Gap:
        await self._begin()
        while not self._events:
            if self._lost:
                lost, self._lost = self._lost, 0
                return Gap(f"Notifications came faster than they were taken: {lost} were dropped.", lost)
            if self._failure is not None:
                raise self._failure
            if self._is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._events.popleft()

    async def aclose(self) -> None:
        """Stop listening and close the connection. Idempotent."""
        self._is_closed = True
        self._news.set()
        self._closed(self)
        task, self._watching = self._watching, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def end(self) -> None:
        """Stop, as the adapter is cleaned up; who waits for an event learns of it."""
        ours = unreachable(CleanedUp(), self._adapter)
        self._failure = self._failure or ours
        await self.aclose()

    async def _begin(self) -> None:
        """Connect and LISTEN: when this has returned, nothing that is sent is missed."""
        if self._watching is not None or self._is_closed:
            return
        async with self._beginning:
            if self._watching is None:
                self._watching = asyncio.create_task(self._watch(await self._listening()))

    async def _listening(self) -> asyncpg.Connection:
        try:
            connection = await self._connect()
            try:
                for channel in self._channels:
                    await connection.add_listener(channel, self._take)
                connection.add_termination_listener(lambda _: self._news.set())
            except BaseException:
                connection.terminate()
                raise
        except Exception as error:
            ours = unreachable(error, self._adapter)
            if ours is error:
                raise
            raise ours from error
        return connection

    def _take(self, _: Any, pid: int, channel: str, payload: object) -> None:
        """The driver's callback: keep it, or count it as lost where nobody takes them."""
        if self._lost or len(self._events) >= self._most:
            self._lost += 1
        else:
            self._events.append(Notification(channel, str(payload), pid))
        self._news.set()

    async def _watch(self, connection: asyncpg.Connection) -> None:
        """Ask now and then whether the connection is there, and replace it where it isn't."""
        try:
            while True:
                await self._until_lost(connection)
                connection.terminate()
                connection = await self._again()
                self._events.append(Gap("The connection was lost, and another one has taken its place."))
                self._news.set()
        except Exception as error:  # noqa: BLE001 - who waits for an event gets it
            self._failure = error
            self._news.set()
        finally:
            connection.terminate()

    async def _until_lost(self, connection: asyncpg.Connection) -> None:
        while not connection.is_closed():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._probe):
                    await _closed(connection)
            if connection.is_closed():
                return
            try:
                async with asyncio.timeout(self._probe):
                    await connection.execute("SELECT 1")
            except Exception:  # noqa: BLE001 - whatever it was, it is not there
                return

    async def _again(self) -> asyncpg.Connection:
        wait = _FIRST_WAIT
        while True:
            try:
                return await self._listening()
            except OneiricError as error:
                if not error.transient:
                    raise
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - that not all come at once
            wait = min(2 * wait, _LONGEST_WAIT)


async def _closed(connection: asyncpg.Connection) -> None:
    """Wait until a connection is closed."""
    closed = asyncio.Event()

    def tell(_: object) -> None:
        closed.set()

    connection.add_termination_listener(tell)
    try:
        if not connection.is_closed():
            await closed.wait()
    finally:
        connection.remove_termination_listener(tell)


def check(channels: Sequence[object], adapter: str | None) -> list[str]:
    """The channels, each once. Raises QueryError for what is no channel's name."""
    if not channels:
        raise QueryError("Name at least one channel.", adapter=adapter)
    found = []
    for channel in channels:
        if not isinstance(channel, str) or not channel or "\0" in channel:
            raise QueryError("A channel's name is a string that is not empty and holds no NUL.", adapter=adapter)
        if len(channel.encode(errors="replace")) > _LONGEST_CHANNEL:
            raise QueryError(f"A channel's name has {_LONGEST_CHANNEL} bytes at most.", adapter=adapter)
        found.append(channel)
    return list(dict.fromkeys(found))
