"""Calls that are cancelled at each of their awaits: done wholly or not at all, and the next one works."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.testing.cancelling import each_cancelled
from oneiric.testing.database.things import ALL, COUNT, INSERT, SOON, DatabaseTests

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric.adapters.database.base import DatabaseAdapter

ROWS = [(1, 1, "a"), (2, 2, "b")]


async def _transaction(db: DatabaseAdapter) -> None:
    async with db.transaction() as tx:
        for row in ROWS:
            await tx.execute(INSERT, *row)


async def _stream(db: DatabaseAdapter) -> None:
    async with aclosing(db.stream(ALL, batch_size=1)) as rows:
        async for _ in rows:
            pass


CALLS: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
    "execute": lambda db: db.execute("INSERT INTO things (id) VALUES ($1), ($2)", 1, 2),
    "execute_many": lambda db: db.execute_many(INSERT, ROWS),
    "insert_many": lambda db: db.insert_many("things", ["id", "n", "s"], ROWS),
    "fetch_all": lambda db: db.fetch_all(ALL),
    "fetch_one": lambda db: db.fetch_one(ALL),
    "stream": _stream,
    "transaction": _transaction,
}


class CancelledCallTests(DatabaseTests):
    """Cancellation at the adapter's own awaits."""

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    async def test_a_call_that_is_cancelled_anywhere_is_done_wholly_or_not_at_all(
        self, db: DatabaseAdapter, call: Callable[[Any], Coroutine[Any, Any, Any]]
    ) -> None:
        """It ends as cancelled, holds nothing that others wait for, and leaves no transaction open."""
        async for done in each_cancelled(lambda: call(db), "A call"):
            try:
                async with asyncio.timeout(SOON):
                    stored = await db.fetch_value(COUNT)
                    async with db.transaction() as tx:
                        await tx.execute("DELETE FROM things")
                        await tx.execute(INSERT, 3, 3, "c")
                    left = await db.execute("DELETE FROM things")
            except TimeoutError:
                pytest.fail(f"{done}, and the next calls do not end within {SOON:.0f} s.")
            assert stored in (0, len(ROWS)), f"{done}, and of its {len(ROWS)} rows {stored} are stored."
            assert left == 1, f"{done}, and the transaction after it stored {left} rows, not 1."
