"""Which error is for what, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oneiric.errors import ConstraintViolation, NotInitialized, QueryError
from oneiric.testing.database.things import COUNT, INSERT, DatabaseTests, ids
from oneiric.testing.database.transactions import CALLS
from oneiric.testing.expecting import by_name, expect

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
    "nul": "SELECT 1\0",
    "lone-surrogate": "SELECT '\ud800'",
}
LISTS: dict[str, str] = {
    "two-inserts": "INSERT INTO things (id) VALUES (1); INSERT INTO things (id) VALUES (2)",
    "insert-and-drop": "INSERT INTO things (id) VALUES (1); DROP TABLE things",
    "select-and-insert": "SELECT 1; INSERT INTO things (id) VALUES (1)",
    "insert-and-nonsense": "INSERT INTO things (id) VALUES (1); nonsense",
}
OF_TRANSACTIONS = ["BEGIN", "begin transaction", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "\n  Begin"]
OF_TRANSACTIONS += ["START TRANSACTION", "/* a comment */ BEGIN", "-- a comment\nCOMMIT"]
ANY: dict[str, Callable[[Any, str], Any]] = {
    "execute": lambda db, sql: db.execute(sql),
    "execute_many": lambda db, sql: db.execute_many(sql, [()]),
    "fetch_all": lambda db, sql: db.fetch_all(sql),
    "fetch_value": lambda db, sql: db.fetch_value(sql),
    "stream": lambda db, sql: anext(db.stream(sql), None),
}
"""A statement without values, by any method."""
CANARY = "c4n4ry-of-a-value"
BEYOND = 98_765_432_109_876_543_210
"""More than 64 bits."""


class _Secretive:
    def __repr__(self) -> str:
        return CANARY


HIDDEN: dict[str, tuple[str, Any]] = {
    "lone-surrogate": ("s", f"{CANARY}\ud800"),
    "beyond-64-bits": ("n", BEYOND),
    "text-for-a-number": ("n", CANARY),
    "text-for-a-float": ("x", CANARY),
    "text-for-bytes": ("b", CANARY),
    "object": ("s", _Secretive()),
}
"""Values that a backend refuses, mostly, with the columns that they are for."""
INSERTS: dict[str, Callable[..., Any]] = {
    "execute": lambda db, table, column, value: db.execute(f"INSERT INTO {table} ({column}) VALUES ($1)", value),
    "execute_many": lambda db, table, column, value: db.execute_many(
        f"INSERT INTO {table} ({column}) VALUES ($1)", [(value,)]
    ),
    "insert_many": lambda db, table, column, value: db.insert_many(table, [column], [(value,)]),
}
WITH_VALUES: dict[str, Callable[..., Any]] = {
    "execute": lambda db, column, value: db.execute(f"INSERT INTO things (id, {column}) VALUES (1, $1)", value),
    "execute_many": lambda db, column, value: db.execute_many(
        f"INSERT INTO things (id, {column}) VALUES ($1, $2)", [(1, value)]
    ),
    "insert_many": lambda db, column, value: db.insert_many("things", ["id", column], [(1, value)]),
    "fetch_all": lambda db, column, value: db.fetch_all(f"SELECT id FROM things WHERE {column} = $1", value),
    "stream": lambda db, column, value: anext(db.stream(f"SELECT id FROM things WHERE {column} = $1", value), None),
}


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

    @pytest.mark.parametrize("call", ANY.values(), ids=ANY)
    @pytest.mark.parametrize("sql", LISTS.values(), ids=LISTS)
    async def test_a_second_statement_is_refused(
        self, db: DatabaseAdapter, call: Callable[[Any, str], Any], sql: str
    ) -> None:
        """Before the first is run."""
        with expect(QueryError, "two statements in one text"):
            await call(db, sql)
        assert await db.fetch_value(COUNT) == 0, "of two statements in one text none is run"

    async def test_a_semicolon_at_the_end_is_no_second_statement(self, db: DatabaseAdapter) -> None:
        """Nor is what is only space or a comment."""
        assert await db.execute("INSERT INTO things (id) VALUES ($1);", 1) == 1, "a `;` at the end is allowed"
        assert await db.fetch_value("SELECT n FROM things ; ") is None, "a `;` at the end is allowed"

    @pytest.mark.parametrize("sql", OF_TRANSACTIONS)
    async def test_a_transaction_is_not_begun_by_a_statement(self, db: DatabaseAdapter, sql: str) -> None:
        """It would be left open on a connection that others get."""
        for method, call in ANY.items():
            with expect(QueryError, f"{method}(`{sql.strip()}`)"):
                await call(db, sql)
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

    @pytest.mark.parametrize("call", WITH_VALUES.values(), ids=WITH_VALUES)
    @by_name(HIDDEN)
    async def test_an_error_does_not_repeat_a_value(
        self, db: DatabaseAdapter, case: tuple[str, Any], call: Callable[..., Any]
    ) -> None:
        """Whichever call it was given to: it may be somebody's secret. Where the backend takes it, there is no error."""
        column, value = case
        try:
            await call(db, column, value)
        except QueryError as error:
            shown = f"{error!s} {error!r} {getattr(error, '__notes__', '')}"
            assert CANARY not in shown, "an error does not repeat a value: it may be somebody's secret"
            assert str(BEYOND) not in shown, "an error does not repeat a value: it may be somebody's secret"

    @pytest.mark.parametrize("call", INSERTS.values(), ids=INSERTS)
    async def test_an_error_does_not_repeat_a_key_that_is_taken(
        self, db: DatabaseAdapter, call: Callable[..., Any]
    ) -> None:
        """The driver's sentence often does."""
        await db.execute(f"CREATE TABLE names (s {self.text_type} PRIMARY KEY)")
        await db.execute("INSERT INTO names (s) VALUES ($1)", CANARY)
        with expect(ConstraintViolation, "a key that is taken") as expected:
            await call(db, "names", "s", CANARY)
        shown = f"{expected.error!s} {expected.error!r} {getattr(expected.error, '__notes__', '')}"
        assert CANARY not in shown, "an error does not repeat a value: it may be somebody's secret"

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
