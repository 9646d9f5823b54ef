"""The adapter."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from oneiric.adapters.base import Health
from oneiric.adapters.cancellation import undisturbed
from oneiric.adapters.database import DatabaseAdapter
from oneiric.adapters.event_loops import LoopLock

from oneiric_duckdb import work
from oneiric_duckdb.engine import Engine
from oneiric_duckdb.errors import translated
from oneiric_duckdb.session import Session
from oneiric_duckdb.settings import DuckdbSettings
from oneiric_duckdb.transaction import DuckdbTransaction

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    import duckdb
    from oneiric.adapters.database import Row, Transaction

    from oneiric_duckdb.row import DuckdbRow
    from oneiric_duckdb.statement import Statement
    from oneiric_duckdb.work import Call

_HEALTH_WITHIN = 5.0
"""Seconds that a health check takes at most."""

T = TypeVar("T")


class DuckdbAdapter(Session, DatabaseAdapter):
    """A DuckDB database: one connection that writes, several that read, each with its own thread."""

    settings_class: ClassVar[type[DuckdbSettings]] = DuckdbSettings
    settings: DuckdbSettings

    _engine: Engine | None = None

    async def init(self) -> None:
        """Open the file (made where there is none) and its connections."""
        with self._translating():
            async with self._opening.here():
                if self._engine is None:
                    self._engine = await Engine.open(self.settings)

    async def health(self) -> Health:
        """Whether a reader answers a query."""
        if self._engine is None:
            return Health(False, "Not initialised.")
        start = time.perf_counter()
        try:
            await self.fetch_value("SELECT 1", timeout=min(_HEALTH_WITHIN, self.settings.timeout))
        except Exception as error:  # noqa: BLE001 - a health check never raises
            return Health(False, str(translated(error, None)))
        return Health(True, latency_ms=round((time.perf_counter() - start) * 1000, 3))

    async def cleanup(self) -> None:
        """Close all connections, streams' too; what is running is interrupted."""
        async with self._opening.here():  # an init() that is under way would open what nobody closes
            engine, self._engine = self._engine, None
            if engine is not None:
                await undisturbed(engine.close())

    @property
    def raw(self) -> duckdb.DuckDBPyConnection:
        """The writer's own connection. Its thread is not yours: take a `cursor()` of it."""
        return self._ready().writer.raw

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one, read in batches on a connection of its own, as of the moment of the first.

        Close it (`contextlib.aclosing`) where you may leave it before its end. Of a statement that writes all rows are read
        first.
        """
        self._check_batch_size(batch_size)
        with self._translating():
            engine = self._ready()
            give_up = engine.give_up(timeout)
            known = await engine.parsed(sql, give_up)
            bound = known.bind(values)
        if not known.is_query:
            async with aclosing(self._all_then_each(sql, values, batch_size, timeout)) as rows:
                async for row in rows:
                    yield row
            return
        connection = engine.open_stream()
        try:
            batch = await self._translated(connection.run(give_up, _first, known, bound, batch_size))
            while batch:
                for row in batch:
                    yield row
                batch = await self._translated(connection.run(engine.give_up(timeout), work.batch, batch_size))
        finally:
            await engine.close_stream(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """`async with db.transaction() as tx:` commits at the end, rolls back where an exception leaves the block.

        It holds the writer: other tasks' writes wait for its end, and their reads don't.
        """
        async with AsyncExitStack() as stack:
            with self._translating():
                engine = self._ready()
                give_up = engine.give_up(None)
                writer = await stack.enter_async_context(engine.writing(give_up))
            engine.owner = asyncio.current_task()
            transaction = DuckdbTransaction(engine, writer, self.name)
            yield await stack.enter_async_context(transaction.opened(give_up))

    @property
    def _label(self) -> str | None:
        return self.name

    def _ready(self) -> Engine:
        if self._engine is None:
            raise self.not_initialized()
        return self._engine

    @cached_property
    def _opening(self) -> LoopLock:
        return LoopLock()

    async def _run(
        self,
        engine: Engine,
        function: Callable[[Call, Statement, Mapping[str, Any]], T],
        known: Statement,
        values: Mapping[str, Any],
        give_up: float,
    ) -> T:
        if known.is_query:
            async with engine.reader(give_up) as reader:
                return await reader.run(give_up, function, known, values)
        async with engine.writing(give_up) as writer:
            return await writer.run(give_up, function, known, values)

    async def _run_many(self, engine: Engine, function: Callable[[Call], int], give_up: float) -> int:
        async with engine.writing(give_up) as writer:
            return await writer.run(give_up, work.whole, function)

    async def _translated(self, call: Awaitable[T]) -> T:
        with self._translating():
            return await call


def _first(call: Call, statement: Statement, values: Mapping[str, Any], size: int) -> list[DuckdbRow]:
    """Execute a query, and give its first rows."""
    call.run(statement, values)
    return work.batch(call, size)
