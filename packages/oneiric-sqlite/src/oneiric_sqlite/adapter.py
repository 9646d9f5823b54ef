"""The adapter."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from oneiric.adapters.base import Health
from oneiric.adapters.cancellation import undisturbed
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.event_loops import LoopLock, refuse_while_running
from oneiric.errors import QueryError

from oneiric_sqlite import work
from oneiric_sqlite.engine import Engine
from oneiric_sqlite.errors import OtherLoop, translated
from oneiric_sqlite.job import Job, Mode
from oneiric_sqlite.rows import given
from oneiric_sqlite.session import Session
from oneiric_sqlite.settings import SqliteSettings
from oneiric_sqlite.statement import Kind, statement
from oneiric_sqlite.stream import Stream
from oneiric_sqlite.transaction import SqliteTransaction
from oneiric_sqlite.writer import Hold

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence

    import aiosqlite
    from oneiric.adapters.database import Row, Transaction

    from oneiric_sqlite.statement import Statement

_HEALTH_WITHIN = 5.0
"""Seconds that a health check takes at most."""


class SqliteAdapter(Session, DatabaseAdapter):
    """A SQLite database: one connection that writes, several that read, each with its own thread."""

    settings_class: ClassVar[type[SqliteSettings]] = SqliteSettings
    settings: SqliteSettings

    _engine: Engine | None = None

    async def init(self) -> None:
        """Open the file (made where there is none) and its connections.

        What another event loop left open is closed first; Unsupported where that loop is still running.
        """
        async with self._opening.here():
            await self._close_what_is_left()
            if self._engine is None:
                self._engine = await self._translated(self._open)

    async def health(self) -> Health:
        """Whether a reader answers a query, and the file is still the one that was opened.

        Nothing is asked of the writer, which a long transaction may hold: one that hangs shows in its callers' deadlines.
        Where all readers are busy for five seconds (or `timeout`, where that is less), the answer is no.
        """
        engine = self._engine
        if engine is None:
            return Health(False, "Not initialised.")
        start = time.perf_counter()
        try:
            detail = await asyncio.wait_for(engine.ask(), min(_HEALTH_WITHIN, self.settings.timeout))
        except TimeoutError:
            detail = "No answer in time: the connections are busy with slow statements, or the disk hangs."
        except Exception as error:  # noqa: BLE001 - a health check never raises
            detail = str(translated(error, None))
        return Health(not detail, detail, round((time.perf_counter() - start) * 1000, 3))

    async def cleanup(self) -> None:
        """Close all connections, streams' too; statements that are running get a second to finish."""
        async with self._opening.here():  # an init() that is under way would open what nobody closes
            engine, self._engine = self._engine, None
            if engine is not None:
                await undisturbed(engine.close())

    @property
    def raw(self) -> aiosqlite.Connection:
        """The writer's own `aiosqlite.Connection`; while you use it, nothing else should write."""
        if self._engine is None:
            raise self.not_initialized()
        return self._engine.writer.connection.raw

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one, read in batches on a connection of its own, as of the moment of the first.

        Close it (`contextlib.aclosing`) where you may leave it before its end. With `:memory:`, and for a statement that
        writes, all rows are read first.
        """
        if batch_size < 1:
            raise QueryError("A stream's batch_size is at least 1.", adapter=self.name)
        engine = self._ready()
        known = await self._translated(lambda: _known(sql, values))
        if engine.readers is None or known.kind is Kind.OTHER or known.is_known_to_write:
            async for row in self._all_then_each(sql, values, timeout):
                yield row
            return
        stream = Stream(engine, batch_size, self._timeout(timeout))
        try:
            batch = await self._first_batch(stream, known, values)
            if batch is None:
                batch = await self.fetch_all(sql, *values, timeout=timeout)
            while batch:
                for row in batch:
                    yield row
                batch = await self._translated(stream.next)
        finally:
            await stream.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """`async with db.transaction() as tx:` commits at the end, rolls back where an exception leaves the block.

        It holds the writer: other tasks' writes wait for its end (`:memory:`: their reads too).
        """
        engine = self._ready()
        hold = Hold()
        try:
            await self._translated(lambda: _begin(engine, hold))
        except BaseException:
            engine.writer.let_go(hold)
            raise
        transaction = SqliteTransaction(engine, hold, self.name)
        engine.writer.owner = asyncio.current_task()
        try:
            yield transaction
        except BaseException:
            engine.writer.owner = None
            await transaction.roll_back()
            raise
        engine.writer.owner = None
        await transaction.commit()

    @property
    def _label(self) -> str | None:
        return self.name

    def _ready(self) -> Engine:
        if self._engine is None:
            raise self.not_initialized()
        if self._engine.loop is not asyncio.get_running_loop():
            raise translated(OtherLoop(), self.name)
        return self._engine

    def _timeout(self, timeout: float | None) -> float:
        return self.settings.timeout if timeout is None else timeout

    @cached_property
    def _opening(self) -> LoopLock:
        return LoopLock()

    async def _close_what_is_left(self) -> None:
        """Close what was opened in an event loop that is over."""
        engine = self._engine
        if engine is None or engine.loop is asyncio.get_running_loop():
            return
        refuse_while_running(engine.loop, self.name)
        self._engine = None
        await undisturbed(engine.close())

    async def _open(self) -> Engine:
        async with asyncio.timeout(self.settings.timeout):
            return await Engine.open(self.settings)

    async def _run(self, function: Callable[..., Any], known: Statement, values: Any, timeout: float | None) -> Any:
        engine = self._engine
        if engine is None:
            raise self.not_initialized()
        limit = self.settings.timeout if timeout is None else timeout
        if engine.readers is not None and _may_read(function, known):
            try:
                return await engine.readers.call(Job(function, (known.sql, values)), limit)
            except sqlite3.OperationalError as error:
                if known.kind is Kind.READ or error.sqlite_errorcode != sqlite3.SQLITE_READONLY:
                    raise
                known.is_known_to_write = True  # and nothing was done: a reader refuses before the first change
        engine.check_not_inside()
        mode = Mode.SHARED if known.kind in {Kind.WRITE, Kind.WITH} else Mode.AS_IT_IS
        return await engine.writer.call(Job(function, (known.sql, values), mode), limit)

    async def _run_many(self, known: Statement, rows: Iterable[Sequence[Any]], timeout: float | None) -> int:
        engine = self._ready()
        engine.check_not_inside()
        job = Job(work.execute_many, mode=Mode.ALONE)
        job.arguments = (known, given(rows, job))
        return await engine.writer.call(job, self._timeout(timeout))  # type: ignore[no-any-return]

    async def _first_batch(self, stream: Stream, known: Statement, values: tuple[Any, ...]) -> list[Row] | None:
        """The stream's first rows, or None where it is a statement that writes."""

        async def first() -> list[Row] | None:
            try:
                return await stream.open(known.sql, known.bind(values))
            except sqlite3.OperationalError as error:
                if known.kind is Kind.READ or error.sqlite_errorcode != sqlite3.SQLITE_READONLY:
                    raise
                known.is_known_to_write = True
                return None

        return await self._translated(first)  # type: ignore[no-any-return]


def _may_read(function: Callable[..., Any], known: Statement) -> bool:
    """Whether to try it on a reader: only SQLite knows what is behind a WITH, and a reader refuses to write."""
    if known.kind is Kind.READ:
        return True
    return known.kind is Kind.WITH and not known.is_known_to_write and function is not work.execute


async def _begin(engine: Engine, hold: Hold) -> None:
    engine.check_not_inside()
    await engine.writer.call(Job(work.begin, (), Mode.BEGIN, hold), engine.settings.timeout)


async def _known(sql: str, values: tuple[Any, ...]) -> Statement:
    known = statement(sql)
    known.bind(values)
    return known
