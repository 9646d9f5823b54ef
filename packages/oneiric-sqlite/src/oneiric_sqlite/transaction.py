"""The handle of an open transaction."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from oneiric.adapters.database import Transaction
from oneiric.errors import QueryError

from oneiric_sqlite import work
from oneiric_sqlite.errors import Ended
from oneiric_sqlite.job import Job, Mode
from oneiric_sqlite.rows import given
from oneiric_sqlite.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence

    from oneiric.adapters.database import Row

    from oneiric_sqlite.engine import Engine
    from oneiric_sqlite.statement import Statement
    from oneiric_sqlite.writer import Hold

_savepoints = count(1)


class SqliteTransaction(Session, Transaction):
    """A transaction, or one inside it (a savepoint); all of its calls run on the writer, in the order they are made."""

    def __init__(self, engine: Engine, hold: Hold, label: str | None) -> None:
        self._engine = engine
        self._hold = hold
        self._name = label
        self._is_over = False
        self._inner: SqliteTransaction | None = None

    @property
    def _label(self) -> str | None:
        return self._name

    def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one; all are read at the first, so that later changes here don't mix in."""
        if batch_size < 1:
            raise QueryError("A stream's batch_size is at least 1.", adapter=self._name)
        return self._all_then_each(sql, values, timeout)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction inside this one: rolled back alone where an exception leaves the block."""
        if self._inner is not None:
            raise QueryError(
                "This transaction has an open one inside it already.",
                adapter=self._name,
                hint="Use the inner handle, or end it first.",
            )
        name = f"oneiric_{next(_savepoints)}"
        inner = self._inner = SqliteTransaction(self._engine, self._hold, self._name)
        try:
            await self._translated(lambda: self._call(Job(work.savepoint, (name,), hold=self._hold), None))
            yield inner
        except BaseException:
            inner._is_over = True
            with suppress(Exception):  # there may be nothing left to undo
                await self._finish(Job(work.roll_back_to, (name,), hold=self._hold))
            raise
        else:
            inner._is_over = True
            await self._translated(lambda: self._finish(Job(work.release, (name,), hold=self._hold)))
        finally:
            self._inner = None

    async def commit(self) -> None:
        """End it for good: what it did is stored. It is the adapter's to call."""
        self._is_over = True
        await self._translated(lambda: self._finish(Job(work.commit, (), Mode.END, self._hold)))

    async def roll_back(self) -> None:
        """End it: nothing of it is stored. It is the adapter's to call."""
        self._is_over = True
        with suppress(Exception):  # SQLite, or cleanup(), has done it already
            await self._finish(Job(work.rollback, (), Mode.END, self._hold))

    async def _run(self, function: Callable[..., Any], known: Statement, values: Any, timeout: float | None) -> Any:
        return await self._call(Job(function, (known.sql, values), hold=self._hold), timeout)

    async def _run_many(self, known: Statement, rows: Iterable[Sequence[Any]], timeout: float | None) -> int:
        job = Job(work.many_at_savepoint, hold=self._hold)
        job.arguments = (known, given(rows, job))
        return await self._call(job, timeout)  # type: ignore[no-any-return]

    async def _call(self, job: Job, timeout: float | None) -> Any:
        if self._is_over:
            raise Ended
        return await self._engine.writer.call(job, self._engine.settings.timeout if timeout is None else timeout)

    async def _finish(self, job: Job) -> Any:
        return await self._engine.writer.finish(job, self._engine.settings.timeout)
