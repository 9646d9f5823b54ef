"""A stream: one query's rows in batches, from a connection of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric_sqlite.job import Job

if TYPE_CHECKING:
    import sqlite3

    from oneiric.adapters.database import Row

    from oneiric_sqlite.engine import Engine
    from oneiric_sqlite.readers import Readers


class Stream:
    """One statement that stays open between its batches, and so sees the database as it was at the first."""

    def __init__(self, engine: Engine, batch_size: int, timeout: float) -> None:
        self._engine = engine
        self._batch_size = batch_size
        self._timeout = timeout
        self._lane: Readers | None = None
        self._cursor: sqlite3.Cursor | None = None

    async def open(self, sql: str, values: Any) -> list[Row]:
        """Open the connection and run the query; the first batch."""
        async with asyncio.timeout(self._timeout):
            self._lane = await self._engine.open_stream()
        return await self._lane.call(Job(self._start, (sql, values)), self._timeout)  # type: ignore[no-any-return]

    async def next(self) -> list[Row]:
        """The next batch; empty at the end."""
        if self._lane is None or self._cursor is None:
            return []
        return await self._lane.call(Job(self._fetch), self._timeout)  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Close the connection, and so end the query."""
        if self._lane is not None:
            await self._engine.close_stream(self._lane)

    def _start(self, database: sqlite3.Connection, sql: str, values: Any) -> list[sqlite3.Row]:
        cursor = database.execute(sql, values)
        rows = cursor.fetchmany(self._batch_size)
        self._cursor = cursor
        return rows

    def _fetch(self, _database: sqlite3.Connection) -> list[sqlite3.Row]:
        return [] if self._cursor is None else self._cursor.fetchmany(self._batch_size)
