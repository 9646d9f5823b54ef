from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from oneiric.errors import QueryError
from oneiric_sqlite import SqliteAdapter

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_rows_are_read_by_name_and_by_index(either: SqliteAdapter) -> None:
    await either.execute("INSERT INTO t VALUES ($1, $2)", 1, "a")
    row = await either.fetch_one("SELECT id, v FROM t WHERE id = $1", 1)
    assert row is not None
    assert (row["id"], row["v"], row[0], row[-1], row[0:2], len(row)) == (1, "a", 1, "a", (1, "a"), 2)
    assert (list(row), list(row.keys())) == ([1, "a"], ["id", "v"])


async def test_execute_counts_the_rows_that_it_changed(either: SqliteAdapter) -> None:
    counts = [
        await either.execute("INSERT INTO t(v) VALUES (1), (2), (3)"),
        await either.execute("-- all\nUPDATE t SET v = 0"),
        await either.execute("WITH x AS (SELECT 9 AS y) INSERT INTO t(v) SELECT y FROM x"),
        await either.execute("WITH x AS (SELECT 1) SELECT * FROM x"),
        await either.execute("UPDATE t SET v = 1 RETURNING id"),
        await either.execute("SELECT * FROM t"),
        await either.execute("CREATE TABLE other (x)"),
        await either.execute("DELETE FROM t"),
        await either.execute("DELETE FROM t"),
    ]
    assert counts == [3, 3, 1, 0, 4, 0, 0, 4, 0]


async def test_nothing_found_is_an_empty_list_or_none(either: SqliteAdapter) -> None:
    assert await either.fetch_all("SELECT * FROM t") == []
    assert await either.fetch_one("SELECT * FROM t") is None
    assert await either.fetch_value("SELECT v FROM t") is None


@pytest.mark.parametrize("value", [None, 0, -1, 2**63 - 1, -(2**63), 0.5, "", "é😀", b"", b"\0\xff", True])
async def test_a_value_comes_back_as_it_was(either: SqliteAdapter, value: object) -> None:
    await either.execute("INSERT INTO t(v) VALUES ($1)", value)
    assert await either.fetch_value("SELECT v FROM t") == value


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t(v) VALUES ($1) RETURNING v",
        "/* x */ -- y\n INSERT INTO t(v) VALUES ($1) RETURNING v",
        "WITH x AS (SELECT $1 AS v) INSERT INTO t(v) SELECT v FROM x RETURNING v",
        "REPLACE INTO t(v) VALUES ($1) RETURNING v",
    ],
)
async def test_a_fetch_that_writes_is_committed_and_gives_its_rows(either: SqliteAdapter, sql: str) -> None:
    assert [tuple(row) for row in await either.fetch_all(sql, 1)] == [(1,)]
    assert await either.fetch_value(sql, 2) == 2
    one = await either.fetch_one(sql, 3)
    assert one is not None
    assert one["v"] == 3
    assert [row["v"] async for row in either.stream(sql, 4)] == [4]
    assert [row["v"] for row in await either.fetch_all("SELECT v FROM t ORDER BY id")] == [1, 2, 3, 4]


async def test_a_fetch_one_that_returns_many_rows_makes_all_its_changes(either: SqliteAdapter) -> None:
    await either.fetch_one("INSERT INTO t(v) VALUES (1), (2), (3) RETURNING v")
    assert await either.fetch_value("SELECT count(*) FROM t") == 3


async def test_pragmas_and_ddl_run_through_any_call(either: SqliteAdapter) -> None:
    assert await either.fetch_value("PRAGMA foreign_keys") == 1
    await either.execute("PRAGMA user_version = 7")
    assert await either.fetch_value("PRAGMA user_version") == 7
    await either.fetch_all("CREATE TABLE other (x)")
    assert await either.fetch_value("SELECT count(*) FROM other") == 0
    await either.execute("VACUUM")


async def test_the_file_is_in_wal_mode_and_synchronous_is_as_it_was_set(path: str) -> None:
    for name, number in (("full", 2), ("normal", 1)):
        async with SqliteAdapter({"path": path, "synchronous": name}) as db:
            assert await db.fetch_value("PRAGMA journal_mode") == "wal"
            assert await db.fetch_value("PRAGMA synchronous") == number


async def test_a_read_sees_every_write_that_has_returned(db: SqliteAdapter) -> None:
    async def write_and_read(number: int) -> None:
        await db.execute("INSERT INTO t VALUES ($1, $2)", number, "x")
        assert await db.fetch_value("SELECT v FROM t WHERE id = $1", number) == "x"

    await asyncio.gather(*(write_and_read(number) for number in range(200)))


async def test_a_hundred_tasks_share_an_adapter(either: SqliteAdapter) -> None:
    async def work(number: int) -> int:
        await either.execute("INSERT INTO t VALUES ($1, $2)", number, 0)
        await either.execute("UPDATE t SET v = v + $2 WHERE id = $1", number, number)
        async with either.transaction() as tx:
            await tx.execute("UPDATE t SET v = v * 2 WHERE id = $1", number)
        rows = await either.fetch_all("SELECT v FROM t WHERE id = $1", number)
        return int(rows[0]["v"])

    assert await asyncio.gather(*(work(number) for number in range(100))) == [2 * number for number in range(100)]


async def test_a_slow_read_does_not_keep_quick_ones_waiting(
    db: SqliteAdapter, endless: str, until: Callable[..., object]
) -> None:
    slow = asyncio.create_task(db.fetch_all(endless))
    assert await asyncio.gather(*(db.fetch_value("SELECT $1", n) for n in range(50))) == list(range(50))
    assert not slow.done()
    slow.cancel()


async def test_quick_reads_before_a_slow_one_on_the_only_reader_are_handed_out_at_once(path: str, endless: str) -> None:
    async with SqliteAdapter({"path": path, "readers": 1}) as db:
        quick = [asyncio.create_task(db.fetch_value("SELECT $1", n)) for n in range(5)]
        slow = asyncio.create_task(db.fetch_all(endless))
        async with asyncio.timeout(10):
            assert await asyncio.gather(*quick) == list(range(5))
        assert not slow.done()
        slow.cancel()


async def test_all_readers_read_at_once_where_reads_are_slow(
    db: SqliteAdapter, endless: str, until: Callable[..., object]
) -> None:
    slow = [asyncio.create_task(db.fetch_all(endless)) for _ in range(2)]
    assert db._engine is not None
    assert db._engine.readers is not None
    connections = db._engine.readers.connections
    await until(lambda: all(connection.current for connection in connections))  # type: ignore[misc]
    for task in slow:
        task.cancel()
    assert await db.fetch_value("SELECT 1") == 1


async def test_the_statement_must_be_one(either: SqliteAdapter) -> None:
    with pytest.raises(QueryError, match="one statement"):
        await either.execute("DELETE FROM t; DELETE FROM t")
    with pytest.raises(QueryError):
        await either.fetch_all("SELECT 1; SELECT 2")
