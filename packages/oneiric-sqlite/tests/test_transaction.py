from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConstraintViolation, DeadlineExceeded, QueryError, TransactionClosed
from oneiric_sqlite import SqliteAdapter

if TYPE_CHECKING:
    from collections.abc import Callable


async def count(db: SqliteAdapter) -> int:
    return int(await db.fetch_value("SELECT count(*) FROM t"))


async def test_a_block_that_ends_is_committed_and_the_handle_has_every_call(either: SqliteAdapter) -> None:
    async with either.transaction() as tx:
        assert await tx.execute("INSERT INTO t VALUES (1, 'a')") == 1
        assert await tx.execute_many("INSERT INTO t VALUES ($1, $2)", [(2, "b"), (3, "c")]) == 2
        assert await tx.insert_many("t", ["id", "v"], ((n, "d") for n in (4, 5))) == 2
        assert await tx.fetch_value("SELECT count(*) FROM t") == 5
        assert await tx.fetch_value("INSERT INTO t VALUES (6, 'e') RETURNING v") == "e"
        row = await tx.fetch_one("SELECT v FROM t WHERE id = $1", 2)
        assert row is not None
        assert row["v"] == "b"
        assert [row["id"] async for row in tx.stream("SELECT id FROM t ORDER BY id")] == [1, 2, 3, 4, 5, 6]
        assert len(await tx.fetch_all("SELECT * FROM t")) == 6
    assert await count(either) == 6


async def test_a_block_that_raises_is_rolled_back_and_the_error_goes_on(either: SqliteAdapter) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is the subject
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t(v) VALUES (1)")
            raise ZeroDivisionError
    assert await count(either) == 0


async def test_a_nested_transaction_is_rolled_back_alone(either: SqliteAdapter) -> None:
    async with either.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 0)")
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is the subject
            async with tx.transaction() as inner:
                await inner.execute("INSERT INTO t VALUES (2, 0)")
                async with inner.transaction() as innermost:
                    await innermost.execute("INSERT INTO t VALUES (3, 0)")
                raise ZeroDivisionError
        async with tx.transaction() as inner:
            await inner.execute("INSERT INTO t VALUES (4, 0)")
    assert [row["id"] for row in await either.fetch_all("SELECT id FROM t ORDER BY id")] == [1, 4]


async def test_a_statement_that_fails_leaves_the_transaction_open(either: SqliteAdapter) -> None:
    async with either.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 0)")
        with pytest.raises(ConstraintViolation):
            await tx.execute("INSERT INTO t VALUES (1, 0)")
        with pytest.raises(ConstraintViolation):
            await tx.insert_many("t", ["id"], [(2,), (1,)])
        await tx.execute("INSERT INTO t VALUES (3, 0)")
    assert [row["id"] for row in await either.fetch_all("SELECT id FROM t ORDER BY id")] == [1, 3]


@pytest.mark.parametrize(
    "use",
    [
        lambda tx: tx.execute("DELETE FROM t"),
        lambda tx: tx.execute_many("DELETE FROM t WHERE id = $1", [(1,)]),
        lambda tx: tx.fetch_all("SELECT 1"),
        lambda tx: tx.fetch_one("SELECT 1"),
        lambda tx: tx.fetch_value("SELECT 1"),
        lambda tx: tx.insert_many("t", ["id"], [(9,)]),
        lambda tx: anext(tx.stream("SELECT 1")),
        lambda tx: tx.transaction().__aenter__(),
    ],
)
async def test_a_handle_used_after_its_end_says_so(either: SqliteAdapter, use: Any) -> None:
    either.name = "orders"
    async with either.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 0)")
        async with tx.transaction() as inner:
            pass
        with pytest.raises(TransactionClosed):
            await use(inner)
    with pytest.raises(TransactionClosed) as caught:
        await use(tx)
    assert caught.value.adapter == "orders"
    assert await count(either) == 1


