"""`read_only` and `pgbouncer`, as the server sees them; the pool."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

import pytest
from oneiric.errors import DeadlineExceeded, OneiricError, QueryError, Unsupported
from oneiric_postgres import PostgresAdapter

EVIL = (
    "CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('transaction_read_only', 'off', false);"
    "PERFORM set_config('default_transaction_read_only', 'off', false); INSERT INTO t VALUES (1); RETURN 1; END$$"
)
ATTEMPTS = [
    "INSERT INTO t VALUES (1)",
    "WITH w AS (INSERT INTO t VALUES (1) RETURNING id) SELECT * FROM w",
    "SELECT evil()",
    "EXPLAIN ANALYZE INSERT INTO t VALUES (1)",
    "SELECT nextval('counter')",
    "SELECT 1 AS a INTO made",
]


@pytest.fixture
async def tables(config: dict[str, Any]) -> dict[str, Any]:
    async with PostgresAdapter(config) as db:
        await db.execute("CREATE TABLE t (id int)")
        await db.execute("CREATE SEQUENCE counter")
        await db.execute(EVIL)
        await db.execute("CREATE FUNCTION put() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING 1'")
    return config


@pytest.mark.parametrize("pgbouncer", [False, True])
async def test_nothing_is_written_in_read_only(tables: dict[str, Any], pgbouncer: bool) -> None:
    async with PostgresAdapter({**tables, "read_only": True, "pgbouncer": pgbouncer, "pool_max_size": 1}) as db:
        for sql in ATTEMPTS:
            for call in (db.execute, db.fetch_all, db.fetch_one, db.fetch_value):
                with pytest.raises(QueryError):
                    await call(sql)
            with pytest.raises(QueryError):
                async with db.transaction() as tx:
                    await tx.execute(sql)
            with pytest.raises(QueryError):
                async with aclosing(db.stream(sql)) as rows:
                    await anext(rows)
            with pytest.raises(QueryError):
                await db.execute_many(sql, [()])
        for many in (db.insert_many("t", ["id"], [(1,)]), db.upsert_many("t", ["id"], [(1,)], conflict=["id"])):
            with pytest.raises(QueryError, match="read_only"):
                await many
        assert await db.fetch_value("SELECT count(*) FROM t") == 0


@pytest.mark.parametrize("pgbouncer", [False, True])
async def test_read_only_can_not_be_switched_off(tables: dict[str, Any], pgbouncer: bool) -> None:
    async with PostgresAdapter({**tables, "read_only": True, "pgbouncer": pgbouncer, "pool_max_size": 1}) as db:
        off = "SELECT pg_catalog.set_config('default_transaction_read_only', 'off', false)"
        for sql in (off, off.replace("default_", "")):
            for _ in range(4):
                with suppress(OneiricError):
                    await db.fetch_value(sql)
                with pytest.raises(QueryError):
                    await db.fetch_value("SELECT put()")
        with pytest.raises(QueryError):
            async with db.transaction(read_only=False) as tx:
                await tx.fetch_value("SELECT put()")
        with pytest.raises(QueryError):  # noqa: PT012 - it has to leave the block
            async with db.transaction() as tx:
                with suppress(Unsupported):  # behind PgBouncer
                    await tx.fetch_value(off)
                await tx.fetch_value("SELECT put()")
        assert await db.fetch_value("SELECT count(*) FROM t") == 0


async def test_behind_pgbouncer_nothing_is_kept_on_the_server(config: dict[str, Any]) -> None:
    """No PgBouncer is to be had as a wheel: what it would choke on is looked for on the server."""
    async with PostgresAdapter({**config, "pgbouncer": True, "pool_max_size": 1}) as db:
        await db.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        for number in range(5):
            await db.execute("INSERT INTO t VALUES ($1, $2)", number, "x")
            assert await db.fetch_value("SELECT v FROM t WHERE id = $1", number) == "x"
        await db.insert_many("t", ["id", "v"], [(10, "y")])
        await db.upsert_many("t", ["id", "v"], [(10, "z"), (10, "Z")], conflict=["id"])
        assert [row[0] async for row in db.stream("SELECT id FROM t ORDER BY id", batch_size=2)] == [0, 1, 2, 3, 4, 10]
        async with db.transaction() as tx, tx.transaction() as inner:
            assert await inner.fetch_value("SELECT v FROM t WHERE id = $1", 10) == "Z"
        found = await db.fetch_all("SELECT name, statement FROM pg_prepared_statements")
        assert [row for row in found if row["name"]] == []


async def test_connections_are_taken_last_in_first_out(config: dict[str, Any]) -> None:
    pid = "SELECT pg_backend_pid()"
    async with PostgresAdapter({**config, "pool_max_size": 5}) as db:
        await asyncio.gather(*(db.fetch_value("SELECT pg_sleep(0.05)") for _ in range(5)))
        assert db._pool is not None
        assert db._pool.size == 5
        assert len({await db.fetch_value(pid) for _ in range(20)}) <= 2


async def test_who_waits_longest_is_next(config: dict[str, Any]) -> None:
    order: list[int] = []

    async def call(db: PostgresAdapter, number: int) -> None:
        await db.fetch_value("SELECT pg_sleep(0.01)")
        order.append(number)

    async with PostgresAdapter({**config, "pool_max_size": 1}) as db:
        await asyncio.gather(*(call(db, number) for number in range(10)))
    assert order == list(range(10))


async def test_waiting_for_a_connection_has_its_deadline(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pool_max_size": 1, "acquire_timeout": 0.2}) as db:
        async with db.transaction():
            with pytest.raises(DeadlineExceeded, match="pool_max_size"):
                await db.fetch_value("SELECT 1")
        assert await db.fetch_value("SELECT 1") == 1


async def test_a_connection_that_lay_idle_for_too_long_is_replaced(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneiric_postgres.pool._STALE_AFTER", -1.0)
    async with PostgresAdapter({**config, "pool_max_size": 2}) as db:
        pids = {await db.fetch_value("SELECT pg_backend_pid()") for _ in range(4)}
        assert len(pids) == 4


async def test_backends_that_were_killed_while_idle_are_not_noticed(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pool_max_size": 5}) as db, PostgresAdapter(config) as other:
        for _ in range(3):
            await asyncio.gather(*(db.fetch_value("SELECT pg_sleep(0.02)") for _ in range(5)))
            assert db._pool is not None
            for session in list(db._pool._idle):
                pid = session.connection.get_server_pid()
                await other.fetch_value("SELECT pg_terminate_backend($1, 5000)", pid)
            async with asyncio.timeout(10):
                while not all(session.connection.is_closed() for session in db._pool._idle):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert await asyncio.gather(*(db.fetch_value("SELECT 7") for _ in range(5))) == [7] * 5


async def test_an_adapter_of_a_loop_that_is_over_is_opened_anew(config: dict[str, Any]) -> None:
    db = PostgresAdapter(config)

    def live() -> Any:
        async def use() -> Any:
            await db.init()
            return await db.fetch_value("SELECT 7")

        return asyncio.run(use())

    assert await asyncio.to_thread(live) == 7
    with pytest.raises(OneiricError, match="another event loop"):
        await db.fetch_value("SELECT 1")
    await db.init()
    assert await db.fetch_value("SELECT 8") == 8
    await db.cleanup()
