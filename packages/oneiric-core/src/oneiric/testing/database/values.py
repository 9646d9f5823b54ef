"""Values there and back: what comes out is what went in."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.errors import QueryError
from oneiric.testing.database.things import COUNT, DatabaseTests
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.hostile import BLOBS, FLOATS, INTEGERS, SURROGATES, TEXTS, TOO_LARGE, WITH_NUL

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.database.base import DatabaseAdapter

OTHERS: dict[str, tuple[Any, Callable[[str], Any]]] = {
    "decimal": (decimal.Decimal("1.10"), decimal.Decimal),
    "date": (datetime.date(2026, 2, 28), datetime.date.fromisoformat),
    "datetime": (datetime.datetime(2026, 2, 28, 12, 30, tzinfo=datetime.UTC), datetime.datetime.fromisoformat),
    "uuid": (uuid.UUID(int=7), uuid.UUID),
}
"""Values of other types, and how each is read from a text."""


class ValueTests(DatabaseTests):
    """Each of the contract's types, at its edges."""

    @by_name(TEXTS)
    async def test_a_text_comes_back(self, db: DatabaseAdapter, case: str) -> None:
        """As a str, character by character."""
        assert await there_and_back(db, "s", case) == case, "a text comes back as it was"

    @by_name(BLOBS)
    async def test_bytes_come_back(self, db: DatabaseAdapter, case: bytes) -> None:
        """As bytes, and nothing that is only equal to them."""
        back = await there_and_back(db, "b", case)
        assert back == case, "bytes come back as they were"
        assert isinstance(back, bytes), "bytes come back as bytes"

    @by_name(INTEGERS)
    async def test_an_integer_comes_back(self, db: DatabaseAdapter, case: int) -> None:
        """As an int, exactly: one that went through a float has lost its last digits."""
        back = await there_and_back(db, "n", case)
        assert back == case, "an integer comes back exactly"
        assert isinstance(back, int), "an integer comes back as an int"

    @by_name(FLOATS)
    async def test_a_float_comes_back(self, db: DatabaseAdapter, case: float) -> None:
        """As a float of 64 bits, to the last digit."""
        back = await there_and_back(db, "x", case)
        assert back == case, "a float comes back to the last digit"
        assert isinstance(back, float), "a float comes back as a float, a whole number too"

    async def test_nan_comes_back_as_nan_or_none(self, db: DatabaseAdapter) -> None:
        """None on a backend that has no NaN."""
        back = await there_and_back(db, "x", math.nan)
        assert back is None or math.isnan(back), "NaN comes back as NaN, or as None where the backend has none"

    @pytest.mark.parametrize("case", [True, False])
    async def test_a_boolean_comes_back(self, db: DatabaseAdapter, case: bool) -> None:
        """As itself, or as 0 or 1."""
        back = await there_and_back(db, "t", case)
        assert back == case, "a boolean comes back as itself, or as 0 or 1"
        assert isinstance(back, bool | int), "a boolean comes back as itself, or as 0 or 1"

    @pytest.mark.parametrize("column", ["n", "s", "x", "b", "t"])
    async def test_none_comes_back(self, db: DatabaseAdapter, column: str) -> None:
        """It is NULL, in a column of any type."""
        assert await there_and_back(db, column, None) is None, "None is NULL, and comes back as None"
        assert await db.fetch_value(f"SELECT count(*) FROM things WHERE {column} IS NULL") == 1, "None is NULL"

    @by_name(WITH_NUL)
    async def test_a_nul_is_kept_or_refused(self, db: DatabaseAdapter, case: str) -> None:
        """QueryError where the backend can't keep it. What it must not do is cut the text off there."""
        try:
            back = await there_and_back(db, "s", case)
        except QueryError:
            assert await db.fetch_value(COUNT) == 0, "a text that is refused is not stored"
            return
        assert back == case, "a text with a NUL character is kept whole, or refused with QueryError"
        assert await db.fetch_value("SELECT id FROM things WHERE s = $1", case) == 1, "and is found by it"

    @by_name(TOO_LARGE)
    async def test_an_integer_beyond_64_bits_is_refused(self, db: DatabaseAdapter, case: int) -> None:
        """QueryError, and nothing is stored: not a float of about that size, not its last 64 bits."""
        with expect(QueryError, "an integer of more than 64 bits"):
            await there_and_back(db, "n", case)
        assert await db.fetch_value(COUNT) == 0, "an integer that is refused is not stored"

    @by_name(SURROGATES)
    async def test_a_lone_surrogate_is_refused(self, db: DatabaseAdapter, case: str) -> None:
        """QueryError: it is no text."""
        with expect(QueryError, "a str with a lone surrogate"):
            await there_and_back(db, "s", case)
        assert await db.fetch_value(COUNT) == 0, "a text that is refused is not stored"

    @pytest.mark.parametrize("column", ["n", "s", "b"])
    async def test_an_object_is_refused(self, db: DatabaseAdapter, column: str) -> None:
        """QueryError: it is not stored as what `str` makes of it."""
        with expect(QueryError, "an object of no type that a database has"):
            await there_and_back(db, column, object())
        assert await db.fetch_value(COUNT) == 0, "an object is not stored as what `str` makes of it"

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Python's own sqlite3, which turns dates into text
    @by_name(OTHERS)
    async def test_another_value_is_kept_or_refused(
        self, db: DatabaseAdapter, case: tuple[Any, Callable[[str], Any]]
    ) -> None:
        """Dates and decimals are the backend's own: here, in a column of text, as it writes them; or QueryError."""
        value, read = case
        try:
            back = await there_and_back(db, "s", value)
        except QueryError:
            return
        assert read(str(back)) == value, "a value of another type is kept as what it is, or refused with QueryError"

    async def test_hostile_values_side_by_side(self, db: DatabaseAdapter) -> None:
        """By `insert_many`, which often takes another way than `execute`, and by `stream`."""
        texts, blobs = [*TEXTS.values()], [*BLOBS.values()]
        rows = [
            (number, [*INTEGERS.values()][number % len(INTEGERS)], text, [*FLOATS.values()][number % len(FLOATS)],
             blobs[number % len(blobs)], None if number % 3 else True)
            for number, text in enumerate(texts)
        ]  # fmt: skip
        assert await db.insert_many("things", ["id", "n", "s", "x", "b", "t"], rows) == len(texts), "all are inserted"
        back = [tuple(row) async for row in db.stream("SELECT id, n, s, x, b, t FROM things ORDER BY id", batch_size=5)]
        assert back == rows, "what insert_many() takes and stream() gives is what execute() and fetch_all() do"


async def there_and_back(db: DatabaseAdapter, column: str, value: Any) -> Any:
    """Store one value in the column for its type, and read it."""
    await db.execute(f"INSERT INTO things (id, {column}) VALUES ($1, $2)", 1, value)
    return await db.fetch_value(f"SELECT {column} FROM things WHERE id = $1", 1)
