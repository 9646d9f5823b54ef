"""insert_many and upsert_many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConstraintViolation, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric_postgres import PostgresAdapter

ALL = "SELECT id, v FROM t ORDER BY id, v"


async def rows_of(db: Any, sql: str = ALL) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await db.fetch_all(sql)]


async def test_an_upsert_inserts_and_updates(db: PostgresAdapter) -> None:
    await db.insert_many("t", ["id", "v"], [(1, "a"), (2, "b")])
    assert await db.upsert_many("t", ["id", "v"], [(2, "B"), (3, "C")], conflict=["id"]) == 2
    assert await rows_of(db) == [(1, "a"), (2, "B"), (3, "C")]


@pytest.mark.parametrize("update", [None, ["v"], []], ids=["all", "named", "nothing"])
async def test_of_rows_with_one_key_the_last_one_counts(db: PostgresAdapter, update: list[str] | None) -> None:
    rows = [(1, "first"), (2, "x"), (1, "second"), (1, "last"), (2, "y")]
    assert await db.upsert_many("t", ["id", "v"], rows, conflict=["id"], update=update) == 2
    assert await rows_of(db) == [(1, "last"), (2, "y")]


async def test_many_rows_with_one_key_in_any_order(db: PostgresAdapter) -> None:
    rows = [(number % 700, f"v{number}") for number in range(5_000)]
    assert await db.upsert_many("t", ["id", "v"], (row for row in rows), conflict=["id"]) == 700
    assert await rows_of(db) == sorted(dict(rows).items())


async def test_an_upsert_without_updates_leaves_what_is_there(db: PostgresAdapter) -> None:
    await db.insert_many("t", ["id", "v"], [(1, "a")])
    assert await db.upsert_many("t", ["id", "v"], [(1, "A"), (2, "B")], conflict=["id"], update=[]) == 1
    assert await rows_of(db) == [(1, "a"), (2, "B")]


async def test_an_upsert_updates_the_columns_that_are_named(db: PostgresAdapter) -> None:
    await db.execute("CREATE TABLE u (a int, b int, x text, y text, UNIQUE (a, b))")
    await db.insert_many("u", ["a", "b", "x", "y"], [(1, 1, "x", "y"), (1, 2, "x", "y")])
    new = [(1, 1, "X", "Y"), (2, 1, "X", "Y")]
    assert await db.upsert_many("u", ["a", "b", "x", "y"], new, conflict=["a", "b"], update=["y"]) == 2
    assert await rows_of(db, "SELECT * FROM u ORDER BY 1, 2") == [(1, 1, "x", "Y"), (1, 2, "x", "y"), (2, 1, "X", "Y")]


@pytest.mark.parametrize("update", [None, []], ids=["update", "nothing"])
async def test_keys_with_a_null_are_all_different(db: PostgresAdapter, update: list[str] | None) -> None:
    await db.execute("CREATE TABLE u (a int, b int, x text, UNIQUE (a, b))")
    rows = [(1, None, "x"), (1, None, "y"), (None, None, "z"), (2, 2, "p"), (2, 2, "q")]
    assert await db.upsert_many("u", ["a", "b", "x"], rows, conflict=["a", "b"], update=update) == 4
    assert await rows_of(db, "SELECT x FROM u ORDER BY x") == [("q",), ("x",), ("y",), ("z",)]


async def test_an_upsert_that_fails_has_done_nothing(db: PostgresAdapter) -> None:
    await db.execute("ALTER TABLE t ADD CHECK (v <> 'no')")
    with pytest.raises(ConstraintViolation):
        await db.upsert_many("t", ["id", "v"], [(1, "a"), (1, "b"), (2, "no")], conflict=["id"])
    assert await rows_of(db) == []


async def test_what_the_rows_of_an_upsert_raise_comes_to_the_caller(db: PostgresAdapter) -> None:
    error = LookupError("the caller's own")

    def rows() -> Iterator[tuple[int, str]]:
        yield (1, "a")
        raise error

    with pytest.raises(LookupError) as raised:
        await db.upsert_many("t", ["id", "v"], rows(), conflict=["id"])
    assert raised.value is error
    assert await rows_of(db) == []


@pytest.mark.parametrize(
    ("conflict", "update"), [([], None), (["nothing"], None), ("id", None), (["id"], ["nothing"]), (["id"], "v")]
)
async def test_columns_that_do_not_fit_are_refused(db: PostgresAdapter, conflict: Any, update: Any) -> None:
    with pytest.raises(QueryError) as raised:
        await db.upsert_many("t", ["id", "v"], [(1, "a")], conflict=conflict, update=update)
    assert raised.value.adapter == db.name
    assert await rows_of(db) == []


async def test_a_conflict_without_a_unique_index_is_a_query_error(db: PostgresAdapter) -> None:
    with pytest.raises(QueryError, match="42P10"):
        await db.upsert_many("t", ["id", "v"], [(1, "a")], conflict=["v"])


async def test_upserts_in_one_transaction(db: PostgresAdapter) -> None:
    async with db.transaction() as tx:
        await tx.upsert_many("t", ["id", "v"], [(1, "a"), (1, "b")], conflict=["id"])
        await tx.upsert_many("t", ["id", "v"], [(1, "c"), (2, "d")], conflict=["id"])
        with pytest.raises(QueryError):
            async with tx.transaction() as inner:
                await inner.upsert_many("t", ["id", "v"], [(3, "e"), (4, object())], conflict=["id"])
        assert await rows_of(tx) == [(1, "c"), (2, "d")]
    assert await rows_of(db) == [(1, "c"), (2, "d")]


async def test_an_upsert_leaves_no_table_behind(db: PostgresAdapter) -> None:
    async with db.transaction() as tx:
        await tx.upsert_many("t", ["id", "v"], [(1, "a")], conflict=["id"])
        temporary = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname LIKE 'oneiric%'"
        assert await tx.fetch_value(temporary) == 0


@pytest.mark.parametrize("name", ['a "b"', "select", "drop table t; --", "Ünï🙂", "x" * 60])
async def test_names_are_quoted(db: PostgresAdapter, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    await db.execute(f"CREATE TABLE {quoted} ({quoted} int PRIMARY KEY, v text)")
    schema = await db.fetch_value("SELECT current_schema()")
    for _ in range(2):
        assert await db.upsert_many(f"{schema}.{name}", [name, "v"], [(1, "a"), (1, "b")], conflict=[name]) == 1
    assert await rows_of(db, f"SELECT * FROM {quoted}") == [(1, "b")]


async def test_rows_go_into_a_view(db: PostgresAdapter) -> None:
    """Which COPY can't."""
    await db.execute("CREATE VIEW w AS SELECT id, v FROM t")
    assert await db.insert_many("w", ["id", "v"], ((number, "x") for number in range(3))) == 3
    assert len(await rows_of(db)) == 3


