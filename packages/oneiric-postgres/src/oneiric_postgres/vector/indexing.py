"""The indexes of a collection: built once it is searched and large, in the background, on a connection of their own.

A load is many times faster into a table without them, so the first search after it has them built, and until then searches are
exact. They are built concurrently: neither writers nor searches wait. One process builds at a time, under an advisory lock.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg
from oneiric.errors import CollectionNotFound, OneiricError

from oneiric_postgres.vector.collection import quoted
from oneiric_postgres.vector.registry import BUILDING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncpg import Connection

    from oneiric_postgres.vector.collection import Stored
    from oneiric_postgres.vector.settings import PgVectorSettings

logger = logging.getLogger("oneiric_postgres")

LARGE = 2_000
"""From so many records on, a search through an index is faster than one through all."""

_LOOK_EVERY = 1.0
"""Seconds between two looks at how large a collection is that is searched without an index."""
_AGAIN_AFTER = 30.0
"""Seconds after which a build that failed, or that another process is at, is tried again."""
_POLL_EVERY = 0.2
"""Seconds between two looks whether another process has finished. Not a wait for its lock: that would be a transaction which
the building of the index waits for."""
_CLOSE_WITHIN = 2.0

_LOCK = f"({BUILDING}::bigint << 32) | pg_catalog.to_regclass($1)::oid::bigint"
_STATE = """
SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = pg_catalog.to_regclass($1) AND x.relname = $2
"""


class Builds:
    """The builds of one adapter: at most one a collection, each a task."""

    def __init__(
        self,
        settings: PgVectorSettings,
        connect: Callable[[], Awaitable[Connection]],
        is_large: Callable[[Stored], Awaitable[bool]],
        built: Callable[[Stored], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._connect = connect
        self._is_large = is_large
        self._built = built
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._not_before: dict[int, float] = {}

    def consider(self, stored: Stored) -> None:
        """Have its indexes built, if it is large and nobody is at it. Returns at once."""
        loop = self._loop
        if stored.number in self._tasks or self._not_before.get(stored.number, 0.0) > loop.time():
            return
        self._not_before[stored.number] = loop.time() + _LOOK_EVERY
        task = self._tasks[stored.number] = loop.create_task(self._tend(stored))
        task.add_done_callback(lambda _: self._tasks.pop(stored.number, None))

    async def build(self, stored: Stored, *, wait: bool) -> bool:
        """Build what is missing. Whether it is all there then: not so where another process is building and we don't wait."""
        connection = await self._connect()
        try:
            while not await connection.fetchval(f"SELECT pg_catalog.pg_try_advisory_lock({_LOCK})", stored.table):
                if not wait:
                    return False
                await asyncio.sleep(_POLL_EVERY)
            await self._build(connection, stored)
        finally:
            await _closed(connection)
        self._built(stored)
        return True

    async def close(self) -> None:
        """End all builds; what they have begun is begun anew by whoever builds next."""
        if self._loop is not asyncio.get_running_loop():
            return  # they ended with their loop
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _tend(self, stored: Stored) -> None:
        later = self._loop.time() + _AGAIN_AFTER
        try:
            if await self._is_large(stored) and not await self.build(stored, wait=False):
                self._not_before[stored.number] = later
        except (asyncpg.UndefinedTableError, CollectionNotFound):
            logger.debug("The collection %s was dropped while its indexes were built.", stored.about.name)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OneiricError, OSError, TimeoutError) as error:
            self._not_before[stored.number] = later
            logger.warning(
                "The indexes of the collection %s can't be built, and its searches are exact: %s",
                stored.about.name,
                type(error).__name__,
            )

    async def _build(self, connection: Connection, stored: Stored) -> None:
        await self._create(connection, stored, f"{stored.relation}_payload", "gin (payload jsonb_path_ops)")
        if stored.can_be_indexed:
            settings = self._settings
            await self._create(
                connection,
                stored,
                f"{stored.relation}_hnsw",
                f"hnsw (embedding {stored.operator_class}) "
                f"WITH (m = {settings.m}, ef_construction = {settings.ef_construction})",
            )

    async def _create(self, connection: Connection, stored: Stored, name: str, how: str) -> None:
        is_valid = await connection.fetchval(_STATE, stored.table, name)
        if is_valid:
            return
        if is_valid is False:  # a build that was broken off
            with suppress(asyncpg.UndefinedObjectError):
                await connection.execute(f"DROP INDEX CONCURRENTLY {quoted(stored.schema)}.{quoted(name)}")
        await connection.execute(f"CREATE INDEX CONCURRENTLY {quoted(name)} ON {stored.table} USING {how}")


async def _closed(connection: Connection) -> None:
    """Close it, once the server has heard that what it was doing is cancelled; the lock goes with it."""
    with suppress(Exception):
        await connection.close(timeout=_CLOSE_WITHIN)
    connection.terminate()
