"""A session: the calls that the adapter and a transaction's handle have in common."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from oneiric.adapters.database import Queries
from oneiric.errors import DeadlineExceeded, QueryError

from oneiric_duckdb import work
from oneiric_duckdb.errors import CallersOwn, translated
from oneiric_duckdb.statement import insertion

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence

    from oneiric.adapters.database import Row

    from oneiric_duckdb.engine import Engine
    from oneiric_duckdb.statement import Statement
    from oneiric_duckdb.work import Call

T = TypeVar("T")


class Session(Queries):
    """`Queries`, in terms of two ways to run something: `_run` for one statement, `_run_many` for several."""

    @property
    @abstractmethod
    def _label(self) -> str | None:
        """The instance's name, for errors."""

    @abstractmethod
    def _ready(self) -> Engine:
        """The engine. Raises where there is none, or where it is not to be used any more."""

    @abstractmethod
    async def _run(
        self,
        engine: Engine,
        function: Callable[[Call, Statement, Mapping[str, Any]], T],
        known: Statement,
        values: Mapping[str, Any],
        give_up: float,
    ) -> T:
        """Run one statement in a thread."""

    @abstractmethod
    async def _run_many(self, engine: Engine, function: Callable[[Call], int], give_up: float) -> int:
        """Run several in a thread, all or none."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        """Run one statement; returns how many rows it inserted, changed or deleted (0 where it is none of these)."""
        return await self._query(work.execute, sql, values, timeout)

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> list[Row]:
        """All rows of a query."""
        return [*await self._query(work.fetch_all, sql, values, timeout)]

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Row | None:
        """The first row of a query, or None where it has none; the others are not read."""
        return await self._query(work.fetch_one, sql, values, timeout)

    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        """The first column of the first row, or None where there is no row."""
        row = await self.fetch_one(sql, *values, timeout=timeout)
        return None if row is None else row[0]

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        """Run one statement for each row of values, all or none; returns how many rows were affected together.

        The rows are iterated in the connection's thread. To insert many, `insert_many` is much faster.
        """
        with self._translating():
            engine = self._ready()
            give_up = engine.give_up(timeout)
            known = await engine.parsed(sql, give_up)
            return await self._run_many(engine, lambda call: work.execute_many(call, known, rows), give_up)

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        """Insert rows, all or none; returns how many. The rows are iterated in the connection's thread."""
        with self._translating():
            engine = self._ready()
            give_up = engine.give_up(timeout)
            one, many = [await engine.parsed(sql, give_up) for sql in insertion(table, columns)]
            return await self._run_many(engine, lambda call: work.insert_many(call, one, many, rows), give_up)

    async def _query(
        self,
        function: Callable[[Call, Statement, Mapping[str, Any]], T],
        sql: str,
        values: tuple[Any, ...],
        timeout: float | None,
    ) -> T:
        with self._translating():
            engine = self._ready()
            give_up = engine.give_up(timeout)
            known = await engine.parsed(sql, give_up)
            return await self._run(engine, function, known, known.bind(values), give_up)

    async def _all_then_each(
        self, sql: str, values: tuple[Any, ...], batch_size: int, timeout: float | None
    ) -> AsyncGenerator[Row]:
        """A stream where there can be no second connection: everything is read first."""
        self._check_batch_size(batch_size)
        for row in await self.fetch_all(sql, *values, timeout=timeout):
            yield row

    def _check_batch_size(self, batch_size: int) -> None:
        if batch_size < 1:
            raise QueryError("A stream's batch_size is at least 1.", adapter=self._label)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """What the block raises, as one of our errors with the adapter's name."""
        try:
            yield
            return
        except CallersOwn as error:
            original = error.original
        except TimeoutError as error:
            message = "The call waited too long for a connection, or for somebody's transaction to end."
            raise DeadlineExceeded(message, adapter=self._label) from error
        except Exception as error:
            ours = translated(error, self._label)
            if ours is error:
                raise
            raise ours from error
        raise original