async def test_a_deferred_constraint_fails_the_commit_and_rolls_back(either: SqliteAdapter) -> None:
    await either.execute("CREATE TABLE c (t INT REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(ConstraintViolation):  # noqa: PT012 - the block is the subject
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 0)")
            await tx.execute("INSERT INTO c VALUES (99)")
    assert await count(either) == 0
    assert await either.execute("INSERT INTO t VALUES (2, 0)") == 1


async def test_a_transaction_that_sqlite_rolled_back_can_t_go_on_outside_of_one(either: SqliteAdapter) -> None:
    await either.execute("INSERT INTO t VALUES (1, 0)")
    with pytest.raises(TransactionClosed, match="rolled the whole transaction back"):  # noqa: PT012 - the block is the subject
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (2, 0)")
            with pytest.raises(ConstraintViolation):
                await tx.execute("INSERT OR ROLLBACK INTO t VALUES (1, 0)")
            with pytest.raises(TransactionClosed):
                await tx.execute("INSERT INTO t VALUES (3, 0)")
    assert [row["id"] for row in await either.fetch_all("SELECT id FROM t")] == [1]


async def test_a_call_past_its_deadline_inside_a_transaction_never_runs_on_outside_of_it(
    either: SqliteAdapter, endless_write: str
) -> None:
    with pytest.raises(TransactionClosed):  # noqa: PT012 - the block is the subject
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 0)")
            with pytest.raises(DeadlineExceeded):
                await tx.execute(endless_write, timeout=0.05)
            await tx.execute("INSERT INTO t VALUES (2, 0)")
    assert await count(either) == 0


async def test_a_read_past_its_deadline_leaves_the_transaction_as_it_was(either: SqliteAdapter, endless: str) -> None:
    async with either.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 0)")
        with pytest.raises(DeadlineExceeded):
            await tx.fetch_value(endless, timeout=0.05)
        await tx.execute("INSERT INTO t VALUES (2, 0)")
    assert await count(either) == 2


async def test_what_is_not_committed_is_not_seen_by_other_tasks(either: SqliteAdapter) -> None:
    inserted, seen = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 0)")
            inserted.set()
            if either.settings.path != ":memory:":  # there, a read waits for the end of the transaction
                await seen.wait()
            raise ZeroDivisionError

    writing = asyncio.create_task(write())
    await inserted.wait()
    assert await count(either) == 0
    seen.set()
    with pytest.raises(ZeroDivisionError):
        await writing


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.execute("INSERT INTO t VALUES (9, 0)"),
        lambda db: db.fetch_value("INSERT INTO t VALUES (9, 0) RETURNING id"),
        lambda db: db.fetch_value("WITH x AS (SELECT 9 AS n) INSERT INTO t(id) SELECT n FROM x RETURNING id"),
        lambda db: db.execute("CREATE TABLE x (y)"),
        lambda db: db.insert_many("t", ["id"], [(9,)]),
        lambda db: db.execute_many("INSERT INTO t(id) VALUES ($1)", [(9,)]),
        lambda db: db.transaction().__aenter__(),
    ],
)
async def test_a_write_on_the_adapter_inside_one_s_own_transaction_says_to_use_the_handle(
    either: SqliteAdapter, call: Any
) -> None:
    async with either.transaction() as tx:
        async with asyncio.timeout(5):
            with pytest.raises(QueryError, match="handle"):
                await call(either)
        await tx.execute("INSERT INTO t VALUES (1, 0)")
    assert await count(either) == 1
    assert await either.execute("DELETE FROM t") == 1


async def test_in_memory_a_read_on_the_adapter_inside_one_s_own_transaction_says_so_too(memory: SqliteAdapter) -> None:
    async with memory.transaction():
        with pytest.raises(QueryError, match="handle"):
            await memory.fetch_all("SELECT 1")
        with pytest.raises(QueryError, match="handle"):
            await anext(memory.stream("SELECT 1"))


