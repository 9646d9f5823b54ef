"""Group commit: what shares a commit, and that one's failure is its own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConnectionFailed, ConstraintViolation, DeadlineExceeded, QueryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oneiric_sqlite import SqliteAdapter


@asynccontextmanager
async def traced(db: SqliteAdapter) -> AsyncIterator[list[str]]:
    """What SQLite is told to run on the writer meanwhile."""
    statements: list[str] = []
    await db.raw.set_trace_callback(statements.append)
    yield statements
    await db.raw.set_trace_callback(None)  # type: ignore[arg-type]


async def queued(db: SqliteAdapter, waiting: Callable[[SqliteAdapter], int], number: int) -> None:
    """Wait until that many calls wait for the writer."""
    async with asyncio.timeout(10):
        while waiting(db) < number:  # noqa: ASYNC110 - what waits there has no event
            await asyncio.sleep(0)


async def together(db: SqliteAdapter, waiting: Callable[[SqliteAdapter], int], *calls: Any) -> list[Any]:
    """Run the calls while the writer is held, so that all of them wait for it; what each gave or raised."""
    async with db.transaction():
        tasks = [asyncio.ensure_future(call) for call in calls]
        await queued(db, waiting, len(tasks))
    return await asyncio.gather(*tasks, return_exceptions=True)


async def ids(db: SqliteAdapter) -> list[int]:
    return [row["id"] for row in await db.fetch_all("SELECT id FROM t ORDER BY id")]


def insert(db: SqliteAdapter, number: int) -> Any:
    return db.execute("INSERT INTO t VALUES ($1, 0)", number)


async def test_writes_that_wait_share_one_commit(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    async with traced(either) as statements:
        fetch = either.fetch_value("INSERT INTO t VALUES (100, 0) RETURNING id")
        got = await together(either, waiting, *(insert(either, number) for number in range(50)), fetch)
    assert got == [1] * 50 + [100]
    assert [s for s in statements if "INSERT" not in s] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ] * 2  # `together`'s own, and theirs


async def test_a_failing_statement_fails_only_its_own_caller(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    calls = [insert(either, 1), insert(either, 1), either.execute("INSERT INTO nowhere VALUES (1)"), insert(either, 2)]
    first, second, third, fourth = await together(either, waiting, *calls)
    assert (first, type(second), type(third), fourth) == (1, ConstraintViolation, QueryError, 1)
    assert await ids(either) == [1, 2]


async def test_a_statement_that_rolls_everything_back_fails_only_its_own_caller(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    await insert(either, 1)
    bad = either.execute("INSERT OR ROLLBACK INTO t VALUES (2, 0), (1, 0)")
    got = await together(either, waiting, insert(either, 3), bad, insert(either, 4), insert(either, 3))
    assert [type(outcome) for outcome in got] == [int, ConstraintViolation, int, ConstraintViolation]
    assert await ids(either) == [1, 3, 4]


async def test_a_trigger_that_rolls_back_fails_only_its_own_caller(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    await either.execute("CREATE TRIGGER g BEFORE INSERT ON t WHEN new.id = 13 BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
    got = await together(either, waiting, *(insert(either, number) for number in range(10, 20)))
    assert [type(outcome) for outcome in got] == [int] * 3 + [ConstraintViolation] + [int] * 6
    assert await ids(either) == [10, 11, 12, 14, 15, 16, 17, 18, 19]


async def test_a_statement_that_fails_half_way_leaves_nothing_of_itself(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    await insert(either, 1)
    half = "INSERT OR FAIL INTO t VALUES (5, 0), (1, 0), (6, 0)"
    got = await together(either, waiting, insert(either, 2), either.execute(half), insert(either, 3))
    assert [type(outcome) for outcome in got] == [int, ConstraintViolation, int]
    with pytest.raises(ConstraintViolation):
        await either.execute(half)
    assert await ids(either) == [1, 2, 3]


async def test_a_write_that_the_commit_refuses_fails_only_its_own_caller(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    await either.execute("CREATE TABLE c (t INT REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    bad = either.execute("INSERT INTO c VALUES (99)")
    got = await together(either, waiting, insert(either, 1), bad, insert(either, 2))
    assert [type(outcome) for outcome in got] == [int, ConstraintViolation, int]
    assert await ids(either) == [1, 2]
    assert await either.fetch_value("SELECT count(*) FROM c") == 0


async def test_a_full_disk_fails_only_what_does_not_fit(
    db: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    await db.execute(f"PRAGMA max_page_count = {await db.fetch_value('PRAGMA page_count') + 2}")
    big = db.execute("INSERT INTO t VALUES (2, zeroblob(100000))")
    got = await together(db, waiting, insert(db, 1), big, insert(db, 3))
    assert [type(outcome) for outcome in got] == [int, ConnectionFailed, int]
    assert await ids(db) == [1, 3]


async def test_ddl_and_other_writes_that_wait_together_keep_their_order(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    got = await together(
        either,
        waiting,
        either.execute("INSERT INTO later VALUES (1)"),
        either.execute("CREATE TABLE later (x)"),
        either.execute("INSERT INTO later VALUES (1)"),
        either.insert_many("later", ["x"], [(2,), (3,)]),
        either.execute("UPDATE later SET x = 0"),
    )
    assert [type(got[0]), *got[1:]] == [QueryError, 0, 1, 2, 3]


async def test_a_cancelled_write_that_has_not_begun_is_skipped(
    either: SqliteAdapter, waiting: Callable[[SqliteAdapter], int]
) -> None:
    async with either.transaction():
        tasks = [asyncio.ensure_future(insert(either, number)) for number in range(4)]
        await queued(either, waiting, 4)
        tasks[1].cancel()
        tasks[3].cancel()
        await asyncio.wait({tasks[1], tasks[3]})
    got = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in got] == [int, asyncio.CancelledError, int, asyncio.CancelledError]
    assert await ids(either) == [0, 2]


async def test_a_write_whose_deadline_passes_while_it_waits_is_never_done(either: SqliteAdapter) -> None:
    async with either.transaction():
        with pytest.raises(DeadlineExceeded):
            await asyncio.create_task(either.execute("INSERT INTO t VALUES (1, 0)", timeout=0.02))
    assert await ids(either) == []


async def test_a_cancelled_write_under_way_is_interrupted_and_others_in_its_group_are_done(
    either: SqliteAdapter,
    waiting: Callable[[SqliteAdapter], int],
    is_writing: Callable[[SqliteAdapter], bool],
    until: Callable[..., Any],
    endless_write: str,
) -> None:
    async with either.transaction():
        before = asyncio.ensure_future(insert(either, 1))
        slow = asyncio.ensure_future(either.execute(endless_write))
        after = asyncio.ensure_future(insert(either, 2))
        await queued(either, waiting, 3)
    await until(lambda: is_writing(either))
    slow.cancel()
    async with asyncio.timeout(10):
        assert [await before, await after] == [1, 1]
    assert (
        slow.cancelled() or (await asyncio.gather(slow, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    )
    assert await ids(either) == [1, 2]


async def test_a_write_past_its_deadline_is_interrupted_and_undone(either: SqliteAdapter, endless_write: str) -> None:
    with pytest.raises(DeadlineExceeded):
        await either.execute(endless_write, timeout=0.05)
    assert await either.execute("INSERT INTO t VALUES (1, 0)") == 1
    assert await ids(either) == [1]
