"""The calls that the adapter and a transaction's handle have in common, in terms of one statement on one session."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from oneiric.adapters.database import Queries
from oneiric.errors import QueryError

from oneiric_postgres import bulk
from oneiric_postgres.errors import CallersOwn, translated
from oneiric_postgres.listening import check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from oneiric.adapters.database import Row

    from oneiric_postgres.deadline import Deadline
    from oneiric_postgres.session import Session
    from oneiric_postgres.statement import Statement


NOTIFY = "SELECT pg_catalog.pg_notify($1, $2)"


class Calls(Queries):
    """`Queries` in terms of `_run`, for one statement, and `_session`, for a call that takes several."""

    @property
    @abstractmethod
    def _label(self) -> str | None:
        """The instance's name, for errors."""

    @abstractmethod
    def _known(self, sql: object) -> Statement:
        """What is known of a statement. Raises where it must not be run."""

    @abstractmethod
    async def _run(
        self, sql: str, values: tuple[Any, ...], limit: int, timeout: float | None, *, with_status: bool = False
    ) -> Any:
        """The rows of one statement, `limit` of them at most (0: all); with its status, what asyncpg gives with one."""

    @abstractmethod
    def _session(self, timeout: float | None) -> AbstractAsyncContextManager[tuple[Session, Deadline]]:
        """A session for one call, and the call's deadline. It is dirty unless `is_dirty` is set False at the end."""

    @abstractmethod
    def _whole(self, session: Session, deadline: Deadline, /) -> AbstractAsyncContextManager[None]:
        """A block on that session that happens wholly or not at all."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        """Run one statement; returns how many rows it inserted, changed or deleted (0 where it is none of these)."""
        _, status, _ = await self._run(sql, values, 0, timeout, with_status=True)
        return bulk.count(status.decode()) if self._known(sql).counts_rows else 0

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> list[Row]:
        """All rows of a query."""
        return await self._run(sql, values, 0, timeout)  # type: ignore[no-any-return]

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Row | None:
        """The first row of a query, or None where it has none; the others are not read."""
        rows = await self._run(sql, values, 1, timeout)
        return rows[0] if rows else None

    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        """The first column of the first row, or None where there is no row."""
        rows = await self._run(sql, values, 1, timeout)
        return rows[0][0] if rows and len(rows[0]) else None

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        """Run one statement for each row of values, all or none; returns how many rows were affected together.

        An INSERT, UPDATE or DELETE goes in one stream; any other statement takes a round trip a row.
        """
        known = self._known(sql)
        async with self._translating(sql), self._session(timeout) as (session, deadline):
            counted = bulk.counted(known)
            if counted is not None:
                return await bulk.execute_each(session.connection, counted, rows, deadline)
            async with self._whole(session, deadline):
                return await bulk.execute_one_by_one(session.connection, known, rows, deadline)

    async def insert_many(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        /,
        *,
        timeout: float | None = None,
    ) -> int:
        """Insert rows by COPY, all or none; returns how many. By INSERT, where the table has row security or is a view."""
        target = self._target(table, columns)
        async with self._translating(target.sql), self._session(timeout) as (session, deadline):
            copied = await bulk.copy(session.connection, target, rows, deadline)
            if copied is not None:
                return copied
            return await bulk.execute_each(session.connection, target.insertion, rows, deadline)

    async def upsert_many(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        /,
        *,
        conflict: Sequence[str],
        update: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> int:
        """Insert rows, or update those whose `conflict` columns are taken; all or none; returns how many it was of both.

        `conflict` are the columns of a unique index or constraint, `update` those that are then set: all others of
        `columns` where it is None, and where it is empty the row that is there stays. Of several rows with the same key the
        last one counts.
        """
        target = self._target(table, columns)
        async with (
            self._translating(target.sql),
            self._session(timeout) as (session, deadline),
            self._whole(session, deadline),
        ):
            return await bulk.Merge.of(target, conflict, update).run(session.connection, rows, deadline)

    async def notify(self, channel: str, payload: str = "", *, timeout: float | None = None) -> None:
        """Send a notification, at the transaction's commit where there is one; `payload` has at most 7,999 bytes."""
        check([channel], self._label)
        await self._run(NOTIFY, (channel, payload), 0, timeout)

    @asynccontextmanager
    async def _translating(self, sql: str) -> AsyncIterator[None]:
        """A block whose errors of the driver become ours; what an iterable of the caller's has raised goes on as it is."""
        try:
            yield
        except CallersOwn as error:
            original = error.original
        except Exception as error:
            ours = translated(error, self._label, sql)
            if ours is error:
                raise
            raise ours from error
        else:
            return
        raise original

    def _target(self, table: object, columns: Sequence[str]) -> bulk.Target:
        try:
            return bulk.Target.of(table, columns)
        except QueryError as error:
            error.adapter = self._label
            raise

    def _check_batch(self, size: int) -> None:
        if size < 1:
            raise QueryError("A stream's batch_size is at least 1.", adapter=self._label)
