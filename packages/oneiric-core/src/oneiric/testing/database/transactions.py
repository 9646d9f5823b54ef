"""Transactions: all or nothing, by a handle, one inside another."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.errors import ConstraintViolation, OneiricError, TransactionClosed
from oneiric.testing.database.things import COUNT, INSERT, SOON, DatabaseTests, ids
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.database.base import DatabaseAdapter

CALLS: dict[str, Callable[[Any], Any]] = {
    "execute": lambda tx: tx.execute(INSERT, 9, 9, "late"),
    "execute_many": lambda tx: tx.execute_many(INSERT, [(9, 9, "late")]),
    "insert_many": lambda tx: tx.insert_many("things", ["id"], [(9,)]),
    "fetch_all": lambda tx: tx.fetch_all("SELECT 1"),
    "fetch_one": lambda tx: tx.fetch_one("SELECT 1"),
    "fetch_value": lambda tx: tx.fetch_value("SELECT 1"),
    "stream": lambda tx: anext(tx.stream("SELECT 1")),
    "transaction": lambda tx: tx.transaction().__aenter__(),
}


class Undo(Exception):
    """What the tests leave a transaction by."""


class TransactionTests(DatabaseTests):
    """`transaction()`, and the handle that it gives."""

    async def test_a_transaction_is_committed_at_its_end(self, db: DatabaseAdapter) -> None:
        """With everything in it."""
        async with db.transaction() as tx:
            await tx.execute(INSERT, 1, 1, "a")
            await tx.insert_many("things", ["id"], [(2,), (3,)])
        assert await ids(db) == [1, 2, 3], "a transaction is committed at the end of its block"

    async def test_an_exception_rolls_it_back(self, db: DatabaseAdapter) -> None:
        """All of it; and the exception comes out as it is."""
        await db.execute(INSERT, 1, 1, "before")
        error = Undo()
        with pytest.raises(Undo) as raised:
            async with db.transaction() as tx:
                await tx.execute(INSERT, 2, 2, "a")
                await tx.execute("DELETE FROM things WHERE id = $1", 1)
                raise error
        assert raised.value is error, "what leaves the block comes out as it is"
        assert await ids(db) == [1], "an exception rolls a transaction back"

    async def test_leaving_the_block_by_return_commits(self, db: DatabaseAdapter) -> None:
        """As its end does."""

        async def insert() -> int:
            async with db.transaction() as tx:
                return await tx.execute(INSERT, 1, 1, "a")

        assert await insert() == 1, "a call in a transaction returns what it returns elsewhere"
        assert await ids(db) == [1], "leaving a transaction by `return` commits it"

    async def test_the_handle_sees_what_it_has_written(self, db: DatabaseAdapter) -> None:
        """Before the commit."""
        async with db.transaction() as tx:
            await tx.execute(INSERT, 1, 1, "a")
            assert await tx.fetch_value(COUNT) == 1, "a handle sees what its transaction has written"
            row = await tx.fetch_one("SELECT n, s FROM things WHERE id = $1", 1)
            assert row is not None, "a handle sees what its transaction has written"
            assert (row["n"], row[1]) == (1, "a"), "rows of a handle are read by name and index too"

    async def test_an_error_that_leaves_the_block_rolls_back(self, db: DatabaseAdapter) -> None:
        """One of the database's own."""
        with expect(ConstraintViolation, "an id that is taken, in a transaction"):
            async with db.transaction() as tx:
                await tx.execute(INSERT, 1, 1, "a")
                await tx.execute(INSERT, 1, 1, "again")
        assert await ids(db) == [], "an error of the database that leaves the block rolls back"

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    @pytest.mark.parametrize("end", ["committed", "rolled-back"])
    async def test_a_handle_is_closed_after_its_end(
        self, db: DatabaseAdapter, call: Callable[[Any], Any], end: str
    ) -> None:
        """TransactionClosed, and nothing is done."""
        block = db.transaction()
        tx = await block.__aenter__()
        await tx.execute(INSERT, 1, 1, "a")
        error = Undo() if end == "rolled-back" else None
        with suppress(Undo):
            await block.__aexit__(type(error) if error else None, error, None)
        with expect(TransactionClosed, f"a handle that is used after it was {end}"):
            await call(tx)
        assert await db.fetch_value("SELECT count(*) FROM things WHERE id = $1", 9) == 0, "nothing is done"

    async def test_the_adapter_is_not_inside_the_transaction(self, db: DatabaseAdapter) -> None:
        """A write on it is another's: done apart, or refused in time; never rolled back with the block."""
        done = False
        async with asyncio.timeout(SOON):
            with pytest.raises(Undo):
                async with db.transaction() as tx:
                    await tx.execute(INSERT, 1, 1, "inside")
                    try:
                        await db.execute(INSERT, 2, 2, "outside", timeout=1.0)
                        done = True
                    except OneiricError:
                        pass
                    raise Undo
        assert await ids(db) == ([2] if done else []), "what is called on the adapter is not inside a transaction"

    async def test_a_task_is_not_inside_its_parents_transaction(self, db: DatabaseAdapter) -> None:
        """Nothing is bound to the task, and so nothing is inherited by those that it starts."""
        async with asyncio.timeout(SOON):
            with pytest.raises(Undo):
                async with db.transaction() as tx:
                    await tx.execute(INSERT, 1, 1, "inside")
                    other = asyncio.create_task(db.execute(INSERT, 2, 2, "another's", timeout=SOON))
                    await asyncio.wait({other}, timeout=0.1)
                    raise Undo
            await other
        assert await ids(db) == [2], "a task's write is its own, whoever started it"

    async def test_transactions_side_by_side_do_not_mix(self, db: DatabaseAdapter) -> None:
        """Sixteen, of which every second is rolled back."""

        async def run(number: int) -> None:
            async with db.transaction() as tx:
                await tx.execute(INSERT, number, number, "first")
                await asyncio.sleep(0)
                await tx.execute(INSERT, number + 100, number, "second")
                if number % 2:
                    raise Undo

        async with asyncio.timeout(SOON):
            await asyncio.gather(*(run(number) for number in range(16)), return_exceptions=True)
        even = list(range(0, 16, 2))
        assert await ids(db) == even + [number + 100 for number in even], (
            "of transactions side by side each is committed or rolled back alone"
        )

    async def test_transactions_hold_nothing_after_their_end(self, db: DatabaseAdapter) -> None:
        """Fifty, one after the other."""
        async with asyncio.timeout(SOON):
            for number in range(50):
                try:
                    async with db.transaction() as tx:
                        await tx.execute(INSERT, number, 0, "x")
                        if number % 2:
                            raise Undo
                except Undo:
                    pass
        assert await db.fetch_value(COUNT) == 25, "transactions one after the other are each whole"

    async def test_a_cancelled_transaction_is_rolled_back(self, db: DatabaseAdapter) -> None:
        """At an await of the caller's own; and the adapter goes on."""
        inside = asyncio.Event()

        async def run() -> None:
            async with db.transaction() as tx:
                await tx.execute(INSERT, 1, 1, "a")
                inside.set()
                await asyncio.Event().wait()

        async with asyncio.timeout(SOON):
            task = asyncio.create_task(run())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ids(db) == [], "a transaction that is cancelled is rolled back"
            assert await db.execute(INSERT, 1, 1, "b") == 1, "the adapter goes on after a cancelled transaction"

    async def test_a_transaction_cancelled_in_a_statement_is_rolled_back(self, db: DatabaseAdapter) -> None:
        """At an await of the adapter's."""
        inside = asyncio.Event()

        async def run() -> None:
            async with db.transaction() as tx:
                await tx.execute(INSERT, 1, 1, "a")
                inside.set()
                await tx.fetch_value(self.slow_query)

        async with asyncio.timeout(SOON):
            task = asyncio.create_task(run())
            await inside.wait()
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ids(db) == [], "a transaction that is cancelled in a statement is rolled back"
            assert await db.execute(INSERT, 1, 1, "b") == 1, "the adapter goes on after a cancelled transaction"

    async def test_a_commit_that_fails_is_an_error(self, db: DatabaseAdapter) -> None:
        """Here by a foreign key that is checked at the commit; nothing is stored, and the adapter goes on."""
        if self.deferred_key is None:
            skip("the backend has no constraint that is checked at the commit")
        await db.execute(
            f"CREATE TABLE parts (id {self.integer_type} PRIMARY KEY, thing {self.integer_type} {self.deferred_key})"
        )
        with expect(ConstraintViolation, "a commit that breaks a deferred foreign key"):
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO parts (id, thing) VALUES ($1, $2)", 1, 404)
        assert await db.fetch_value("SELECT count(*) FROM parts") == 0, "a commit that fails stores nothing"
        async with db.transaction() as tx:
            await tx.execute(INSERT, 1, 1, "a")
        assert await ids(db) == [1], "the adapter goes on after a commit that failed"

    async def test_the_calls_of_one_handle_may_come_from_many_tasks(self, db: DatabaseAdapter) -> None:
        """They are done one after the other, on its one connection."""
        async with asyncio.timeout(SOON), db.transaction() as tx:
            await asyncio.gather(*(tx.execute(INSERT, number, 0, "x") for number in range(20)))
            assert await tx.fetch_value(COUNT) == 20, "calls on one handle at the same time are all done"
        assert await db.fetch_value(COUNT) == 20, "and committed"
