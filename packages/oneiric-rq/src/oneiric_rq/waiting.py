"""Waiting for tasks to end: one connection on which the broker says so, however many wait."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from oneiric_rq import keys
from oneiric_rq.pool import unless_refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric_rq.connection import BrokerConnection
    from oneiric_rq.pool import Pool

_BLOCK = 1.0
"""Seconds after which the broker is asked again at the latest, also when nothing has happened."""
_ANSWER_WITHIN = 5.0
_BACKOFF = 1.0


class Watch:
    """A task that is waited for."""

    def __init__(self) -> None:
        self.watchers = 0
        self.last_entry: bytes | str = "0"
        self.news = asyncio.Event()
        """Set once there is news; the next news has another."""

    def tell(self) -> None:
        """Wake all who wait."""
        self.news.set()
        self.news = asyncio.Event()


class Watcher:
    """Reads the streams of results of all tasks that are waited for.

    It makes waiting quick, and not right: who waits looks for itself now and then, as a task that is cancelled leaves no
    result, and as this connection may fail.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._watched: dict[str, Watch] = {}
        self._asked: frozenset[str] = frozenset()
        self._reading: asyncio.Task[None] | None = None
        self._number: int | None = None
        """The connection's number at the broker, while it is there."""
        self._is_interrupting = False
        self._interrupt_again = False

    @contextmanager
    def watching(self, task_id: str) -> Iterator[Watch]:
        """Watch a task for as long as the block lasts."""
        watch = self._watched.setdefault(task_id, Watch())
        watch.watchers += 1
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="oneiric-rq results")
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                del self._watched[task_id]

    async def include(self, task_id: str) -> None:
        """See that a task which is watched is among those that the broker was asked for."""
        if task_id in self._asked or self._number is None:
            return
        self._interrupt_again = True
        if self._is_interrupting:
            return
        self._is_interrupting = True
        try:
            while self._interrupt_again and self._number is not None:
                self._interrupt_again = False
                with suppress(RedisError, OSError):  # it is asked again soon, interrupted or not
                    await self._pool.call("CLIENT", "UNBLOCK", self._number)
        finally:
            self._is_interrupting = False

    def tell(self, task_id: str) -> None:
        """There is news of that task: who waits for it here looks at once."""
        if task_id in self._watched:
            self._watched[task_id].tell()

    async def close(self) -> None:
        """Stop reading; who waits looks once more."""
        reading, self._reading = self._reading, None
        for watch in self._watched.values():
            watch.tell()
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])

    async def _read(self) -> None:
        """Ask until nobody waits any more."""
        connection: BrokerConnection | None = None
        try:
            while self._watched:
                connection = connection or self._pool.route.dial()
                try:
                    await self._ask(connection)
                except (RedisError, OSError, TimeoutError):
                    self._forget(connection)
                    connection = None
                    await asyncio.sleep(_BACKOFF)
        finally:
            if connection is not None:
                self._forget(connection)
            if self._reading is asyncio.current_task():
                self._reading = None

    async def _ask(self, connection: BrokerConnection) -> None:
        async with asyncio.timeout(_BLOCK + _ANSWER_WITHIN):
            if not connection.is_connected:
                await connection.connect()  # type: ignore[no-untyped-call]
                (number,) = await connection.exchange([("CLIENT", "ID")])
                self._number = number if isinstance(number, int) else None  # a user may not be allowed to ask
            watched = dict(self._watched)
            self._asked = frozenset(watched)
            names = [keys.results(task_id) for task_id in watched]
            since = [watch.last_entry for watch in watched.values()]
            block = int(_BLOCK * 1000)
            (reply,) = await connection.exchange([("XREAD", "BLOCK", block, "STREAMS", *names, *since)])
        for key, entries in unless_refused(reply) or []:
            watch = self._watched.get(key.decode().removeprefix(keys.results("")))
            if watch is not None:
                watch.last_entry = entries[-1][0]
                watch.tell()

    def _forget(self, connection: BrokerConnection) -> None:
        connection.abort()
        self._number = None
        self._asked = frozenset()
