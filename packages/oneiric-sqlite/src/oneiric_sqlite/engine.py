"""The engine: what is open between `init()` and `cleanup()`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from oneiric.adapters.cancellation import undisturbed
from oneiric.errors import ConnectionFailed, QueryError

from oneiric_sqlite import work
from oneiric_sqlite.connection import Connection, opened
from oneiric_sqlite.errors import CleanedUp, OtherLoop
from oneiric_sqlite.file import identity, located
from oneiric_sqlite.job import Job
from oneiric_sqlite.readers import Readers
from oneiric_sqlite.settings import MEMORY
from oneiric_sqlite.writer import Writer

if TYPE_CHECKING:
    from oneiric_sqlite.settings import SqliteSettings

_GRACE = 1.0
"""Seconds that statements which are running get to finish when the adapter is cleaned up."""

_MISSING = "The database's file was deleted or replaced; what is written now is lost."


class Engine:
    """The writer, the readers (None where the database is in memory), and the streams that are open."""

    def __init__(self, settings: SqliteSettings, writer: Connection, readers: list[Connection]) -> None:
        loop = asyncio.get_running_loop()
        self.settings = settings
        self.loop = loop
        self.writer = Writer(writer, loop)
        self.readers = Readers(readers, loop) if readers else None
        self._file = identity(settings.path) if readers else None
        self._streams: set[Readers] = set()
        self._is_closed = False

    @classmethod
    async def open(cls, settings: SqliteSettings) -> Self:
        """Open every connection, the writer first: it makes the file and puts it into WAL mode.

        From here on the path in `settings` is absolute.
        """
        settings = settings.model_copy(update={"path": located(settings.path)})
        connections: list[Connection] = []
        try:
            connections.append(await opened(settings))
            if settings.path != MEMORY:
                for _ in range(settings.readers):
                    connections.append(await opened(settings, is_reader=True))  # noqa: PERF401 - closed on an error
        except BaseException:
            await undisturbed(_close_all(connections))
            raise
        return cls(settings, connections[0], connections[1:])

    async def close(self) -> None:
        """Close everything: what waits is refused, what runs gets a second to finish; the writer comes last.

        Works from any event loop, and touches nothing of the one it was opened in: that may be closed.
        """
        self._is_closed = True
        lanes = [lane for lane in (self.readers, *self._streams) if lane is not None]
        for lane in (self.writer, *lanes):
            lane.close()
        await _close_all([connection for lane in lanes for connection in lane.connections], _GRACE)
        await self.writer.connection.close(_GRACE)
        for lane in (self.writer, *lanes):
            lane.stop()

    async def open_stream(self) -> Readers:
        """A connection of its own for a stream, however long that is: it takes none from the readers.

        Raises ConnectionFailed where the file is no longer the one that the readers and the writer have open.
        """
        if self._missing_file():
            raise ConnectionFailed(_MISSING, hint="Put it back, or clean up and init anew.", transient=False)
        connection = await opened(self.settings, is_reader=True)
        lane = Readers([connection], self.loop)
        if self._is_closed:
            await connection.close()
            raise CleanedUp
        self._streams.add(lane)
        return lane

    async def close_stream(self, lane: Readers) -> None:
        """Close a stream's connection, even if its task is being cancelled."""
        self._streams.discard(lane)
        lane.close()
        await undisturbed(_close_all(list(lane.connections)))
        lane.stop()

    async def ask(self) -> str:
        """What is wrong with the database now; empty where nothing is. Raises OtherLoop, and what a read raises.

        In memory it asks past the queue, in which a transaction of somebody's may stand: that is no illness.
        """
        self.check_loop()
        if self.readers is not None:
            await self.readers.call(Job(work.fetch_value, ("SELECT count(*) FROM sqlite_schema", ())), 3600.0)
            return self._missing_file()
        await self.writer.connection.raw.execute_fetchall("SELECT 1")
        return ""

    def _missing_file(self) -> str:
        now = identity(self.settings.path)
        return _MISSING if now is None or now != self._file else ""

    def check_loop(self) -> None:
        """Raise OtherLoop where this isn't the event loop that it was opened in."""
        if self.loop is not asyncio.get_running_loop():
            raise OtherLoop

    def check_not_inside(self) -> None:
        """Raise where the task that asks for the writer holds it itself, and would wait for ever."""
        if self.writer.owner is not None and self.writer.owner is asyncio.current_task():
            raise QueryError(
                "This task is inside its own transaction, and this call would wait for that to end.",
                hint="Call it on the transaction's handle, not on the adapter.",
            )


async def _close_all(connections: list[Connection], grace: float = 0.0) -> None:
    await asyncio.gather(*(connection.close(grace) for connection in connections))
