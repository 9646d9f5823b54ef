"""Transactions: isolation, modes, running them again."""

# ruff: noqa: PT012 - an error has to leave the block of a transaction

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConstraintViolation, DeadlineExceeded, QueryError, TransactionClosed

if TYPE_CHECKING:
    from oneiric_postgres import PostgresAdapter, PostgresTransaction

ENDLESS = "SELECT pg_sleep(600)"


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
async def test_a_transaction_has_its_isolation(db: PostgresAdapter, isolation: Any) -> None:
    async with db.transaction(isolation=isolation) as tx:
        assert await tx.fetch_value("SELECT current_setting('transaction_isolation')") == isolation
    assert await db.fetch_value("SELECT current_setting('transaction_isolation')") == "read committed"


async def test_a_read_only_transaction_refuses_writes(db: PostgresAdapter) -> None:
    with pytest.raises(QueryError, match="25006"):
        async with db.transaction(read_only=True) as tx:
            await tx.execute("INSERT INTO t VALUES (1, 'a')")
    async with db.transaction(isolation="serializable", read_only=True, deferrable=True) as tx:
        assert await tx.fetch_value("SELECT current_setting('transaction_deferrable')") == "on"


@pytest.mark.parametrize(
    "options", [{"isolation": "chaos"}, {"isolation": "serializable; DROP TABLE t"}, {"deferrable": True}]
)
async def test_options_that_can_not_be_are_refused(db: PostgresAdapter, options: Any) -> None:
    with pytest.raises(QueryError):
        await db.transaction(**options).__aenter__()
    assert await db.execute("INSERT INTO t VALUES (1, 'a')") == 1


async def test_a_transaction_whose_error_was_swallowed_says_that_it_was_not_committed(db: PostgresAdapter) -> None:
    with pytest.raises(TransactionClosed, match="rolled the transaction back"):
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 'a')")
            with pytest.raises(ConstraintViolation):
                await tx.execute("INSERT INTO t VALUES (1, 'b')")
            with pytest.raises(TransactionClosed, match="only be rolled back"):
                await tx.fetch_value("SELECT 1")
    assert await db.fetch_value("SELECT count(*) FROM t") == 0


async def test_a_deadline_in_a_nested_transaction_leaves_the_outer_one_usable(db: PostgresAdapter) -> None:
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 'a')")
        with pytest.raises(DeadlineExceeded):
            async with tx.transaction() as inner:
                await inner.execute("INSERT INTO t VALUES (2, 'b')")
                await inner.fetch_value(ENDLESS, timeout=0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), tx.transaction() as inner:
                await inner.execute("INSERT INTO t VALUES (3, 'c')")
                await inner.fetch_value(ENDLESS)
        await tx.execute("INSERT INTO t VALUES (4, 'd')")
    assert [row[0] for row in await db.fetch_all("SELECT id FROM t ORDER BY id")] == [1, 4]


async def test_a_rollback_is_over_when_the_block_is_left(db: PostgresAdapter) -> None:
    """Nobody has to wait for its locks afterwards."""
    await db.execute("INSERT INTO t VALUES (1, 'a')")
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as tx:
                await tx.execute("UPDATE t SET v = 'b'")
                raise ZeroDivisionError
        assert await db.fetch_all("SELECT * FROM t FOR UPDATE NOWAIT")


async def test_transactions_that_can_not_be_kept_apart_are_run_again(db: PostgresAdapter) -> None:
    """Sixteen tasks add to one number, each twice read and written."""
    await db.execute("INSERT INTO t VALUES (1, '0')")
    runs = 0

    async def add(tx: PostgresTransaction) -> int:
        nonlocal runs
        runs += 1
        value = int(await tx.fetch_value("SELECT v FROM t WHERE id = 1"))
        await asyncio.sleep(0)
        await tx.execute("UPDATE t SET v = $1 WHERE id = 1", str(value + 1))
        return value

    values = await asyncio.gather(*(db.run_transaction(add, retries=100, timeout=30) for _ in range(16)))
    assert sorted(values) == list(range(16)), "each has seen what those before it have done"
    assert await db.fetch_value("SELECT v FROM t") == "16"
    assert runs > 16, "or nothing was run again"


async def test_without_retries_it_is_an_error_that_passes(db: PostgresAdapter) -> None:
    await db.execute("INSERT INTO t VALUES (1, '0')")

    async def clash(tx: PostgresTransaction) -> None:
        await tx.fetch_value("SELECT v FROM t")
        await db.execute("UPDATE t SET v = v || 'x'")
        await tx.execute("UPDATE t SET v = v || 'y'")

    with pytest.raises(TransactionClosed, match="40001") as raised:
        await db.run_transaction(clash, retries=0)
    assert raised.value.transient
    assert raised.value.adapter == db.name


async def test_deadlocks_are_run_again(db: PostgresAdapter) -> None:
    await db.insert_many("t", ["id", "v"], [(1, ""), (2, "")])
    met = asyncio.Barrier(2)
    attempts = 0

    async def both(tx: PostgresTransaction, first: int, second: int) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute("UPDATE t SET v = v || 'x' WHERE id = $1", first)
        if attempts <= 2:
            await met.wait()
        await tx.execute("UPDATE t SET v = v || 'x' WHERE id = $1", second)

    await asyncio.gather(
        db.run_transaction(lambda tx: both(tx, 1, 2), isolation="read committed"),
        db.run_transaction(lambda tx: both(tx, 2, 1), isolation="read committed"),
    )
    assert [row[0] for row in await db.fetch_all("SELECT v FROM t")] == ["xx", "xx"]
    assert attempts == 3


async def test_an_error_of_the_work_is_not_run_again(db: PostgresAdapter) -> None:
    runs = 0

    async def wrong(tx: PostgresTransaction) -> None:
        nonlocal runs
        runs += 1
        await tx.execute("INSERT INTO t VALUES (1, 'a')")
        raise LookupError("of its own")

    with pytest.raises(LookupError, match="of its own"):
        await db.run_transaction(wrong)
    assert (runs, await db.fetch_value("SELECT count(*) FROM t")) == (1, 0)


async def test_a_transaction_that_is_run_again_has_a_deadline(db: PostgresAdapter) -> None:
    with pytest.raises(DeadlineExceeded):
        await db.run_transaction(lambda tx: tx.fetch_value(ENDLESS), timeout=0.2)
    assert await db.fetch_value("SELECT 1") == 1
