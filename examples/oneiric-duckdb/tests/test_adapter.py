"""What is DuckDB's own, beyond the contract."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from oneiric.errors import (
    ConfigError,
    ConnectionFailed,
    ConstraintViolation,
    QueryError,
    TransactionClosed,
    Unsupported,
)

from oneiric_duckdb import DuckdbAdapter, DuckdbSettings
from oneiric_duckdb.connection import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[DuckdbAdapter]:
    async with DuckdbAdapter({"path": str(tmp_path / "test.duckdb"), "timeout": 20}) as adapter:
        await adapter.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, v VARCHAR)")
        yield adapter


async def count(db: DuckdbAdapter) -> int:
    found: int = await db.fetch_value("SELECT count(*) FROM t")
    return found


async def test_a_transaction_whose_failure_was_caught_is_not_taken_for_committed(db: DuckdbAdapter) -> None:
    with pytest.raises(TransactionClosed, match="was rolled back, as a statement in it had failed"):
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 'a')")
            with pytest.raises(ConstraintViolation):
                await tx.execute("INSERT INTO t VALUES (1, 'again')")
            with pytest.raises(TransactionClosed):
                await tx.execute("INSERT INTO t VALUES (2, 'b')")
    assert await count(db) == 0


async def test_rows_that_raise_in_a_transaction_end_it(db: DuckdbAdapter) -> None:
    with pytest.raises(TransactionClosed):
        async with db.transaction() as tx:
            with pytest.raises(ZeroDivisionError):
                await tx.insert_many("t", ["id"], ((number + 0 // (number - 1500),) for number in range(2000)))
    assert await count(db) == 0


async def test_what_the_rows_raise_keeps_its_cause(db: DuckdbAdapter) -> None:
    cause = KeyError("k")
    error = ValueError("v")
    error.__cause__ = cause

    class Rows:
        def __iter__(self) -> Rows:
            return self

        def __next__(self) -> tuple[int]:
            raise error

    with pytest.raises(ValueError, match="v") as raised:
        await db.insert_many("t", ["id"], Rows())
    assert raised.value is error
    assert raised.value.__cause__ is cause


async def test_savepoints_are_said_to_be_missing_before_anything_is_done(db: DuckdbAdapter) -> None:
    async with db.transaction() as tx:
        with pytest.raises(Unsupported, match="no savepoints"):
            async with tx.transaction():
                pass
        await tx.execute("INSERT INTO t VALUES (1, 'a')")
    assert await count(db) == 1


async def test_a_write_on_the_adapter_inside_its_own_transaction_is_refused_at_once(db: DuckdbAdapter) -> None:
    async with db.transaction() as tx:
        with pytest.raises(QueryError, match="inside its own transaction"):
            await db.execute("INSERT INTO t VALUES (1, 'a')")
        assert await count(db) == 0
        await tx.execute("INSERT INTO t VALUES (1, 'a')")
    assert await db.execute("INSERT INTO t VALUES (2, 'b')") == 1


async def test_a_column_of_several_types_is_inserted_value_by_value(db: DuckdbAdapter) -> None:
    await db.execute("CREATE TABLE wide (n BIGINT, d DOUBLE)")
    largest = 2**63 - 1
    assert await db.insert_many("wide", ["n", "d"], [(largest, 1), (None, 0.5), (1.0, None)]) == 3
    assert [tuple(row) for row in await db.fetch_all("SELECT n, d FROM wide")] == [
        (largest, 1.0),
        (None, 0.5),
        (1, None),
    ]


@pytest.mark.parametrize("row", [(2**64,), ("\ud800",), (object(),), (1, 2), 7])
async def test_a_batch_with_a_row_that_can_not_be_is_refused_whole(db: DuckdbAdapter, row: object) -> None:
    with pytest.raises(QueryError):
        await db.insert_many("t", ["id"], [(1,), row])  # type: ignore[list-item]
    assert await count(db) == 0


async def test_rows_are_counted_whatever_returning_calls_them(db: DuckdbAdapter) -> None:
    assert await db.execute("""INSERT INTO t VALUES (7, 'a') RETURNING id AS "Count" """) == 1
    assert await db.execute("INSERT INTO t SELECT range + 10, 'returning' FROM range(5) -- returning") == 5
    assert await db.execute("""WITH r AS (SELECT 1) UPDATE t SET v = 'x' WHERE id > 8""") == 5
    assert await db.execute("EXPLAIN SELECT 1") == 0


async def test_a_placeholder_that_is_left_out_still_takes_its_value(db: DuckdbAdapter) -> None:
    assert await db.fetch_value("SELECT $2", "a", "b") == "b"
    with pytest.raises(QueryError, match="takes 2 values, and was given 1"):
        await db.fetch_value("SELECT $2", "b")
    with pytest.raises(QueryError, match=r"Placeholders are \$1"):
        await db.fetch_value("SELECT $name")


async def test_an_error_repeats_no_value_and_names_the_key(db: DuckdbAdapter) -> None:
    await db.execute("CREATE TABLE k (secret VARCHAR PRIMARY KEY)")
    for value in ('can"ary', "can: ary\nx"):
        await db.execute("INSERT INTO k VALUES ($1)", value)
        with pytest.raises(ConstraintViolation) as raised:
            await db.execute("INSERT INTO k VALUES ($1)", value)
        assert "can" not in str(raised.value)
        assert "`secret`" in str(raised.value)
        with pytest.raises(ConstraintViolation) as raised:
            await db.insert_many("k", ["secret"], [(value + "2",), (value + "2",)])
        assert "can" not in str(raised.value)
    with pytest.raises(QueryError) as converted:
        await db.fetch_value("SELECT CAST($1 AS INTEGER)", "canary")
    assert "canary" not in str(converted.value)


async def test_a_stream_that_is_left_early_frees_its_connection(db: DuckdbAdapter) -> None:
    for _ in range(20):
        async with aclosing(db.stream("SELECT * FROM range(1_000_000)", batch_size=10)) as rows:
            assert (await anext(rows))[0] == 0
    assert await db.execute("DROP TABLE t") == 0


async def test_calls_that_run_when_it_is_cleaned_up_end_soon(db: DuckdbAdapter) -> None:
    rows = db.stream("SELECT * FROM range(1_000_000)", batch_size=10)
    await anext(rows)
    slow = [asyncio.ensure_future(db.fetch_all("SELECT * FROM range(100_000_000)")) for _ in range(8)]
    await asyncio.wait(slow, timeout=0.1)
    async with asyncio.timeout(10):
        await db.cleanup()
        await asyncio.wait(slow)
        with pytest.raises(ConnectionFailed):
            [row async for row in rows]
    assert all(call.exception() is not None for call in slow)


async def test_a_connection_that_is_closed_while_it_is_interrupted_leaves_no_thread() -> None:
    connection = await opened(":memory:", 10)
    await connection.finish(lambda call: call.connection.close())
    await connection.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("duckdb_")] == []


async def test_two_adapters_that_change_the_same_row_are_told_to_try_again(db: DuckdbAdapter) -> None:
    await db.execute("INSERT INTO t VALUES (1, 'a')")
    async with DuckdbAdapter(db.settings) as other, db.transaction() as tx:
        await tx.execute("UPDATE t SET v = 'b' WHERE id = 1")
        with pytest.raises(QueryError, match="Another connection has changed") as raised:
            await other.execute("UPDATE t SET v = 'c' WHERE id = 1")
        assert raised.value.transient
    assert await db.fetch_value("SELECT v FROM t") == "b"


async def test_a_file_that_another_process_has_is_said_to_be_taken(tmp_path: Path) -> None:
    file = tmp_path / "taken.duckdb"
    program = f"import duckdb; c = duckdb.connect({str(file)!r}); print('open', flush=True); input()"
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=-1, stdout=-1)
    try:
        assert other.stdout is not None
        assert await other.stdout.readline() == b"open\n"
        with pytest.raises(ConnectionFailed, match="Another process has") as raised:
            await DuckdbAdapter({"path": str(file)}).init()
        assert raised.value.transient
    finally:
        await other.communicate(b"\n")
    async with DuckdbAdapter({"path": str(file)}) as adapter:
        assert await adapter.health()


async def test_nothing_is_fetched_from_the_network(db: DuckdbAdapter) -> None:
    assert await db.fetch_value("SELECT current_setting('autoinstall_known_extensions')") in (False, "false")


@pytest.mark.parametrize("path", ["", " ", "md:x", "s3://bucket/x.duckdb", ":memory:shared", "a\0b"])
async def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(ConfigError):
        DuckdbAdapter({"path": path})


async def test_what_the_settings_reach_and_lack() -> None:
    assert DuckdbSettings(path="x.duckdb").targets().files == ("x.duckdb",)
    assert DuckdbSettings(path="x.duckdb").lacks() == frozenset()
    assert DuckdbSettings(path=":memory:").targets().files == ()
    assert DuckdbSettings(path=":memory:").lacks() == {"durable"}