async def test_rows_go_into_a_table_with_row_security(config: dict[str, Any], db: PostgresAdapter) -> None:
    from oneiric_postgres import PostgresAdapter

    schema = config["search_path"]
    await db.execute("DO $$BEGIN CREATE ROLE oneiric_writer LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    for statement in (
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON t USING (true) WITH CHECK (id < 10)",
        f"GRANT USAGE ON SCHEMA {schema} TO oneiric_writer",
        "GRANT ALL ON t TO oneiric_writer",
    ):
        await db.execute(statement)
    dsn = config["dsn"].replace("postgres@", "oneiric_writer@")
    async with PostgresAdapter({**config, "dsn": dsn}) as writer:
        assert await writer.insert_many("t", ["id", "v"], [(1, "a"), (2, "b")]) == 2
        assert await writer.upsert_many("t", ["id", "v"], [(2, "B"), (3, "c")], conflict=["id"]) == 2
        with pytest.raises(QueryError, match="42501"):
            await writer.insert_many("t", ["id", "v"], [(4, "d"), (10, "no")])
    assert await rows_of(db) == [(1, "a"), (2, "B"), (3, "c")]


@pytest.mark.parametrize(
    "row", ["ab", b"ab", {"id": 1, "v": "a"}, 7, None, {1}], ids=["str", "bytes", "dict", "int", "None", "set"]
)
async def test_what_is_no_row_is_refused(db: PostgresAdapter, row: Any) -> None:
    with pytest.raises(QueryError):
        await db.insert_many("t", ["id", "v"], [(1, "a"), row])
    assert await rows_of(db) == []


async def test_execute_many_of_any_statement(db: PostgresAdapter) -> None:
    rows = [(number, f"v{number}") for number in range(50)]
    with_select = "WITH new AS (INSERT INTO t VALUES ($1, $2) RETURNING id) SELECT * FROM new"
    await db.execute_many(with_select, rows[:3])
    assert await db.execute_many("INSERT INTO t VALUES ($1, $2) ON CONFLICT DO NOTHING -- or not\n ;", rows) == 47
    assert await db.execute_many("INSERT INTO t VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id", rows) == 0
    assert await db.execute_many("DELETE FROM t WHERE id < $1", [(10,), (20,)]) == 20
    merge = "MERGE INTO t USING (SELECT $1::bigint AS i) s ON t.id = s.i WHEN MATCHED THEN DELETE"
    assert await db.execute_many(merge, [(20,), (21,), (500,)]) == 2
    assert await db.execute_many("SELECT $1::int", [(1,), (2,)]) == 0
    assert await db.fetch_value("SELECT count(*) FROM t") == 28
