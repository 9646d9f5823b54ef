"""Transactions inside transactions: savepoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.database.base import SAVEPOINTS
from oneiric.errors import ConstraintViolation, TransactionClosed
from oneiric.testing.database.things import COUNT, INSERT, SOON, DatabaseTests, ids
from oneiric.testing.database.transactions import CALLS, Undo
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from oneiric.adapters.database.base import DatabaseAdapter, Transaction


class NestedTransactionTests(DatabaseTests):
    """Transactions inside transactions: savepoints."""

    @pytest.fixture
    def nesting(self, db: DatabaseAdapter, capabilities: Set[str]) -> DatabaseAdapter:
        """The adapter, where it has savepoints."""
        if SAVEPOINTS not in capabilities:
            skip(f"the adapter doesn't declare {SAVEPOINTS!r}")
        return db

    async def test_a_nested_transaction_is_rolled_back_alone(self, nesting: DatabaseAdapter) -> None:
        """What is around it goes on, before and after."""
        async with nesting.transaction() as tx:
            await tx.execute(INSERT, 1, 1, "before")
            with pytest.raises(Undo):
                async with tx.transaction() as inner:
                    await inner.execute(INSERT, 2, 2, "undone")
                    await inner.execute("DELETE FROM things WHERE id = $1", 1)
                    raise Undo
            await tx.execute(INSERT, 3, 3, "after")
        assert await ids(nesting) == [1, 3], "a nested transaction is rolled back alone"

    async def test_a_nested_transaction_is_kept_with_the_outer_one(self, nesting: DatabaseAdapter) -> None:
        """When both end well."""
        async with nesting.transaction() as tx:
            async with tx.transaction() as inner:
                await inner.execute(INSERT, 1, 1, "a")
            assert await tx.fetch_value(COUNT) == 1, "the outer transaction sees what a nested one has written"
        assert await ids(nesting) == [1], "a nested transaction that ends well is committed with the outer one"

    async def test_a_nested_transaction_goes_with_the_outer_one(self, nesting: DatabaseAdapter) -> None:
        """When that is rolled back, though the nested one had ended well."""
        with pytest.raises(Undo):
            async with nesting.transaction() as tx:
                async with tx.transaction() as inner:
                    await inner.execute(INSERT, 1, 1, "a")
                raise Undo
        assert await ids(nesting) == [], "a nested transaction is undone with the outer one"

    async def test_an_error_in_a_nested_transaction_leaves_the_outer_one_usable(self, nesting: DatabaseAdapter) -> None:
        """On every backend: it is the way to try something that may fail."""
        async with nesting.transaction() as tx:
            await tx.execute(INSERT, 1, 1, "a")
            for _ in range(3):
                with expect(ConstraintViolation, "an id that is taken, in a nested transaction"):
                    async with tx.transaction() as inner:
                        await inner.execute(INSERT, 2, 2, "undone")
                        await inner.execute(INSERT, 1, 1, "again")
            await tx.execute(INSERT, 3, 3, "b")
        assert await ids(nesting) == [1, 3], "an error in a nested transaction leaves the outer one usable"

    async def test_rows_that_fail_in_a_nested_transaction_leave_the_outer_one_usable(
        self, nesting: DatabaseAdapter
    ) -> None:
        """`insert_many` and `execute_many` are all or none inside a transaction too."""
        async with nesting.transaction() as tx:
            await tx.execute(INSERT, 5, 5, "a")
            for method in (lambda inner, rows: inner.execute_many(INSERT, rows), self._insert_many):
                with expect(ConstraintViolation, "rows of which one has a key that is taken"):
                    async with tx.transaction() as inner:
                        await method(inner, [(number, 0, "x") for number in range(10)])
        assert await ids(nesting) == [5], "rows that fail in a nested transaction are all undone"

    async def test_nested_transactions_five_deep(self, nesting: DatabaseAdapter) -> None:
        """The third is rolled back, and with it those inside it."""

        async def go(tx: Transaction, depth: int) -> None:
            await tx.execute(INSERT, depth, 0, "x")
            if depth < 5:
                try:
                    async with tx.transaction() as inner:
                        await go(inner, depth + 1)
                except Undo:
                    if depth != 2:
                        raise
            if depth == 4:
                raise Undo

        async with nesting.transaction() as tx:
            await go(tx, 1)
        assert await ids(nesting) == [1, 2], "a nested transaction that is rolled back takes those inside it along"

    async def test_nested_transactions_one_after_another(self, nesting: DatabaseAdapter) -> None:
        """Every second is rolled back."""
        async with nesting.transaction() as tx:
            for number in range(20):
                try:
                    async with tx.transaction() as inner:
                        await inner.execute(INSERT, number, 0, "x")
                        if number % 2:
                            raise Undo
                except Undo:
                    pass
        assert await ids(nesting) == list(range(0, 20, 2)), "each nested transaction is kept or undone by itself"

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    async def test_a_nested_handle_is_closed_after_its_end(
        self, nesting: DatabaseAdapter, call: Callable[[Any], Any]
    ) -> None:
        """TransactionClosed, though the outer one is open."""
        async with nesting.transaction() as tx:
            async with tx.transaction() as inner:
                await inner.execute(INSERT, 1, 1, "a")
            with expect(TransactionClosed, "a nested handle that is used after its end"):
                await call(inner)
            await tx.execute(INSERT, 2, 2, "b")
        assert await ids(nesting) == [1, 2], "the outer transaction goes on"

    async def test_a_nested_handle_is_closed_with_the_outer_one(self, nesting: DatabaseAdapter) -> None:
        """Whichever way its own block was left."""
        async with nesting.transaction() as tx:
            nested = tx.transaction()
        with expect(TransactionClosed, "a nested transaction begun after the outer one's end"):
            await nested.__aenter__()

    async def test_a_cancelled_nested_transaction_undoes_all(self, nesting: DatabaseAdapter) -> None:
        """The cancellation goes on to the outermost block."""
        inside = asyncio.Event()

        async def run() -> None:
            async with nesting.transaction() as tx:
                await tx.execute(INSERT, 1, 1, "a")
                async with tx.transaction() as inner:
                    await inner.execute(INSERT, 2, 2, "b")
                    inside.set()
                    await asyncio.Event().wait()

        async with asyncio.timeout(SOON):
            task = asyncio.create_task(run())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ids(nesting) == [], "a cancelled transaction is rolled back, from the inside to the outside"

    async def _insert_many(self, tx: Transaction, rows: list[tuple[Any, ...]]) -> int:
        return await tx.insert_many("things", ["id", "n", "s"], rows)
