from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import DeadlineExceeded, NotInitialized, OneiricError, QueryError
from oneiric_sqlite import SqliteAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = "SELECT id FROM t ORDER BY id"


async def fill(db: SqliteAdapter, number: int = 2500) -> None:
    await db.insert_many("t", ["id", "v"], [(n, "x") for n in range(number)])


def streams(db: SqliteAdapter) -> int:
    return len(db._engine._streams) if db._engine else 0


@pytest.mark.parametrize("batch_size", [1, 7, 2500, 10_000])
async def test_a_stream_gives_every_row_in_order(either: SqliteAdapter, batch_size: int) -> None:
    await fill(either)
    ids = [row["id"] async for row in either.stream(ALL, batch_size=batch_size)]
    assert ids == list(range(2500))
    assert [row[0] async for row in either.stream("SELECT id FROM t WHERE id = $1 OR id = $1", 5)] == [5]
    assert [row async for row in either.stream("SELECT id FROM t WHERE 0")] == []
    assert streams(either) == 0


async def test_a_stream_sees_the_database_as_it_was_at_its_first_row(either: SqliteAdapter) -> None:
    await fill(either)
    seen = 0
    async with aclosing(either.stream(ALL, batch_size=10)) as rows:
        async for _ in rows:
            if seen == 0:
                await either.execute("DELETE FROM t WHERE id > 1000")
                await either.execute("INSERT INTO t VALUES (100000, 'new')")
            seen += 1
    assert seen == 2500


async def test_streams_take_no_reader_from_the_others(db: SqliteAdapter) -> None:
    await fill(db)
    open_streams = [db.stream(ALL, batch_size=5) for _ in range(6)]
    assert [(await anext(rows))["id"] for rows in open_streams] == [0] * 6
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(db.fetch_value("SELECT $1", n) for n in range(20))) == list(range(20))
        assert await db.execute("INSERT INTO t VALUES (100000, 'x')") == 1
    for rows in open_streams:
        await rows.aclose()
    assert streams(db) == 0


async def test_a_stream_that_is_left_early_is_closed_once_nobody_holds_it(
    db: SqliteAdapter, until: Callable[..., Any]
) -> None:
    await fill(db)
    rows = db.stream(ALL, batch_size=5)
    await anext(rows)
    assert streams(db) == 1
    del rows
    gc.collect()
    await until(lambda: streams(db) == 0)


async def test_a_cancelled_stream_is_closed(db: SqliteAdapter, endless: str, until: Callable[..., Any]) -> None:
    async def read() -> None:
        async for _ in db.stream(endless):
            pytest.fail("it never has a row")

    reading = asyncio.create_task(read())
    await until(lambda: streams(db) == 1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert streams(db) == 0


async def test_a_batch_has_a_deadline(either: SqliteAdapter, endless: str) -> None:
    with pytest.raises(DeadlineExceeded):
        await anext(either.stream(endless, timeout=0.05))
    assert streams(either) == 0
    assert await either.fetch_value("SELECT 1") == 1


async def test_a_stream_inside_a_transaction_sees_its_writes_and_no_later_ones(either: SqliteAdapter) -> None:
    async with either.transaction() as tx:
        await tx.insert_many("t", ["id"], [(n,) for n in range(100)])
        seen = 0
        async for _ in tx.stream(ALL, batch_size=10):
            await tx.execute("DELETE FROM t")
            seen += 1
    assert seen == 100


@pytest.mark.parametrize(
    ("sql", "values", "batch_size"),
    [
        ("SELEC", (), 10),
        ("SELECT $1", (), 10),
        ("SELECT * FROM nothing", (), 10),
        ("SELECT 1", (), 0),
        ("BEGIN", (), 1),
    ],
)
async def test_a_wrong_stream_is_a_query_error(
    either: SqliteAdapter, sql: str, values: tuple[Any, ...], batch_size: int
) -> None:
    with pytest.raises(QueryError):
        await anext(either.stream(sql, *values, batch_size=batch_size))
    assert streams(either) == 0


async def test_cleanup_closes_open_streams(path: str) -> None:
    async with SqliteAdapter({"path": path}) as db:
        await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        await fill(db)
        rows = db.stream(ALL, batch_size=5)
        await anext(rows)
    with pytest.raises(OneiricError):
        async for _ in rows:
            pass
    with pytest.raises(NotInitialized):
        await anext(db.stream(ALL))
