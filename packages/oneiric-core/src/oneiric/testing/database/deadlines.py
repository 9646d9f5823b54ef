"""Deadlines and cancellation: a slow statement is ended, and what comes after it goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.errors import DatabaseError, DeadlineExceeded
from oneiric.testing.database.things import COUNT, INSERT, SOON, DatabaseTests, ids
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oneiric.adapters.database.base import DatabaseAdapter
    from oneiric.spec import AdapterSpec

INSERTS: dict[str, Callable[..., Any]] = {
    "execute_many": lambda db, rows, timeout: db.execute_many(INSERT, rows, timeout=timeout),
    "insert_many": lambda db, rows, timeout: db.insert_many("things", ["id", "n", "s"], rows, timeout=timeout),
}
CROWD = 30
"""More tasks than a pool has connections."""


class DeadlineTests(DatabaseTests):
    """`timeout=` of every method. `slow_query` is the statement that is too slow."""

    @pytest.mark.parametrize("method", ["execute", "fetch_all", "fetch_one", "fetch_value"])
    async def test_a_slow_statement_reaches_its_deadline(self, db: DatabaseAdapter, method: str) -> None:
        """DeadlineExceeded, in time; it is transient, and the adapter goes on."""
        async with asyncio.timeout(SOON):
            with expect(DeadlineExceeded, f"{method}() of a statement that takes longer than its timeout") as expected:
                await getattr(db, method)(self.slow_query, timeout=0.2)
            assert await db.execute(INSERT, 1, 1, "a") == 1, "the adapter goes on after a deadline"
        assert expected.error.transient, "a deadline is transient: the same call may succeed later"
        assert expected.error.adapter == db.name, "`.adapter` of an error is the adapter's name"

    async def test_a_slow_write_reaches_its_deadline(self, db: DatabaseAdapter) -> None:
        """It is interrupted, and so nothing of it is stored, and others may write."""
        slow = f"INSERT INTO things (id, n) {self.slow_query.replace('SELECT count(*)', 'SELECT count(*), 1')}"
        async with asyncio.timeout(SOON):
            with expect(DeadlineExceeded, "an INSERT that takes longer than its timeout"):
                await db.execute(slow, timeout=0.2)
            assert await db.execute(INSERT, 1, 1, "a") == 1, "the adapter goes on after a deadline"
        assert await ids(db) == [1], "a write that was interrupted has stored nothing"

    async def test_many_rows_reach_their_deadline(self, db: DatabaseAdapter) -> None:
        """The whole call has one deadline, and is all or none."""
        slow = f"INSERT INTO things (id, n) SELECT $1, ({self.slow_query})"
        async with asyncio.timeout(SOON):
            with expect(DeadlineExceeded, "execute_many() that takes longer than its timeout"):
                await db.execute_many(slow, [(1,), (2,)], timeout=0.2)
            assert await db.fetch_value(COUNT) == 0, "execute_many() past its deadline has stored nothing"

    async def test_waiting_for_a_connection_counts(self, db: DatabaseAdapter) -> None:
        """Thirty slow statements at the same time all end at their deadlines, not one after the other."""
        async with asyncio.timeout(SOON):
            results = await asyncio.gather(
                *(db.fetch_value(self.slow_query, timeout=0.3) for _ in range(CROWD)), return_exceptions=True
            )
            assert [type(result) for result in results] == [DeadlineExceeded] * CROWD, (
                "`timeout` bounds the whole call, waiting for a connection included"
            )
            assert await db.execute(INSERT, 1, 1, "a") == 1, "the adapter goes on after a crowd of deadlines"

    @pytest.mark.parametrize("call", INSERTS.values(), ids=INSERTS)
    async def test_waiting_for_a_transaction_counts(self, db: DatabaseAdapter, call: Callable[..., Any]) -> None:
        """A write of a row that another's open transaction has written ends at its deadline, or is refused before."""
        async with asyncio.timeout(SOON):
            async with db.transaction() as tx:
                await tx.execute(INSERT, 1, 1, "first")
                waiting = asyncio.create_task(call(db, [(2, 2, "b"), (1, 1, "again")], timeout=0.3))
                await asyncio.wait({waiting})
            with expect((DeadlineExceeded, DatabaseError), "a write that waits for a transaction's end"):
                await waiting
            assert await ids(db) == [1], "a write past its deadline has stored nothing"

    async def test_the_adapters_own_timeout_bounds_a_call_that_is_given_none(
        self, make: Callable[..., Any], config: Mapping[str, Any], spec: AdapterSpec
    ) -> None:
        """That of its settings."""
        hurried = self.hurried(config, spec)
        if hurried == config:
            skip("no setting is named `timeout` or `…_timeout`")
        async with asyncio.timeout(SOON), make(**hurried) as db:
            with expect(DeadlineExceeded, "a statement that takes longer than the adapter's own timeout"):
                await db.fetch_value(self.slow_query)

    async def test_a_deadline_in_a_transaction_leaves_nothing_of_it(self, db: DatabaseAdapter) -> None:
        """When the error leaves the block."""
        async with asyncio.timeout(SOON):
            with expect(DeadlineExceeded, "a slow statement in a transaction"):
                async with db.transaction() as tx:
                    await tx.execute(INSERT, 1, 1, "a")
                    await tx.fetch_value(self.slow_query, timeout=0.2)
            assert await ids(db) == [], "a transaction that a deadline ends is rolled back"
            assert await db.execute(INSERT, 1, 1, "a") == 1, "the adapter goes on"

    async def test_a_cancelled_statement_is_interrupted(self, db: DatabaseAdapter) -> None:
        """It ends soon, and the adapter goes on."""
        async with asyncio.timeout(SOON):
            for _ in range(3):
                task = asyncio.create_task(db.fetch_value(self.slow_query))
                await asyncio.wait({task}, timeout=0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await db.execute(INSERT, 1, 1, "a") == 1, "the adapter goes on after a cancelled statement"

    async def test_a_crowd_that_is_cancelled_leaves_the_adapter_usable(self, db: DatabaseAdapter) -> None:
        """Some of it running, and some waiting for a connection."""
        async with asyncio.timeout(SOON):
            tasks = [asyncio.create_task(db.fetch_value(self.slow_query)) for _ in range(CROWD)]
            await asyncio.wait(tasks, timeout=0.1)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert all(task.cancelled() for task in tasks), "a call that is cancelled raises CancelledError"
            results = await asyncio.gather(*(db.fetch_value("SELECT 7") for _ in range(CROWD)))
        assert results == [7] * CROWD, "the adapter goes on after a crowd of cancellations"

    async def test_the_event_loop_runs_beside_a_slow_statement(self, db: DatabaseAdapter) -> None:
        """A driver that blocks would keep this task from counting."""
        ticks = 0
        task = asyncio.create_task(db.fetch_value(self.slow_query, timeout=0.5))
        async with asyncio.timeout(SOON):
            while not task.done():
                await asyncio.sleep(0.01)
                ticks += 1
        assert isinstance(task.exception(), DeadlineExceeded), "a slow statement reaches its deadline"
        assert ticks >= 5, "the event loop goes on while a statement runs: never block it"
