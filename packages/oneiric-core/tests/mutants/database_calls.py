"""Wrong databases: calls that are cancelled, wait too long, or stand beside each other."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.base import AdapterSettings
from oneiric.errors import OneiricError
from oneiric.testing.database import DatabaseSuite, cancelling
from oneiric.testing.memory import MemoryDatabase
from oneiric.testing.memory.database import SPEC, MemoryTransaction

from mutants.databases import TestRight
from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence

    from oneiric.adapters.database import Transaction
    from oneiric.spec import AdapterSpec

cancelling.SOON = 6.0  # what a mutant never does isn't waited for as long


class TimedSettings(AdapterSettings):
    timeout: float = 30.0


class Timed(MemoryDatabase):
    """With a timeout of its own: right."""

    settings_class = TimedSettings

    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        return await super().fetch_value(sql, *values, timeout=self.settings.timeout if timeout is None else timeout)


class TestTimed(TestRight):
    slow_query = DatabaseSuite.slow_query.replace("200000000", "40000000")  # slower than its timeout, on any machine

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return dataclasses.replace(SPEC, adapter=f"{__name__}:Timed", settings=TimedSettings)

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"timeout": 20.0}


class ForgetsItsOwnTimeout(MemoryDatabase):
    """It has one in its settings."""

    settings_class = TimedSettings


class HoldsTheLockOfACancelledBegin(MemoryDatabase):
    """What is taken before the `try` is never given back."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        engine = self._ready()
        await engine._lock.acquire()
        await engine.run(lambda database: None, None)
        try:
            async with MemoryTransaction(engine, self.name, "BEGIN", "COMMIT", "ROLLBACK").opened() as tx:
                yield tx
        finally:
            engine._lock.release()


class LeavesTheTransactionOfCancelledRowsOpen(MemoryDatabase):
    """Only an Exception rolls them back."""

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        await self._run(lambda database: database.execute("BEGIN"), timeout)
        try:
            done = sum([await self.execute(sql, *row, timeout=timeout) for row in rows])
        except Exception:
            await self._run(lambda database: database.execute("ROLLBACK"), timeout)
            raise
        await self._run(lambda database: database.execute("COMMIT"), timeout)
        return done


class CommitsCancelledRowsHalfway(MemoryDatabase):
    """Those that were inserted by then are kept."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        listed, done = [*rows], 0
        try:
            for row in listed:
                done += await super().insert_many(table, columns, [row], timeout=timeout)
        except Exception:
            await self.execute(f"DELETE FROM {table}")
            raise
        return done


class EndsItsStreamWhereItIsCancelled(MemoryDatabase):
    """As if there were no more rows."""

    async def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Any]:
        with suppress(asyncio.CancelledError):
            async for row in super().stream(sql, *values, batch_size=batch_size, timeout=timeout):
                yield row


class TurnsACancelIntoAnError(MemoryDatabase):
    """Of ours, even."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        try:
            return await super().execute(sql, *values, timeout=timeout)
        except asyncio.CancelledError:
            raise OneiricError("It was cancelled.", adapter=self.name) from None


class ReadsAllForOne(MemoryDatabase):
    """And gives the first."""

    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        return next(iter(await self.fetch_all(sql, *values, timeout=timeout)), None)


class IgnoresTheTimeoutOfManyRows(MemoryDatabase):
    """They take long, after all."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None
    ) -> int:
        return await super().insert_many(table, columns, rows)


class WritesTogetherWhatComesTogether(MemoryDatabase):
    """In one transaction, which one of them can undo for all."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        waiting = self.__dict__.setdefault("waiting", [])
        if not sql.startswith("INSERT"):
            return await super().execute(sql, *values, timeout=timeout)
        waiting.append((sql, values))
        await asyncio.sleep(0)
        together, waiting[:] = [*waiting], []
        async with self.transaction() as tx:
            for each, its in together:
                await tx.execute(each, *its)
        return 1


class CommitsTheOuterWithTheNested(MemoryDatabase):
    """A nested transaction that ends well is for good."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        engine = self._ready()
        async with engine.held(None), _Hasty(engine, self.name, "BEGIN", "COMMIT", "ROLLBACK").opened() as tx:
            yield tx


class _Hasty(MemoryTransaction):
    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with super().transaction() as tx:
            yield tx
        await self._engine.finish(lambda database: database.executescript("COMMIT; BEGIN"))


class GivesTheDriversCount(MemoryDatabase):
    """-1 where it is none."""

    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        done = await super().execute(sql, *values, timeout=timeout)
        return done or (0 if sql.startswith(("UPDATE", "DELETE", "INSERT")) else -1)


WHOLLY = "test_a_call_that_is_cancelled_anywhere_is_done_wholly_or_not_at_all"
MUTANTS = [
    Mutant(ForgetsItsOwnTimeout, TestTimed, "test_the_adapters_own_timeout_bounds_a_call_that_is_given_none"),
    Mutant(HoldsTheLockOfACancelledBegin, TestRight, WHOLLY),
    Mutant(LeavesTheTransactionOfCancelledRowsOpen, TestRight, WHOLLY),
    Mutant(CommitsCancelledRowsHalfway, TestRight, WHOLLY),
    Mutant(EndsItsStreamWhereItIsCancelled, TestRight, WHOLLY),
    Mutant(TurnsACancelIntoAnError, TestRight, WHOLLY),
    Mutant(ReadsAllForOne, TestRight, "test_fetch_one_reads_no_more_than_it_gives"),
    Mutant(IgnoresTheTimeoutOfManyRows, TestRight, "test_waiting_for_a_transaction_counts"),
    Mutant(WritesTogetherWhatComesTogether, TestRight, "test_writes_side_by_side_are_each_whole"),
    Mutant(CommitsTheOuterWithTheNested, TestRight, "test_a_nested_transaction_goes_with_the_outer_one"),
    Mutant(GivesTheDriversCount, TestRight, "test_execute_says_zero_where_it_changed_nothing"),
]
