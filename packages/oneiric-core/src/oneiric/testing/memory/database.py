"""A SQL database in memory: Python's own `sqlite3`, one connection, one thread, one call at a time."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from oneiric.adapters.database.base import RETURNING, SAVEPOINTS, DatabaseAdapter, Queries, Transaction
from oneiric.errors import OneiricError, QueryError, TransactionClosed
from oneiric.spec import AdapterSpec
from oneiric.testing.memory import statements
from oneiric.testing.memory.engine import Engine

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence

    from oneiric.adapters.database.base import Row

SPEC = AdapterSpec(
    "memory-database",
    type="database",
    summary="A SQL database in memory, for tests: Python's own sqlite3, one call at a time.",
    adapter="oneiric.testing.memory.database:MemoryDatabase",
    capabilities=frozenset({SAVEPOINTS, RETURNING}),
)

T = TypeVar("T")


class MemoryQueries(Queries):
    """`Queries`, in terms of one way to run something."""

    @property
    @abstractmethod
    def _label(self) -> str | None:
        """The instance's name, for errors."""

    @abstractmethod
    async def _run(self, work: Callable[[sqlite3.Connection], T], timeout: float | None) -> T:
        """Run something in the thread."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        """Run one statement; returns how many rows it inserted, changed or deleted (0 where it is none of these)."""
        return await self._run(lambda database: statements.execute(database, sql, values), timeout)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        """Run one statement for each row of values, all or none; returns how many rows were affected together."""
        listed = statements.listed(rows, self._label)
        return await self._run(lambda database: statements.execute_many(database, sql, listed), timeout)

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> list[Row]:
        """All rows of a query."""
        return await self._run(lambda database: statements.run(database, sql, values).fetchall(), timeout)

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Row | None:
        """The first row of a query, or None where it has none; the others are not read."""
        return await self._run(lambda database: statements.first(database, sql, values), timeout)

    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        """The first column of the first row, or None where there is no row."""
        row = await self.fetch_one(sql, *values, timeout=timeout)
        return None if row is None else row[0]

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one; all are read at the first."""
        if batch_size < 1:
            raise QueryError("A stream's batch_size is at least 1.", adapter=self._label)
        for row in await self.fetch_all(sql, *values, timeout=timeout):
            yield row

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        """Insert rows, all or none; returns how many."""
        listed = statements.listed(rows, self._label)
        return await self._run(
            lambda database: statements.execute_many(database, statements.insertion(table, columns), listed), timeout
        )


class MemoryTransaction(MemoryQueries, Transaction):
    """A transaction, or one inside it."""

    def __init__(self, engine: Engine, label: str | None, begin: str, commit: str, undo: str) -> None:
        self._engine = engine
        self._name = label
        self._begin = begin
        self._commit = commit
        self._undo = undo
        self._is_over = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Transaction]:
        """Begin, and at the end of the block commit; undo where the block or the commit raises."""
        try:
            await self._engine.run(lambda database: database.execute(self._begin), None)
            yield self
            self._is_over = True
            await self._engine.finish(lambda database: statements.commit(database, self._commit))
        except BaseException:
            self._is_over = True
            with suppress(OneiricError):  # the adapter was cleaned up, and there is nothing left to undo
                await self._engine.finish(lambda database: statements.undo(database, self._undo))
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction inside this one: rolled back alone where an exception leaves the block."""
        self._check_open()
        name = f"nested_{next(_numbers)}"
        release = f"RELEASE {name}"
        inner = MemoryTransaction(
            self._engine, self._label, f"SAVEPOINT {name}", release, f"ROLLBACK TO {name}; {release}"
        )
        async with inner.opened():
            yield inner

    @property
    def _label(self) -> str | None:
        return self._name

    async def _run(self, work: Callable[[sqlite3.Connection], T], timeout: float | None) -> T:
        self._check_open()

        def inside(database: sqlite3.Connection) -> T:
            statements.check_inside(database)
            return work(database)

        return await self._engine.run(inside, timeout)

    def _check_open(self) -> None:
        if self._is_over:
            message = "The transaction has ended."
            raise TransactionClosed(message, adapter=self._label, hint="Use the handle inside its block only.")


_numbers = count(1)


class MemoryDatabase(MemoryQueries, DatabaseAdapter):
    """The reference of the database contract, and a test double: its data end with it, at `cleanup()`.

    It has one connection: a call waits for the one before it, and for the end of an open transaction.
    """

    _engine: Engine | None = None

    async def init(self) -> None:
        """Open an empty database."""
        if self._engine is None:
            self._engine = Engine(self.name)

    async def health(self) -> bool:
        """Whether it is initialised."""
        return self._engine is not None

    async def cleanup(self) -> None:
        """Close it, and with it forget everything."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """`async with db.transaction() as tx:` commits at the end, rolls back where an exception leaves the block."""
        engine = self._ready()
        async with (
            engine.held(None),
            MemoryTransaction(engine, self.name, "BEGIN", "COMMIT", "ROLLBACK").opened() as tx,
        ):
            yield tx

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection. Its thread is not yours: use it while nothing else does."""
        return self._ready().raw

    @property
    def _label(self) -> str | None:
        return self.name

    def _ready(self) -> Engine:
        if self._engine is None:
            raise self.not_initialized()
        return self._engine

    async def _run(self, work: Callable[[sqlite3.Connection], T], timeout: float | None) -> T:
        engine = self._ready()
        async with engine.held(timeout) as left:
            return await engine.run(work, left)
