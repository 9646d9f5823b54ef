"""The engine: what is open between `init()` and `cleanup()`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from oneiric.adapters.cancellation import undisturbed
from oneiric.errors import QueryError

from oneiric_duckdb.connection import Connection, opened
from oneiric_duckdb.statement import Statement, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric_duckdb.settings import DuckdbSettings

_KEPT = 512
"""How many parsed statements are kept."""


class Engine:
    """The connection that writes, those that read, and one that only parses.

    Writes come one after the other, as DuckDB fails the later of two that change the same rows.
    """

    def __init__(self, settings: DuckdbSettings, writer: Connection) -> None:
        self.settings = settings
        self.writer = writer
        self.owner: asyncio.Task[object] | None = None
        """The task whose transaction holds the writer."""
        self._parser = writer.another()
        self._idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        self._all = {self._parser, *(writer.another() for _ in range(settings.readers))}
        for reader in self._all - {self._parser}:
            self._idle.put_nowait(reader)
        self._writing = asyncio.Lock()
        self._known: dict[str, Statement] = {}

    @classmethod
    async def open(cls, settings: DuckdbSettings) -> Self:
        """Open the database, and with it every connection."""
        return cls(settings, await opened(settings.path, settings.timeout))

    async def close(self) -> None:
        """Interrupt what runs, and close everything; the writer comes last."""
        await asyncio.gather(*(connection.close() for connection in self._all))
        await self.writer.close()

    def give_up(self, timeout: float | None) -> float:
        """The moment, by the loop's clock, at which a call that begins now has to end."""
        return asyncio.get_running_loop().time() + (self.settings.timeout if timeout is None else timeout)

    async def parsed(self, sql: str, give_up: float) -> Statement:
        """The statement; DuckDB's parser is asked once for each."""
        known = self._known.get(sql) if isinstance(sql, str) else None
        if known is None:
            known = await self._parser.run(give_up, lambda call: parse(call.connection, sql))
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[sql] = known
        return known

    @asynccontextmanager
    async def reader(self, give_up: float) -> AsyncIterator[Connection]:
        """A reader to oneself."""
        async with asyncio.timeout_at(give_up):
            reader = await self._idle.get()
        try:
            yield reader
        finally:
            self._idle.put_nowait(reader)

    def open_stream(self) -> Connection:
        """A connection for a stream: it may last, and takes none from the readers."""
        connection = self.writer.another()
        self._all.add(connection)
        return connection

    async def close_stream(self, connection: Connection) -> None:
        """Close a stream's connection, even if its task is being cancelled."""
        self._all.discard(connection)
        await undisturbed(connection.close())

    @asynccontextmanager
    async def writing(self, give_up: float) -> AsyncIterator[Connection]:
        """The writer to oneself. Raises QueryError for the task that has it already, and would wait for ever."""
        if self.owner is not None and self.owner is asyncio.current_task():
            raise QueryError(
                "This task is inside its own transaction, and this call would wait for that to end.",
                hint="Call it on the transaction's handle, not on the adapter.",
            )
        async with asyncio.timeout_at(give_up):
            await self._writing.acquire()
        try:
            yield self.writer
        finally:
            self.owner = None
            self._writing.release()
