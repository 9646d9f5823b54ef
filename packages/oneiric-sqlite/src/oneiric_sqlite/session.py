"""A session: the calls that the adapter and a transaction's handle have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from oneiric.adapters.database import Queries

from oneiric_sqlite import work
from oneiric_sqlite.errors import CallersOwn, translated
from oneiric_sqlite.statement import insertion, statement

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

    from oneiric.adapters.database import Row

    from oneiric_sqlite.statement import Statement


class Session(Queries):
    """`Queries`, in terms of two ways to run something: `_run` for one statement, `_run_many` for rows of values."""

    @property
    @abstractmethod
    def _label(self) -> str | None:
        """The instance's name, for errors."""

    @abstractmethod
    async def _run(self, function: Callable[..., Any], known: Statement, values: Any, timeout: float | None) -> Any:
        """Run one statement in a thread, by `function(database, sql, values)`."""

    @abstractmethod
    async def _run_many(self, known: Statement, rows: Iterable[Sequence[Any]], timeout: float | None) -> int:
        """Run a statement for each row, all or none."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        """Run one statement; returns how many rows it inserted, changed or deleted (0 where it is none of these)."""
        return await self._query(work.execute, sql, values, timeout)  # type: ignore[no-any-return]

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> list[Row]:
        """All rows of a query."""
        return await self._query(work.fetch_all, sql, values, timeout)  # type: ignore[no-any-return]

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Row | None:
        """The first row of a query, or None where it has none; the others are not read."""
        return await self._query(work.fetch_one, sql, values, timeout)  # type: ignore[no-any-return]

    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        """The first column of the first row, or None where there is no row."""
        return await self._query(work.fetch_value, sql, values, timeout)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        """Run one statement for each row of values, all or none; returns how many rows were affected together.

        What is not a list or tuple is iterated in the connection's thread, while the rows are written.
        """
        return await self._translated(lambda: self._run_many(statement(sql), rows, timeout))  # type: ignore[no-any-return]

    async def insert_many(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        /,
        *,
        timeout: float | None = None,
    ) -> int:
        """Insert rows, all or none; returns how many.

        What is not a list or tuple is iterated in the connection's thread, while the rows are written.
        """
        return await self._translated(  # type: ignore[no-any-return]
            lambda: self._run_many(insertion(table, columns), rows, timeout)
        )

    async def _query(
        self, function: Callable[..., Any], sql: str, values: tuple[Any, ...], timeout: float | None
    ) -> Any:
        """What every small call goes through: `_translated` in one layer, as each layer is felt here."""
        try:
            known = statement(sql)
            return await self._run(function, known, known.bind(values), timeout)
        except Exception as error:
            ours = translated(error, self._label)
            if ours is error:
                raise
            raise ours from error

    async def _translated(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """What `call` gives; a driver's error as one of ours."""
        try:
            return await call()
        except CallersOwn as error:
            original = error.original
        except Exception as error:
            ours = translated(error, self._label)
            if ours is error:
                raise
            raise ours from error
        raise original

    async def _all_then_each(self, sql: str, values: tuple[Any, ...], timeout: float | None) -> AsyncGenerator[Row]:
        """A stream where there can be no second connection: everything is read first."""
        for row in await self.fetch_all(sql, *values, timeout=timeout):
            yield row
