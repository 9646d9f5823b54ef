"""Wrong databases, each a small change to the one in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.database import DURABLE, Transaction
from oneiric.errors import DeadlineExceeded, OneiricError, QueryError
from oneiric.testing import DatabaseSuite
from oneiric.testing.memory import MemoryDatabase, statements
from oneiric.testing.memory.database import SPEC, MemoryTransaction

from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path

    from oneiric.spec import AdapterSpec


class TestRight(DatabaseSuite):
    adapter_name = "memory-database"
    slow_query = DatabaseSuite.slow_query.replace("200000000", "10000000")  # for those that wait until its end

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {}


class FileSettings(AdapterSettings):
    path: str


class OnFile(MemoryDatabase):
    """The same on a file: right, and durable."""

    settings_class = FileSettings

    async def init(self) -> None:
        await super().init()
        engine = self._ready()
        engine._database.close()
        engine._database = sqlite3.connect(self.settings.path, isolation_level=None, check_same_thread=False)
        engine._database.row_factory = sqlite3.Row


class TestDurable(TestRight):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        capabilities = SPEC.capabilities | {DURABLE}
        path = f"{__name__}:OnFile"
        return dataclasses.replace(SPEC, adapter=path, settings=FileSettings, capabilities=capabilities)

    @pytest.fixture
    def config(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"path": str(tmp_path / "a.db")}


class CountsWhatItDidBefore(MemoryDatabase):
    """`changes()` is of the last statement that changed something."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        return await super().execute(sql, *values, timeout=timeout) or await self.fetch_value("SELECT changes()")


class RunsManyOneByOne(MemoryDatabase):
    """Each row is committed by itself."""

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        return sum([await self.execute(sql, *row, timeout=timeout) for row in rows])


class InsertsInChunks(MemoryDatabase):
    """A hundred rows are a transaction."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        listed, done = list(rows), 0
        for start in range(0, len(listed), 100):
            done += await super().insert_many(table, columns, listed[start : start + 100], timeout=timeout)
        return done


class HidesWhatTheRowsRaise(MemoryDatabase):
    """Whatever goes wrong is a QueryError."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        try:
            return await super().insert_many(table, columns, rows, timeout=timeout)
        except ValueError as error:
            raise error if isinstance(error, OneiricError) else QueryError("No.", adapter=self.name) from error


