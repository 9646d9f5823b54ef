"""What an initialised adapter holds: its line to the server, and those who receive."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric_redis_pubsub.connector import Connector
from oneiric_redis_pubsub.line import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from oneiric.embedded import Member
    from redis.asyncio import Redis

    from oneiric_redis_pubsub.crew import Crew
    from oneiric_redis_pubsub.server import Server
    from oneiric_redis_pubsub.settings import RedisSettings


@dataclass(eq=False, slots=True)
class Reader:
    """Somebody who receives messages."""

    stop: Callable[[], None]
    """Lets it begin nothing more, and end when what was begun is done."""
    crew: Crew | None
    """Who runs its callbacks; None for a subscriber, who has none."""
    ended: asyncio.Future[None]
    """Done when it has let go of everything."""


class Session:
    """One life of an adapter, from `init` to `cleanup`."""

    def __init__(
        self, settings: RedisSettings, server: Server, adapter: str | None, member: Member | None = None
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.settings = settings
        self.adapter = adapter
        self.connector = Connector(settings, server)
        self.line = Line(self.connector, adapter, settings.timeout)
        self.raw: Redis = self.connector.client()
        self.readers: set[Reader] = set()
        self._member = member
        self._closing: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()

    def stop(self) -> asyncio.Task[None]:
        """Let the readers end, and then close everything; the task that does so is the same however often it is asked for."""
        if self._closing is None:
            for reader in [*self.readers]:
                reader.stop()
            self._closing = self.loop.create_task(self._close(), name="oneiric-redis-cleanup")
        return self._closing

    async def forget(self) -> None:
        """Leave what belongs to an event loop that has ended: nothing of it can be closed any more."""
        if self._member is not None:
            await self._member.leave()

    def aside(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Do something that nobody waits for; it ends with the session."""
        task = self.loop.create_task(work, name="oneiric-redis-aside")
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        return task

    def is_handled_in(self, task: asyncio.Task[object] | None) -> bool:
        """Whether the task is one of those in which our callbacks run."""
        return any(reader.crew is not None and task in reader.crew.tasks for reader in self.readers)

    @contextmanager
    def reading(self, stop: Callable[[], None], crew: Crew | None = None) -> Iterator[None]:
        """Someone receives in this block: stopped by a cleanup, which waits for the end of the block."""
        reader = Reader(stop, crew, self.loop.create_future())
        self.readers.add(reader)
        try:
            yield
        finally:
            self.readers.discard(reader)
            reader.ended.set_result(None)

    async def _close(self) -> None:
        consumers = {reader.ended: reader for reader in self.readers}
        try:
            if consumers:
                _, late = await asyncio.wait(consumers, timeout=self.settings.drain)
                for each in late:
                    crew = consumers[each].crew
                    if crew is not None:
                        crew.abandon()
                if late:
                    await asyncio.wait(late, timeout=self.settings.connect_timeout)
        finally:
            for task in self._aside:
                task.cancel()
            try:
                await self.line.close()
                await self.raw.aclose()
            finally:
                if self._member is not None:
                    await self._member.leave()
