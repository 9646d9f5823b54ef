"""What runs in a connection's thread: one function a kind of call, each of them one hop."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Any

from oneiric_sqlite.statement import Kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from oneiric_sqlite.statement import Statement


def fetch_all(database: sqlite3.Connection, sql: str, values: Any) -> list[sqlite3.Row]:
    """Every row."""
    cursor = database.execute(sql, values)
    try:
        return cursor.fetchall()
    finally:  # a statement that is not reset would hold its snapshot, even after an error
        cursor.close()


def fetch_one(database: sqlite3.Connection, sql: str, values: Any) -> sqlite3.Row | None:
    """The first row. (SQLite makes all changes of a `RETURNING` statement before its first row.)"""
    cursor = database.execute(sql, values)
    try:
        return cursor.fetchone()  # type: ignore[no-any-return]
    finally:
        cursor.close()


def fetch_value(database: sqlite3.Connection, sql: str, values: Any) -> Any:
    """The first column of the first row."""
    row = fetch_one(database, sql, values)
    return None if row is None else row[0]


def execute(database: sqlite3.Connection, sql: str, values: Any) -> int:
    """Run to the end; how many rows were changed."""
    before = database.total_changes
    cursor = database.execute(sql, values)
    try:
        if cursor.description is not None:
            deque(cursor, maxlen=0)
        changed = cursor.rowcount
    finally:
        cursor.close()
    if changed >= 0:
        return changed
    # The driver doesn't count what is written behind a WITH. `changes()` is stale where nothing was changed.
    return fetch_value(database, "SELECT changes()", ()) if database.total_changes != before else 0


def execute_many(database: sqlite3.Connection, statement: Statement, rows: Iterable[Sequence[Any]]) -> int:
    """Run once a row; how many rows were changed altogether."""
    if statement.kind is Kind.WITH:
        return sum(execute(database, statement.sql, statement.bind(row)) for row in rows)
    given = rows if statement.names is None else (statement.bind(row) for row in rows)
    with closing(database.executemany(statement.sql, given)) as cursor:
        return max(cursor.rowcount, 0)


def begin(database: sqlite3.Connection) -> None:
    """Start a transaction that may write: one that became so later could fail at once (SQLITE_BUSY_SNAPSHOT)."""
    database.execute("BEGIN IMMEDIATE")


def commit(database: sqlite3.Connection) -> None:
    """Commit, or roll back and raise."""
    try:
        database.execute("COMMIT")
    except BaseException:
        rollback(database)
        raise


def rollback(database: sqlite3.Connection) -> None:
    """Roll back, where SQLite hasn't yet."""
    if database.in_transaction:
        database.execute("ROLLBACK")


def savepoint(database: sqlite3.Connection, name: str) -> None:
    """Start a transaction inside the transaction."""
    database.execute(f"SAVEPOINT {name}")


def release(database: sqlite3.Connection, name: str) -> None:
    """Make a savepoint's changes part of what is around it."""
    database.execute(f"RELEASE {name}")


def roll_back_to(database: sqlite3.Connection, name: str) -> None:
    """Undo a savepoint's changes and end it."""
    database.execute(f"ROLLBACK TO {name}")
    database.execute(f"RELEASE {name}")


def many_at_savepoint(database: sqlite3.Connection, statement: Statement, rows: Iterable[Sequence[Any]]) -> int:
    """`execute_many` inside a transaction: all of them or none."""
    savepoint(database, "oneiric_many")
    try:
        changed = execute_many(database, statement, rows)
    except BaseException:
        if database.in_transaction:
            roll_back_to(database, "oneiric_many")
        raise
    release(database, "oneiric_many")
    return changed
