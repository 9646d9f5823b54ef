"""What `MemoryDatabase` runs in its thread: functions of a `sqlite3.Connection`."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from oneiric.errors import QueryError, TransactionClosed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

_OF_TRANSACTIONS = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE | re.DOTALL
)


class _Placeholders(dict[str, None]):
    """Stands in for the values when a statement is only compiled, and is asked for each of its placeholders."""

    def __getitem__(self, name: str) -> None:
        if not name.isdecimal():
            raise KeyError(name)
        self[name] = None


def run(database: sqlite3.Connection, sql: object, values: Sequence[Any]) -> sqlite3.Cursor:
    """Run one statement. Raises QueryError before anything is done where its placeholders and the values don't fit."""
    if not isinstance(sql, str) or _OF_TRANSACTIONS.match(sql):
        raise QueryError(
            "A statement is a string, and doesn't begin or end a transaction.", hint="Use `transaction()`."
        )
    for value in values:
        if value is not None and not isinstance(value, bool | int | float | str | bytes):
            raise QueryError(f"A value is None, a bool, int, float, str or bytes, not {type(value).__name__}.")
    placeholders = _Placeholders()
    database.execute(f"EXPLAIN {sql}", placeholders)
    count = max(map(int, placeholders), default=0)
    if len(values) != count:
        raise QueryError(f"The statement takes {count} values, and was given {len(values)}.")
    return database.execute(sql, {str(number): value for number, value in enumerate(values, 1)})


def first(database: sqlite3.Connection, sql: str, values: Sequence[Any]) -> sqlite3.Row | None:
    """The first row; what writes is run to its end."""
    with closing(run(database, sql, values)) as cursor:
        row: sqlite3.Row | None = cursor.fetchone()
        return row


def execute(database: sqlite3.Connection, sql: str, values: Sequence[Any]) -> int:
    """Run to the end; how many rows were changed."""
    before = database.total_changes
    run(database, sql, values).fetchall()
    if database.total_changes == before:
        return 0
    return int(database.execute("SELECT changes()").fetchone()[0])


def execute_many(database: sqlite3.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> int:
    """Run once a row, all or none; how many rows were changed altogether."""
    with savepoint(database, "many"):
        return sum(execute(database, sql, row) for row in rows)


@contextmanager
def savepoint(database: sqlite3.Connection, name: str) -> Iterator[None]:
    """What is done in the block is undone where it raises. Outside a transaction it is one."""
    database.execute(f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        undo(database, f"ROLLBACK TO {name}; RELEASE {name}")
        raise
    database.execute(f"RELEASE {name}")


def commit(database: sqlite3.Connection, sql: str) -> None:
    """End a transaction for good."""
    check_inside(database)
    database.execute(sql)


def undo(database: sqlite3.Connection, sql: str) -> None:
    """Undo a transaction, where SQLite hasn't yet."""
    database.set_progress_handler(None, 0)  # what interrupted the transaction must not interrupt this
    for statement in sql.split(";") if database.in_transaction else ():
        database.execute(statement)


def check_inside(database: sqlite3.Connection) -> None:
    """Raise TransactionClosed where SQLite has ended the transaction: a write that is interrupted takes all with it."""
    if not database.in_transaction:
        raise TransactionClosed("SQLite has rolled the whole transaction back.", hint="Run it again from the start.")


def insertion(table: object, columns: Sequence[str]) -> str:
    """`INSERT INTO` that table with one value a column."""
    parts = table.split(".") if isinstance(table, str) else [table]
    if isinstance(columns, str) or not columns or len(parts) > 2:
        raise QueryError("The table is `table` or `schema.table`, and the columns are a list of names, at least one.")
    marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    names = ", ".join(map(_quoted, columns))
    return f"INSERT INTO {'.'.join(map(_quoted, parts))} ({names}) VALUES ({marks})"


def listed(rows: Iterable[Sequence[Any]], label: str | None) -> list[tuple[Any, ...]]:
    """The rows as tuples. Raises QueryError for a string where a row should be, and what the iterable raises itself."""
    found = []
    for row in rows:
        if isinstance(row, str | bytes):
            raise QueryError("A row is a sequence of values.", adapter=label, hint="Also for one: `(value,)`.")
        found.append(tuple(row))
    return found


def _quoted(name: object) -> str:
    if not isinstance(name, str) or not name or "\0" in name:
        raise QueryError("The name of a table or column is a string that is not empty and holds no NUL.")
    return '"' + name.replace('"', '""') + '"'
