"""What queries give: rows by name and by index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oneiric.testing.database.things import ALL, INSERT, DatabaseTests, fill
from oneiric.testing.expecting import by_name
from oneiric.testing.hostile import NAMES

if TYPE_CHECKING:
    from oneiric.adapters.database.base import DatabaseAdapter


class RowTests(DatabaseTests):
    """`fetch_all`, `fetch_one`, `fetch_value`, and `Row`."""

    async def test_fetch_all_gives_every_row_in_the_querys_order(self, db: DatabaseAdapter) -> None:
        """All of them, in a list."""
        await fill(db, 50)
        rows = await db.fetch_all("SELECT id FROM things WHERE id >= $1 ORDER BY id DESC", 20)
        assert isinstance(rows, list), "fetch_all() returns a list"
        assert [row[0] for row in rows] == list(range(49, 19, -1)), "fetch_all() gives all rows, in the query's order"

    async def test_fetch_all_of_no_row_is_an_empty_list(self, db: DatabaseAdapter) -> None:
        """Not None."""
        assert await db.fetch_all(ALL) == [], "fetch_all() gives an empty list where a query has no row"

    async def test_fetch_one_gives_the_first_row(self, db: DatabaseAdapter) -> None:
        """However many there are."""
        await fill(db, 50)
        row = await db.fetch_one("SELECT id, n FROM things WHERE id >= $1 ORDER BY id", 10)
        assert row is not None, "fetch_one() gives the first row of a query"
        assert tuple(row) == (10, 3), "fetch_one() gives the first row of a query"

    async def test_fetch_one_reads_no_more_than_it_gives(self, db: DatabaseAdapter) -> None:
        """Of eight million rows: reading them all takes seconds, and all of the memory."""
        await fill(db, 200)
        many = "SELECT a.id, b.id, c.id FROM things AS a CROSS JOIN things AS b CROSS JOIN things AS c"
        assert await db.fetch_one(many, timeout=1.0) is not None, "fetch_one() gives the first row of a query"
        assert await db.fetch_value(many, timeout=1.0) is not None, "fetch_value() gives a value of the first row"

    async def test_fetch_one_of_no_row_is_none(self, db: DatabaseAdapter) -> None:
        """And no error."""
        assert await db.fetch_one(ALL) is None, "fetch_one() gives None where a query has no row"

    async def test_fetch_value_gives_the_first_column_of_the_first_row(self, db: DatabaseAdapter) -> None:
        """Of however many."""
        await fill(db, 50)
        value = await db.fetch_value("SELECT s, id FROM things WHERE id >= $1 ORDER BY id", 10)
        assert value == "s10", "fetch_value() gives the first column of the first row"

    async def test_fetch_value_of_no_row_or_of_null_is_none(self, db: DatabaseAdapter) -> None:
        """Both."""
        await db.execute(INSERT, 1, None, None)
        assert await db.fetch_value("SELECT id FROM things WHERE id = $1", 2) is None, "no row: None"
        assert await db.fetch_value("SELECT n FROM things WHERE id = $1", 1) is None, "NULL: None"

    async def test_a_row_is_read_by_name(self, db: DatabaseAdapter) -> None:
        """By the name that the query gives to a column."""
        await db.execute(INSERT, 1, 2, "three")
        (row,) = await db.fetch_all("SELECT id, s AS text, n + $1 AS sum FROM things", 40)
        assert (row["id"], row["text"], row["sum"]) == (1, "three", 42), 'a row is read by name: row["id"]'

    async def test_a_row_is_read_by_index(self, db: DatabaseAdapter) -> None:
        """From both ends, and by slices."""
        await db.execute(INSERT, 1, 2, "three")
        (row,) = await db.fetch_all(ALL)
        assert (row[0], row[1], row[2], row[-1]) == (1, 2, "three", "three"), "a row is read by index: row[0], row[-1]"
        assert row[1:] == (2, "three"), "a slice of a row is a tuple of its values"

    async def test_a_row_is_iterated_by_its_values(self, db: DatabaseAdapter) -> None:
        """Not by its names, as a dict is."""
        await db.execute(INSERT, 1, 2, "three")
        row = await db.fetch_one(ALL)
        assert row is not None, "there is a row"
        assert list(row) == [1, 2, "three"], "iterating a row gives its values, in the order of the columns"
        assert len(row) == 3, "the length of a row is how many columns it has"

    async def test_a_row_knows_the_names_of_its_columns(self, db: DatabaseAdapter) -> None:
        """In order."""
        await db.execute(INSERT, 1, 2, "three")
        row = await db.fetch_one("SELECT s, id, n AS number FROM things")
        assert row is not None, "there is a row"
        assert list(row.keys()) == ["s", "id", "number"], "keys() of a row gives the columns' names, in order"

    @pytest.mark.parametrize("key", ["missing", 3, -4])
    async def test_a_name_or_index_that_is_not_there_is_a_lookup_error(
        self, db: DatabaseAdapter, key: int | str
    ) -> None:
        """KeyError or IndexError."""
        await db.execute(INSERT, 1, 2, "three")
        row = await db.fetch_one(ALL)
        assert row is not None, "there is a row"
        with pytest.raises(LookupError):
            row[key]

    async def test_two_columns_of_one_name_are_both_there(self, db: DatabaseAdapter) -> None:
        """By index."""
        await db.execute(INSERT, 1, 2, "three")
        row = await db.fetch_one("SELECT id AS a, n AS a FROM things")
        assert row is not None, "there is a row"
        assert (row[0], row[1], len(row)) == (1, 2, 2), "of two columns with one name none is lost"
        assert row["a"] in {1, 2}, "by name it gives either of them"

    @by_name(NAMES)
    async def test_a_column_may_have_any_name(self, db: DatabaseAdapter, case: str) -> None:
        """In quotes, as SQL has it."""
        await db.execute(INSERT, 1, 2, "three")
        quoted = '"' + case.replace('"', '""') + '"'
        row = await db.fetch_one(f"SELECT n AS {quoted}, id FROM things WHERE id = $1", 1)
        assert row is not None, "there is a row"
        assert (row[case], next(iter(row.keys()))) == (2, case), "a column's name is the one that the query gives it"

    async def test_a_row_may_have_many_columns(self, db: DatabaseAdapter) -> None:
        """Two hundred here."""
        columns = ", ".join(f"CAST($1 AS {self.integer_type}) + {number} AS c{number}" for number in range(200))
        row = await db.fetch_one(f"SELECT {columns}", 1000)
        assert row is not None, "there is a row"
        assert list(row) == list(range(1000, 1200)), "a row has all of its columns, in order"
        assert row["c199"] == 1199, "each by its name"
