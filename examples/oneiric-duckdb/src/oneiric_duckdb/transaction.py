"""A transaction's handle."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from oneiric.adapters.database import Transaction
from oneiric.errors import OneiricError, TransactionClosed, Unsupported

from oneiric_duckdb import work
from oneiric_duckdb.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from oneiric.adapters.database import Row

    from oneiric_duckdb.connection import Connection
    from oneiric_duckdb.engine import Engine
    from oneiric_duckdb.statement import Statement
    from oneiric_duckdb.work import Call

T = TypeVar("T")


class DuckdbTransaction(Session, Transaction):
    """What is called on it is inside. A statement that fails ends all of it: DuckDB has no savepoints."""

    def __init__(self, engine: Engine, writer: Connection, label: str | None) -> None:
        self._engine = engine
        self._writer = writer
        self._name = label
        self._is_over = False
        self._has_failed = False

    def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one; all are read at the first, so that later changes here don't mix in."""
        return self._all_then_each(sql, values, batch_size, timeout)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Unsupported: DuckDB has no savepoints."""
        with self._translating():
            self._ready()
            raise Unsupported("DuckDB has no savepoints, so there is no transaction inside a transaction.")
        yield self

    @asynccontextmanager
    async def opened(self, give_up: float) -> AsyncIterator[Transaction]:
        """Begin, and at the end of the block commit; roll back where the block or the commit raises."""
        try:
            with self._translating():
                await self._writer.run(give_up, work.begin)
            yield self
            self._is_over = True
            with self._translating():
                await self._commit()
        except BaseException:
            self._is_over = True
            with suppress(OneiricError):  # the adapter was cleaned up, and there is nothing left to undo
                await self._writer.finish(work.roll_back)
            raise

    @property
    def _label(self) -> str | None:
        return self._name

    def _ready(self) -> Engine:
        if self._is_over:
            raise TransactionClosed("The transaction has ended.", hint="Use the handle inside its block only.")
        if self._has_failed:
            raise _rolled_back()
        return self._engine

    async def _run(
        self,
        engine: Engine,
        function: Callable[[Call, Statement, Mapping[str, Any]], T],
        known: Statement,
        values: Mapping[str, Any],
        give_up: float,
    ) -> T:
        return await self._inside(give_up, lambda call: function(call, known, values))

    async def _run_many(
        self,
        engine: Engine,
        function: Callable[[Call], int],
        give_up: float,
    ) -> int:
        return await self._inside(give_up, function)

    async def _commit(self) -> None:
        if self._has_failed:  # and DuckDB would say nothing of it
            raise _rolled_back()
        await self._writer.finish(work.commit)

    async def _inside(self, give_up: float, function: Callable[[Call], T]) -> T:
        def inside(call: Call) -> T:
            self._ready()  # it may have ended, or failed, while this call waited for its turn
            try:
                return function(call)
            except BaseException:
                self._has_failed = True
                raise

        return await self._writer.run(give_up, inside)


def _rolled_back() -> TransactionClosed:
    return TransactionClosed(
        "The transaction was rolled back, as a statement in it had failed.",
        hint="DuckDB has no savepoints: begin another.",
    )
