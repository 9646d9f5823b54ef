"""Which error is for what, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oneiric.errors import ConstraintViolation, NotInitialized, QueryError
from oneiric.testing.database.things import COUNT, INSERT, DatabaseTests, ids
from oneiric.testing.database.transactions import CALLS
from oneiric.testing.expecting import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.database.base import DatabaseAdapter

WRONG: dict[str, Any] = {
    "nonsense": "SELEKT 1",
    "unfinished": "SELECT (1",
    "open-string": "SELECT 'abc",
    "no-such-table": "SELECT * FROM nowhere",
    "no-such-column": "SELECT nothing FROM things",
    "no-such-function": "SELECT no_such_function(1)",
    "empty": "",
    "not-a-string": b"SELECT 1",
    "none": None,
}
LISTS: dict[str, str] = {
    "two-inserts": "INSERT INTO things (id) VALUES (1); INSERT INTO things (id) VALUES (2)",
    "insert-and-drop": "INSERT INTO things (id) VALUES (1); DROP TABLE things",
    "select-and-insert": "SELECT 1; INSERT INTO things (id) VALUES (1)",
    "insert-and-nonsense": "INSERT INTO things (id) VALUES (1); nonsense",
}
OF_TRANSACTIONS = ["BEGIN", "begin transaction", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "\n  Begin"]
CANARY = "c4n4ry-of-a-value"


class ErrorTests(DatabaseTests):
    """`QueryError`, `ConstraintViolation`, `NotInitialized`."""

    @pytest.mark.parametrize("method", ["execute", "fetch_all", "fetch_one", "fetch_value"])
    @pytest.mark.parametrize("sql", WRONG.values(), ids=WRONG)
    async def test_a_wrong_statement_is_a_query_error(self, db: DatabaseAdapter, method: str, sql: Any) -> None:
        """And the adapter goes on."""
        with expect(QueryError, f"{method}({sql!r})"):
            await getattr(db, method)(sql)
        assert await db.fetch_value(COUNT) == 0, "the adapter goes on after an error"

    async def test_a_query_error_is_no_passing_trouble(self, db: DatabaseAdapter) -> None:
        """It names the adapter, has the driver's error as its cause, and is not transient."""
        with expect(QueryError, "a table that isn't there") as expected:
            await db.fetch_all("SELECT * FROM nowhere")
        error = expected.error
        assert error.adapter == db.name, "`.adapter` of an error is the adapter's name"
        assert not error.transient, "the same statement would fail again: `.transient` is False"
        assert error.__cause__ is not None, "the driver's own error is the `__cause__`"

    @pytest.mark.parametrize("method", ["execute", "fetch_all", "fetch_value"])
    @pytest.mark.parametrize("sql", LISTS.values(), ids=LISTS)
    async def test_a_second_statement_is_refused(self, db: DatabaseAdapter, method: str, sql: str) -> None:
        """Before the first is run."""
        with expect(QueryError, "two statements in one text"):
            await getattr(db, method)(sql)
        assert await db.fetch_value(COUNT) == 0, "of two statements in one text none is run"

    async def test_a_semicolon_at_the_end_is_no_second_statement(self, db: DatabaseAdapter) -> None:
        """Nor is what is only space or a comment."""
        assert await db.execute("INSERT INTO things (id) VALUES ($1);", 1) == 1, "a `;` at the end is allowed"
        assert await db.fetch_value("SELECT n FROM things ; ") is None, "a `;` at the end is allowed"

    @pytest.mark.parametrize("sql", OF_TRANSACTIONS)
    async def test_a_transaction_is_not_begun_by_a_statement(self, db: DatabaseAdapter, sql: str) -> None:
        """It would be left open on a connection that others get."""
        with expect(QueryError, f"`{sql.strip()}` as a statement"):
            await db.execute(sql)
        assert await db.execute(INSERT, 1, 1, "a") == 1, "the adapter goes on"
        async with db.transaction() as tx:
            with expect(QueryError, f"`{sql.strip()}` as a statement on a handle"):
                await tx.execute(sql)

    @pytest.mark.parametrize("kind", ["primary-key", "unique", "not-null", "check", "foreign-key"])
    async def test_a_broken_constraint_is_a_constraint_violation(self, db: DatabaseAdapter, kind: str) -> None:
        """Of whatever kind; nothing is stored, and the adapter goes on."""
        await db.execute(
            f"CREATE TABLE strict_things (id {self.integer_type} PRIMARY KEY, u {self.text_type} UNIQUE, "
            f"r {self.integer_type} NOT NULL, c {self.integer_type} CHECK (c > 0), "
            f"f {self.integer_type} REFERENCES things (id))"
        )
        insert = "INSERT INTO strict_things (id, u, r, c, f) VALUES ($1, $2, $3, $4, $5)"
        await db.execute(insert, 1, CANARY, 1, 1, None)
        wrong = {
            "primary-key": (1, "x", 1, 1, None),
            "unique": (2, CANARY, 1, 1, None),
            "not-null": (2, "x", None, 1, None),
            "check": (2, "x", 1, -1, None),
            "foreign-key": (2, "x", 1, 1, 404),
        }[kind]
        with expect(ConstraintViolation, f"a row that breaks a {kind} constraint") as expected:
            await db.execute(insert, *wrong)
        error = expected.error
        assert error.adapter == db.name, "`.adapter` of an error is the adapter's name"
        assert not error.transient, "the same row would fail again: `.transient` is False"
        assert error.__cause__ is not None, "the driver's own error is the `__cause__`"
        assert CANARY not in str(error), "an error does not repeat a value: it may be somebody's secret"
        assert await db.fetch_value("SELECT count(*) FROM strict_things") == 1, (
            "a row that breaks a constraint is not stored"
        )

    async def test_an_error_does_not_repeat_a_value(self, db: DatabaseAdapter) -> None:
        """One that can't be bound, beside others that can: it may be somebody's secret."""
        with expect(QueryError, "a text with a lone surrogate") as expected:
            await db.execute(INSERT, 1, 1, f"{CANARY}\ud800")
        assert CANARY not in str(expected.error), "an error does not repeat a value: it may be somebody's secret"
        with expect(QueryError, "an integer beyond 64 bits") as expected:
            await db.execute(INSERT, 1, 98_765_432_109_876_543_210, CANARY)
        assert CANARY not in str(expected.error), "an error does not repeat a value: it may be somebody's secret"
        assert "98765432109876543210" not in str(expected.error), "an error does not repeat a value"

    async def test_a_statement_that_fails_does_nothing(self, db: DatabaseAdapter) -> None:
        """A call is all or nothing: of its three rows the last breaks a constraint."""
        await db.execute(INSERT, 3, 3, "taken")
        with expect(ConstraintViolation, "an INSERT of three rows, of which one has a key that is taken"):
            await db.execute("INSERT INTO things (id) VALUES ($1), ($2), ($3)", 1, 2, 3)
        assert await ids(db) == [3], "a statement that fails has done nothing"

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    @pytest.mark.parametrize("when", ["before-init", "after-cleanup"])
    async def test_a_call_without_init_is_refused(
        self, make: Callable[..., Any], call: Callable[[Any], Any], when: str
    ) -> None:
        """Each method, before `init()` and after `cleanup()`."""
        adapter = make()
        if when == "after-cleanup":
            await adapter.init()
            await adapter.cleanup()
        with expect(NotInitialized, f"a call {when.replace('-', ' ')}() is called"):
            await call(adapter)

    async def test_raw_needs_init(self, make: Callable[..., Any]) -> None:
        """And gives the driver's object afterwards."""
        adapter = make()
        with expect(NotInitialized, "`raw` before init()"):
            assert adapter.raw, "it is not reached"
        async with adapter:
            assert adapter.raw is not None, "`raw` is the driver's own object"
