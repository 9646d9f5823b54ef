"""The table that the tests of the suite use, and what of its SQL depends on the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest_asyncio

from oneiric.adapters.database.base import DatabaseAdapter
from oneiric.testing.under_test import AdapterUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric.adapters.database.base import Queries

ALL = "SELECT id, n, s FROM things ORDER BY id"
COUNT = "SELECT count(*) FROM things"
INSERT = "INSERT INTO things (id, n, s) VALUES ($1, $2, $3)"

SOON = 20.0
"""Seconds within which everything here has to be over that doesn't wait for a deadline of its own."""


class DatabaseTests(AdapterUnderTest):
    """Base of the themes of the suite. The attributes are what an adapter's author may have to change.

    The defaults work with SQLite, PostgreSQL and DuckDB.
    """

    contract = DatabaseAdapter

    integer_type: ClassVar[str] = "BIGINT"
    """A type of columns for signed integers of 64 bits."""
    text_type: ClassVar[str] = "TEXT"
    """A type for text of any length."""
    float_type: ClassVar[str] = "DOUBLE PRECISION"
    """A type for IEEE doubles."""
    bytes_type: ClassVar[str] = "BYTEA"
    """A type for bytes of any length."""
    boolean_type: ClassVar[str] = "BOOLEAN"
    """A type for booleans; an integer's, where there are none."""
    schema: ClassVar[str] = "main"
    """The schema that tables are made in where none is said; `public` for PostgreSQL."""
    slow_query: ClassVar[str] = (
        "WITH RECURSIVE n(x) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT x + 1 FROM n WHERE x < 200000000) "
        "SELECT count(*) FROM n"
    )
    """A query that gives one number after half a minute or more, unless it is interrupted."""
    deferred_key: ClassVar[str | None] = "REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED"
    """What makes of a column a foreign key that is checked at the commit; None where the backend can't."""

    async def probe(self, adapter: Any) -> None:
        """One cheap call that reaches the backend."""
        await adapter.fetch_value("SELECT 1")

    @pytest_asyncio.fixture(loop_scope="function")
    async def db(self, adapter: DatabaseAdapter) -> AsyncIterator[DatabaseAdapter]:
        """The adapter, with an empty table `things`."""
        await adapter.execute(self.things())
        yield adapter

    def things(self) -> str:
        """The statement that makes the table."""
        return (
            f"CREATE TABLE things (id {self.integer_type} PRIMARY KEY, n {self.integer_type}, s {self.text_type}, "
            f"x {self.float_type}, b {self.bytes_type}, t {self.boolean_type})"
        )


async def fill(db: Queries, number: int) -> None:
    """Insert rows with the ids 0, 1, …"""
    await db.insert_many("things", ["id", "n", "s"], [(each, each % 7, f"s{each}") for each in range(number)])


async def ids(db: Queries) -> list[int]:
    """The ids that there are."""
    return [row[0] for row in await db.fetch_all("SELECT id FROM things ORDER BY id")]