class QuotesNoNames(MemoryDatabase):
    """The table's name goes into the statement as it is."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        marks = ", ".join(f"${number}" for number, _ in enumerate(columns, 1))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
        return await self.execute_many(sql, rows, timeout=timeout)


class StreamsByOffset(MemoryDatabase):
    """Each batch is a query of its own, and sees what was written since."""

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Any]:
        if batch_size < 1:
            raise QueryError("No.", adapter=self.name)
        offset = 0
        while rows := await self.fetch_all(f"{sql} LIMIT {batch_size} OFFSET {offset}", *values, timeout=timeout):
            for row in rows:
                yield row
            offset += batch_size


class StreamsUnderItsLock(MemoryDatabase):
    """An open stream keeps the others out."""

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Any]:
        async with self.transaction() as tx:
            async for row in tx.stream(sql, *values, batch_size=batch_size, timeout=timeout):
                yield row

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = 1.0) -> Any:
        return await super().fetch_all(sql, *values, timeout=timeout or 1.0)


class LosesTheLastBatch(MemoryDatabase):
    """One that isn't full is taken for the end."""

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Any]:
        rows = [row async for row in super().stream(sql, *values, batch_size=batch_size, timeout=timeout)]
        for row in rows[: len(rows) // batch_size * batch_size] if len(rows) > batch_size else rows:
            yield row


class CommitsOnAnException(MemoryDatabase):
    """What leaves the block is raised again after the commit."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        raised: BaseException | None = None
        async with super().transaction() as tx:
            try:
                yield tx
            except Exception as error:  # noqa: BLE001
                raised = error
        if raised is not None:
            raise raised


class CommitsOnCancellation(MemoryDatabase):
    """Only an Exception rolls back, and CancelledError is none."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        cancelled: asyncio.CancelledError | None = None
        async with super().transaction() as tx:
            try:
                yield tx
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


class SwallowsWhatFailsInTheCommit(MemoryDatabase):
    """A commit that fails is a rollback, and nobody is told."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        over = False
        try:
            async with super().transaction() as tx:
                yield tx
                over = True
        except OneiricError:
            if not over:
                raise


class _Rolling(MemoryTransaction):
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        try:
            yield self
        except Exception:
            await self._engine.finish(lambda database: statements.undo(database, "ROLLBACK; BEGIN"))
            raise


class RollsAllBackWithANestedOne(MemoryDatabase):
    """A nested transaction is the outer one."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        engine = self._ready()
        async with engine.held(None), _Rolling(engine, self.name, "BEGIN", "COMMIT", "ROLLBACK").opened() as tx:
            yield tx


class _Open(MemoryTransaction):
    def _check_open(self) -> None:
        """Never closed."""

    async def _run(self, work: Any, timeout: float | None) -> Any:
        return await self._engine.run(work, timeout)


class KeepsItsHandlesOpen(MemoryDatabase):
    """A handle that is used after its end writes at once."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        engine = self._ready()
        async with engine.held(None), _Open(engine, self.name, "BEGIN", "COMMIT", "ROLLBACK").opened() as tx:
            yield tx


class JoinsTheTasksTransaction(MemoryDatabase):
    """As with a connection that is bound to the task, or shared: what the adapter does is inside."""

    _open: Any = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            self._open = tx
            try:
                yield tx
            finally:
                self._open = None

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        if self._open is not None:
            return await self._open.execute(sql, *values, timeout=timeout)
        return await super().execute(sql, *values, timeout=timeout)


class IgnoresTheTimeout(MemoryDatabase):
    """Its own is long enough."""

    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        return await super().fetch_all(sql, *values)


class LeavesTheStatementRunning(MemoryDatabase):
    """Nobody waits for it any more, and everybody waits behind it."""

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        running = asyncio.ensure_future(super().fetch_one(sql, *values))
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(running)
        except TimeoutError:
            raise DeadlineExceeded("Too late.", adapter=self.name) from None

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        return await super().execute(sql, *values, timeout=timeout or 1.0)


class ClaimsToBeDurable(MemoryDatabase):
    """In memory."""

    settings_class = FileSettings


class CommitsWhenItIsCleanedUp(OnFile):
    """And not before."""

    async def init(self) -> None:
        await super().init()
        self._ready()._database.execute("BEGIN")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        engine = self._ready()
        async with (
            engine.held(None),
            MemoryTransaction(engine, self.name, "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a; RELEASE a").opened() as tx,
        ):
            yield tx

    async def cleanup(self) -> None:
        if self._engine is not None:
            await self._engine.finish(lambda database: database.execute("COMMIT"))
        await super().cleanup()


class DoesReturningUndeclared(MemoryDatabase):
    """What isn't declared must fail."""


MUTANTS = [
    Mutant(CountsWhatItDidBefore, TestRight, "test_execute_says_zero_where_it_changed_nothing"),
    Mutant(RunsManyOneByOne, TestRight, "test_a_row_that_fails_undoes_those_before_it"),
    Mutant(InsertsInChunks, TestRight, "test_a_row_of_the_wrong_length_undoes_the_rows_before_it"),
    Mutant(HidesWhatTheRowsRaise, TestRight, "test_what_the_rows_raise_comes_to_the_caller"),
    Mutant(QuotesNoNames, TestRight, "test_insert_many_quotes_the_names"),
    Mutant(StreamsByOffset, TestRight, "test_a_stream_is_as_of_its_first_row"),
    Mutant(StreamsUnderItsLock, TestRight, "test_the_adapter_works_beside_a_stream"),
    Mutant(LosesTheLastBatch, TestRight, "test_a_stream_gives_every_row_in_order"),
    Mutant(CommitsOnAnException, TestRight, "test_an_exception_rolls_it_back"),
    Mutant(CommitsOnCancellation, TestRight, "test_a_cancelled_transaction_is_rolled_back"),
    Mutant(SwallowsWhatFailsInTheCommit, TestRight, "test_a_commit_that_fails_is_an_error"),
    Mutant(RollsAllBackWithANestedOne, TestRight, "test_a_nested_transaction_is_rolled_back_alone"),
    Mutant(KeepsItsHandlesOpen, TestRight, "test_a_handle_is_closed_after_its_end"),
    Mutant(JoinsTheTasksTransaction, TestRight, "test_the_adapter_is_not_inside_the_transaction"),
    Mutant(IgnoresTheTimeout, TestRight, "test_a_slow_statement_reaches_its_deadline"),
    Mutant(LeavesTheStatementRunning, TestRight, "test_waiting_for_a_connection_counts"),
    Mutant(ClaimsToBeDurable, TestDurable, "test_what_was_written_survives_a_kill"),
    Mutant(CommitsWhenItIsCleanedUp, TestDurable, "test_what_was_written_survives_a_kill"),
    Mutant(
        DoesReturningUndeclared,
        TestRight,
        "test_returning_gives_rows_or_is_unsupported",
        spec={"capabilities": frozenset({"savepoints"})},
    ),
]