async def test_on_a_file_a_read_on_the_adapter_goes_on_beside_one_s_own_transaction(db: SqliteAdapter) -> None:
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 0)")
        assert await count(db) == 0


async def test_a_second_nested_transaction_beside_an_open_one_is_refused(either: SqliteAdapter) -> None:
    async with either.transaction() as tx, tx.transaction() as inner:
        with pytest.raises(QueryError, match="inner handle"):
            await tx.transaction().__aenter__()
        await inner.execute("INSERT INTO t VALUES (1, 0)")
    assert await count(either) == 1


@pytest.mark.parametrize("word", ["COMMIT", "ROLLBACK", "BEGIN", "END", "SAVEPOINT x"])
async def test_a_transaction_can_t_be_ended_by_a_statement(either: SqliteAdapter, word: str) -> None:
    async with either.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (1, 0)")
        with pytest.raises(QueryError, match=r"transaction\(\)"):
            await tx.execute(word)
    assert await count(either) == 1


async def test_transactions_of_many_tasks_follow_one_another(either: SqliteAdapter) -> None:
    await either.execute("INSERT INTO t VALUES (1, 0)")

    async def increment() -> None:
        async with either.transaction() as tx:
            value = await tx.fetch_value("SELECT v FROM t WHERE id = 1")
            await tx.execute("UPDATE t SET v = $1 WHERE id = 1", value + 1)

    await asyncio.gather(*(increment() for _ in range(100)))
    assert await either.fetch_value("SELECT v FROM t WHERE id = 1") == 100


async def test_waiting_for_a_transaction_has_a_deadline_and_leaves_nothing_behind(path: str) -> None:
    async with SqliteAdapter({"path": path, "timeout": 0.5}) as db:
        entered = asyncio.Event()

        async def wait_inside() -> None:
            async with db.transaction():
                entered.set()
                await asyncio.Event().wait()

        holding = asyncio.create_task(wait_inside())
        await entered.wait()
        with pytest.raises(DeadlineExceeded):
            async with db.transaction():
                pytest.fail("the other has it")
        holding.cancel()
        await asyncio.wait({holding})
        async with db.transaction() as tx:
            assert await tx.fetch_value("SELECT 1") == 1


async def test_a_cancelled_block_is_rolled_back_and_lets_the_writer_go(
    either: SqliteAdapter, endless_write: str, is_writing: Callable[[SqliteAdapter], bool], until: Callable[..., Any]
) -> None:
    async def work() -> None:
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 0)")
            await tx.execute(endless_write)

    working = asyncio.create_task(work())
    await until(lambda: is_writing(either) and either.raw.in_transaction)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await count(either) == 0


async def test_however_often_a_block_s_end_is_cancelled_it_is_wholly_done_or_not_at_all(either: SqliteAdapter) -> None:
    async def work(number: int) -> None:
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES ($1, 0)", 2 * number)
            async with tx.transaction() as inner:
                await inner.execute("INSERT INTO t VALUES ($1, 0)", 2 * number + 1)

    for number in range(150):
        working = asyncio.create_task(work(number))
        for _ in range(number % 50):
            await asyncio.sleep(0)
        for _ in range(3):
            working.cancel()
            await asyncio.sleep(0)
        await asyncio.wait({working}, timeout=10)
        assert working.done()
    rows = {row["id"] for row in await either.fetch_all("SELECT id FROM t")}
    assert all((number ^ 1) in rows for number in rows)
    assert await either.execute("INSERT INTO t VALUES (100000, 0)") == 1


async def test_what_sqlite3_s_own_handle_left_open_is_not_taken_for_ours(db: SqliteAdapter) -> None:
    await db.raw.execute("BEGIN")
    with pytest.raises(QueryError, match="within a transaction"):
        await db.execute("INSERT INTO t VALUES (1, 0)")
    await db.raw.execute("ROLLBACK")
    assert await db.execute("INSERT INTO t VALUES (1, 0)") == 1
