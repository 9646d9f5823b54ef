"""What is written, how much it was, and all or none of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.errors import ConstraintViolation, QueryError
from oneiric.testing.database.things import ALL, COUNT, INSERT, SOON, DatabaseTests, fill, ids
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.hostile import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.adapters.database.base import DatabaseAdapter

COLUMNS = ["id", "n", "s"]


class WriteTests(DatabaseTests):
    """`execute`, `execute_many` and `insert_many`."""

    async def test_execute_says_how_many_rows_it_changed(self, db: DatabaseAdapter) -> None:
        """Inserted, updated, deleted."""
        assert await db.execute(INSERT, 1, 1, "a") == 1, "an INSERT of one row returns 1"
        two = "INSERT INTO things (id, n, s) SELECT id + $1, n, s FROM things UNION ALL SELECT 3, 1, 'c' FROM things"
        assert await db.execute(two, 1) == 2, "an INSERT of two rows returns 2"
        assert await db.execute("UPDATE things SET n = $1 WHERE id >= $2", 5, 2) == 2, "an UPDATE of two rows returns 2"
        assert await db.execute("DELETE FROM things") == 3, "a DELETE of three rows returns 3"

    async def test_execute_says_zero_where_it_changed_nothing(self, db: DatabaseAdapter) -> None:
        """Whatever the statement before it did."""
        await fill(db, 5)
        assert await db.execute("SELECT id FROM things") == 0, "a SELECT changes nothing, and returns 0"
        assert await db.execute(f"CREATE TABLE more (id {self.integer_type})") == 0, "DDL returns 0"
        await db.execute("UPDATE things SET n = $1", 5)
        assert await db.execute("UPDATE things SET n = $1 WHERE id = $2", 5, 77) == 0, "an UPDATE of no row returns 0"
        assert await db.execute("DELETE FROM things WHERE id = $1", 77) == 0, "a DELETE of no row returns 0"

    async def test_a_row_that_is_set_to_what_it_was_counts(self, db: DatabaseAdapter) -> None:
        """As it does in SQL."""
        await fill(db, 5)
        assert await db.execute("UPDATE things SET n = n") == 5, "an UPDATE counts the rows that it wrote"

    async def test_execute_many_runs_once_a_row(self, db: DatabaseAdapter) -> None:
        """And adds up."""
        await fill(db, 10)
        rows = [(100, 1), (200, 2), (300, 99)]
        assert await db.execute_many("UPDATE things SET n = $1 WHERE id >= $2", rows) == 9 + 8, (
            "execute_many() returns how many rows were affected together"
        )
        values = [row[0] for row in await db.fetch_all("SELECT n FROM things ORDER BY id")]
        assert values == [0, 100, *[200] * 8], "execute_many() runs its statement for each row, in order"

    async def test_insert_many_inserts_every_row(self, db: DatabaseAdapter) -> None:
        """Each value in its column, whatever the columns' order."""
        rows = [(f"s{number}", number) for number in range(2_000)]
        assert await db.insert_many("things", ["s", "id"], rows) == 2_000, "insert_many() returns how many rows"
        stored = await db.fetch_all("SELECT s, id FROM things ORDER BY id")
        assert [tuple(row) for row in stored] == rows, "insert_many() puts each value into the column that it is for"

    @pytest.mark.parametrize("kind", ["list", "tuple", "generator", "rows-as-lists"])
    async def test_rows_come_from_any_iterable(self, db: DatabaseAdapter, kind: str) -> None:
        """A list, a generator, rows that are lists."""
        rows = [(1, 1, "a"), (2, None, "b")]
        given: Any = {"list": rows, "tuple": tuple(rows), "generator": (row for row in rows)}.get(
            kind, list(map(list, rows))
        )
        assert await db.insert_many("things", COLUMNS, given) == 2, "insert_many() takes any iterable of rows"
        assert [tuple(row) for row in await db.fetch_all(ALL)] == rows, "insert_many() takes any iterable of rows"

    @pytest.mark.parametrize("method", ["execute_many", "insert_many"])
    async def test_no_rows_change_nothing(self, db: DatabaseAdapter, method: str) -> None:
        """And are no error."""
        assert await write(db, method, []) == 0, f"{method}() of no rows returns 0"
        assert await db.fetch_value(COUNT) == 0, f"{method}() of no rows inserts nothing"

    @pytest.mark.parametrize("method", ["execute_many", "insert_many"])
    async def test_a_row_that_fails_undoes_those_before_it(self, db: DatabaseAdapter, method: str) -> None:
        """All or none: the 500th of 1,000 rows has an id that is taken."""
        await db.execute(INSERT, 500, 0, "first")
        with expect(ConstraintViolation, f"{method}() of a row whose key is taken"):
            await write(db, method, [(number, 0, "later") for number in range(1_000)])
        assert [tuple(row) for row in await db.fetch_all(ALL)] == [(500, 0, "first")], (
            f"{method}() is all or none: a row that fails undoes those before it"
        )

    @pytest.mark.parametrize("method", ["execute_many", "insert_many"])
    async def test_a_value_that_can_not_be_undoes_the_rows_before_it(self, db: DatabaseAdapter, method: str) -> None:
        """The same where the driver refuses a value, and not the backend."""
        with expect(QueryError, f"{method}() of an object that is no value"):
            await write(db, method, [*((number, 0, "x") for number in range(500)), (500, 0, object())])
        assert await db.fetch_value(COUNT) == 0, f"{method}() is all or none: a value that can't be undoes all rows"

    @pytest.mark.parametrize("method", ["execute_many", "insert_many"])
    @pytest.mark.parametrize("row", [(1, 2), (1, 2, "3", 4), ()], ids=["too-short", "too-long", "empty"])
    async def test_a_row_of_the_wrong_length_undoes_the_rows_before_it(
        self, db: DatabaseAdapter, method: str, row: tuple[Any, ...]
    ) -> None:
        """QueryError, and nothing is stored."""
        with expect(QueryError, f"{method}() with a row of the wrong length"):
            await write(db, method, [*((number, 0, "x") for number in range(100, 200)), row])
        assert await db.fetch_value(COUNT) == 0, f"{method}() is all or none: a row of the wrong length undoes all"

    @pytest.mark.parametrize("method", ["execute_many", "insert_many"])
    async def test_what_the_rows_raise_comes_to_the_caller(self, db: DatabaseAdapter, method: str) -> None:
        """As it is, and nothing is stored."""
        error = ValueError("of the caller's own")

        def rows() -> Iterator[tuple[Any, ...]]:
            yield from ((number, 0, "x") for number in range(500))
            raise error

        with pytest.raises(ValueError, match="of the caller's own") as raised:
            await write(db, method, rows())
        assert raised.value is error, f"what an iterable of rows raises comes out of {method}() as it is"
        assert await db.fetch_value(COUNT) == 0, f"{method}() is all or none: an iterable that raises undoes all rows"

    @pytest.mark.parametrize("method", ["execute_many", "insert_many"])
    async def test_the_adapter_is_free_after_rows_that_fail(self, db: DatabaseAdapter, method: str) -> None:
        """Time and again."""
        for _ in range(30):
            with expect(ConstraintViolation, f"{method}() of two rows with one key"):
                await write(db, method, [(1, 0, "x"), (1, 0, "y")])
        assert await db.execute(INSERT, 1, 1, "z") == 1, f"the adapter goes on after {method}() has failed"

    async def test_writes_side_by_side_are_each_whole(self, db: DatabaseAdapter) -> None:
        """A hundred, of which every second has a key that is taken: it fails alone."""
        async with asyncio.timeout(SOON):
            results = await asyncio.gather(
                *(db.execute(INSERT, number // 2, number, "x") for number in range(100)), return_exceptions=True
            )
        failed = [result for result in results if result != 1]
        assert await ids(db) == list(range(50)), "of writes at the same time each is stored, or fails alone"
        assert [type(error) for error in failed] == [ConstraintViolation] * 50, (
            "of writes at the same time those whose key is taken fail, and only those"
        )

    @pytest.mark.parametrize("columns", [[], "id", ["nothing"], [7]], ids=["none", "a-text", "not-there", "a-number"])
    async def test_insert_many_into_columns_that_can_not_be(self, db: DatabaseAdapter, columns: Any) -> None:
        """QueryError."""
        with expect(QueryError, f"insert_many() into the columns {columns!r}"):
            await db.insert_many("things", columns, [(1,) * len(columns)])
        assert await db.fetch_value(COUNT) == 0, "nothing is inserted"

    @by_name(NAMES)
    async def test_insert_many_quotes_the_names(self, db: DatabaseAdapter, case: str) -> None:
        """Of the table and of its columns."""
        quoted = '"' + case.replace('"', '""') + '"'
        await db.execute(f"CREATE TABLE {quoted} (id {self.integer_type}, {quoted} {self.text_type})")
        assert await db.insert_many(case, ["id", case], [(1, "x")]) == 1, "insert_many() quotes the names it is given"
        row = await db.fetch_one(f"SELECT * FROM {quoted}")
        assert row is not None, "insert_many() quotes the names it is given"
        assert (row["id"], row[case]) == (1, "x"), "insert_many() quotes the names it is given"
        assert await db.fetch_value(COUNT) == 0, "a name is never run as SQL"

    async def test_a_dot_parts_the_schema_from_the_table(self, db: DatabaseAdapter) -> None:
        """`schema.table`."""
        await db.insert_many(f"{self.schema}.things", COLUMNS, [(1, 1, "a")])
        assert await ids(db) == [1], "insert_many() takes `schema.table`"

    @pytest.mark.parametrize("table", ["nowhere", "things (id) VALUES (1); --", "", 'things"'])
    async def test_insert_many_into_a_table_that_is_not_there(self, db: DatabaseAdapter, table: str) -> None:
        """QueryError."""
        with expect(QueryError, "insert_many() into a table that isn't there"):
            await db.insert_many(table, ["id"], [(1,)])
        assert await db.fetch_value(COUNT) == 0, "nothing is inserted anywhere"


async def write(db: DatabaseAdapter, method: str, rows: Any) -> int:
    """Insert rows of three by either method."""
    if method == "insert_many":
        return await db.insert_many("things", COLUMNS, rows)
    return await db.execute_many(INSERT, rows)
