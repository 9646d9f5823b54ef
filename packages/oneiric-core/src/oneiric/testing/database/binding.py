"""Values are bound, never formatted in; placeholders are `$1`, `$2`, … and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oneiric.errors import QueryError
from oneiric.testing.database.things import COUNT, INSERT, DatabaseTests, fill
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.hostile import TEXTS

if TYPE_CHECKING:
    from oneiric.adapters.database.base import DatabaseAdapter


class BindingTests(DatabaseTests):
    """Placeholders, and what looks like them."""

    @by_name({name: text for name, text in TEXTS.items() if name != "huge"})
    async def test_a_value_is_never_sql(self, db: DatabaseAdapter, case: str) -> None:
        """It finds the row that holds it, and no other."""
        await fill(db, 3)
        await db.execute(INSERT, 10, 1, case)
        found = await db.fetch_all("SELECT id FROM things WHERE s = $1", case)
        assert [row[0] for row in found] == [10], "a value is bound, never formatted into the statement"
        assert await db.fetch_value(COUNT) == 4, "a value is bound, never formatted into the statement"

    async def test_a_value_that_looks_like_a_placeholder_is_none(self, db: DatabaseAdapter) -> None:
        """`$2` is a text like any other."""
        row = await db.fetch_one(
            f"SELECT {self._text(1)} AS a, {self._text(2)} AS b, {self._text(3)} AS c", "$2", "$3", "x"
        )
        assert row is not None, "there is a row"
        assert tuple(row) == ("$2", "$3", "x"), "placeholders inside a value are text"

    async def test_placeholders_in_any_order(self, db: DatabaseAdapter) -> None:
        """And more than once."""
        row = await db.fetch_one(
            f"SELECT {self._text(3)} AS a, {self._text(1)} AS b, {self._text(3)} AS c, {self._text(2)} AS d",
            "1",
            "2",
            "3",
        )
        assert row is not None, "there is a row"
        assert tuple(row) == ("3", "1", "3", "2"), "$1 is the first value, wherever and however often it is written"

    async def test_more_than_nine_placeholders(self, db: DatabaseAdapter) -> None:
        """`$1` is not the beginning of `$12`."""
        columns = ", ".join(f"{self._text(number)} AS c{number}" for number in range(12, 0, -1))
        row = await db.fetch_one(f"SELECT {columns}", *map(str, range(1, 13)))
        assert row is not None, "there is a row"
        assert list(row) == [str(number) for number in range(12, 0, -1)], "$12 is the twelfth value"

    @pytest.mark.parametrize("text", ["$1", "$2", "?", ":name", "%s", "it''s $1", "{0}", "@x", "$$", "--$1", "/*$1*/"])
    async def test_what_looks_like_a_placeholder_in_a_string_is_text(self, db: DatabaseAdapter, text: str) -> None:
        """A literal is left alone."""
        row = await db.fetch_one(f"SELECT '{text}' AS a, {self._text(1)} AS b", "value")
        assert row is not None, "there is a row"
        assert tuple(row) == (text.replace("''", "'"), "value"), "what is in a string is no placeholder"

    @pytest.mark.parametrize("comment", ["-- $2 ? :a %s '\n", "/* $2 ' ? \" */", "/* -- */"])
    async def test_what_looks_like_a_placeholder_in_a_comment_is_none(self, db: DatabaseAdapter, comment: str) -> None:
        """Nor does a quote in it begin a string."""
        assert await db.fetch_value(f"SELECT {comment} {self._text(1)} {comment}", "value") == "value", (
            "what is in a comment is no placeholder"
        )

    async def test_what_looks_like_a_placeholder_in_a_name_is_none(self, db: DatabaseAdapter) -> None:
        """In quotes."""
        row = await db.fetch_one(f'SELECT {self._text(1)} AS "$2", 1 AS "a ""$3"" ?"', "value")
        assert row is not None, "there is a row"
        assert (row["$2"], row['a "$3" ?']) == ("value", 1), "what is in a quoted name is no placeholder"

    @pytest.mark.parametrize("values", [(), (1,), (1, 2), (1, 2, "3", 4)], ids=["none", "one", "two", "four"])
    async def test_the_wrong_number_of_values_is_refused(self, db: DatabaseAdapter, values: tuple[Any, ...]) -> None:
        """Before anything is done."""
        with expect(QueryError, f"{len(values)} values for three placeholders"):
            await db.execute(INSERT, *values)
        assert await db.fetch_value(COUNT) == 0, "nothing is done with the wrong number of values"

    async def test_values_without_placeholders_are_refused(self, db: DatabaseAdapter) -> None:
        """They would be lost."""
        for method in (db.execute, db.fetch_all, db.fetch_one, db.fetch_value):
            with expect(QueryError, f"a value for `{method.__name__}` of a statement that has no placeholder"):
                await method("SELECT 1", 1)

    async def test_a_value_is_no_list(self, db: DatabaseAdapter) -> None:
        """Values are given one by one; a list of them is one value, and here of no type."""
        with expect(QueryError, "a list in place of three values"):
            await db.execute(INSERT, [1, 2, "3"])
        assert await db.fetch_value(COUNT) == 0, "nothing is done with the wrong number of values"

    def _text(self, number: int) -> str:
        """A placeholder that is a text."""
        return f"CAST(${number} AS {self.text_type})"
