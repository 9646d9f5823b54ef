from __future__ import annotations

import asyncio
from itertools import count as counting
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConstraintViolation, DeadlineExceeded, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oneiric_sqlite import SqliteAdapter


async def rows(db: SqliteAdapter) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await db.fetch_all("SELECT id, v FROM t ORDER BY id")]


def broken(good: int, error: BaseException) -> Iterator[tuple[int, str]]:
    for number in range(good):
        yield number, "x"
    raise error


@pytest.mark.parametrize(
    "shape",
    [list, tuple, iter, dict.fromkeys, lambda rows: (list(row) for row in rows)],
    ids=["list", "tuple", "iterator", "dict", "generator"],
)
@pytest.mark.parametrize("call", ["insert_many", "execute_many"])
async def test_any_iterable_of_rows_is_taken(memory: SqliteAdapter, shape: Any, call: str) -> None:
    source = shape([(1, "a"), (2, "b")])
    if call == "insert_many":
        assert await memory.insert_many("t", ["id", "v"], source) == 2
    else:
        assert await memory.execute_many("INSERT INTO t(v, id) VALUES ($2, $1)", source) == 2
    assert await rows(memory) == [(1, "a"), (2, "b")]


async def test_no_rows_are_none_inserted(either: SqliteAdapter) -> None:
    assert await either.insert_many("t", ["id"], []) == 0
    assert await either.execute_many("INSERT INTO t(id) VALUES ($1)", iter(())) == 0


@pytest.mark.parametrize("shape", [list, iter])
async def test_one_bad_row_means_that_none_is_inserted(either: SqliteAdapter, shape: Any) -> None:
    for bad, kind in (
        ((1, "again"), ConstraintViolation),
        ((5,), QueryError),
        ((5, 6, 7), QueryError),
        ((5, {1}), QueryError),
    ):
        for call in (
            either.insert_many("t", ["id", "v"], shape([(1, "a"), (2, "b"), bad])),
            either.execute_many("INSERT INTO t(id, v) VALUES ($1, $2)", shape([(1, "a"), bad])),
            either.execute_many("INSERT INTO t(v, id) VALUES ($2, $1)", shape([(1, "a"), bad])),
        ):
            with pytest.raises(kind):
                await call
    assert await rows(either) == []


@pytest.mark.parametrize(
    "error", [ValueError("mine"), StopAsyncIteration(), KeyError("x"), asyncio.CancelledError(), QueryError("mine")]
)
async def test_an_iterable_that_raises_leaves_nothing_and_its_error_is_the_caller_s(
    either: SqliteAdapter, error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught:
        await either.insert_many("t", ["id", "v"], broken(1000, error))
    assert caught.value is error
    async with either.transaction() as tx:
        await tx.execute("INSERT INTO t VALUES (5000, 'kept')")
        with pytest.raises(type(error)):
            await tx.insert_many("t", ["id", "v"], broken(1000, error))
    assert await rows(either) == [(5000, "kept")]


@pytest.mark.parametrize("given", [None, 5, [5], [None], [(1, 2), 5]])
async def test_rows_that_are_none_are_a_query_error(either: SqliteAdapter, given: Any) -> None:
    with pytest.raises(QueryError):
        await either.insert_many("t", ["id", "v"], given)
    assert await rows(either) == []


async def test_names_of_tables_and_columns_are_quoted(either: SqliteAdapter) -> None:
    await either.execute('CREATE TABLE "a ""b"" c" ("select" INT, "x""); DROP TABLE t; --" TEXT)')
    assert await either.insert_many('a "b" c', ["select", 'x"); DROP TABLE t; --'], [(1, "y")]) == 1
    assert await either.insert_many("main.t", ["id"], [(1,)]) == 1
    assert await either.fetch_value("SELECT count(*) FROM t") == 1
    with pytest.raises(QueryError):
        await either.insert_many("t", ["id", "nothing"], [(1, 2)])
    with pytest.raises(QueryError):
        await either.insert_many("t\0", ["id"], [(1,)])


async def test_execute_many_counts_updates_and_what_is_behind_a_with(either: SqliteAdapter) -> None:
    await either.insert_many("t", ["id", "v"], [(n, 0) for n in range(10)])
    assert await either.execute_many("UPDATE t SET v = 1 WHERE id >= $1", [(5,), (8,), (99,)]) == 7
    assert (
        await either.execute_many("WITH x AS (SELECT $1 AS n) DELETE FROM t WHERE id = (SELECT n FROM x)", [(1,), (2,)])
        == 2
    )
    with pytest.raises(QueryError):
        await either.execute_many("SELECT $1", [(1,)])


async def test_an_endless_iterable_ends_at_the_deadline_and_leaves_nothing(either: SqliteAdapter) -> None:
    with pytest.raises(DeadlineExceeded):
        await either.insert_many("t", ["id", "v"], ((n, 0) for n in counting()), timeout=0.05)
    assert await rows(either) == []
    assert await either.insert_many("t", ["id"], [(1,)]) == 1


async def test_a_cancelled_insert_many_leaves_nothing(
    either: SqliteAdapter, is_writing: Callable[[SqliteAdapter], bool], until: Callable[..., Any]
) -> None:
    inserting = asyncio.create_task(either.insert_many("t", ["id", "v"], ((n, 0) for n in counting())))
    await until(lambda: is_writing(either))
    inserting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await inserting
    assert await rows(either) == []


async def test_inserting_does_not_block_the_event_loop(db: SqliteAdapter) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await db.insert_many("t", ["id", "v"], ((n, "x" * 100) for n in range(50_000)))
    ticking.cancel()
    assert ticks > 10


@pytest.mark.parametrize("make", [list, tuple, iter])
@pytest.mark.parametrize("row", ["xy", b"xy"])
async def test_a_string_is_no_row(either: SqliteAdapter, make: Any, row: Any) -> None:
    either.name = "orders"
    for call in (
        lambda: either.insert_many("t", ["id", "v"], make([row])),
        lambda: either.execute_many("INSERT INTO t(v, id) VALUES ($2, $1)", make([row])),
    ):
        with pytest.raises(QueryError, match="A row is a sequence of values") as caught:
            await call()
        assert caught.value.adapter == "orders"
    assert await either.fetch_value("SELECT count(*) FROM t") == 0
