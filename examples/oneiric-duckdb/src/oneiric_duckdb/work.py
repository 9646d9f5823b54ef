"""What runs in a connection's thread."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import duckdb
from oneiric.errors import QueryError

from oneiric_duckdb.errors import CallersOwn
from oneiric_duckdb.row import DuckdbRow
from oneiric_duckdb.statement import check_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from threading import Event

    from duckdb import DuckDBPyConnection

    from oneiric_duckdb.statement import Statement

_BATCH = 1_000
"""How many rows are read or bound at a time: meanwhile no other thread runs any Python, that of the event loop neither."""
_BY_COLUMN = frozenset({int, float, str, bytes, bool})
"""The types of which a list keeps what each value is."""


class Call:
    """A call's connection, and word from its caller that nobody waits any more."""

    def __init__(self, connection: DuckDBPyConnection, stop: Event) -> None:
        self.connection = connection
        self.stop = stop

    def run(self, statement: Statement, values: Mapping[str, Any]) -> DuckDBPyConnection:
        """Execute a statement."""
        self.check()
        return self.connection.execute(statement.parsed, values)

    def check(self) -> None:
        """Raise where nobody waits: between two statements there is nothing that DuckDB could interrupt."""
        if self.stop.is_set():
            raise duckdb.InterruptException


def fetch_all(call: Call, statement: Statement, values: Mapping[str, Any]) -> list[DuckdbRow]:
    """Every row."""
    call.run(statement, values)
    return [row for batch in _batches(call) for row in batch]


def fetch_one(call: Call, statement: Statement, values: Mapping[str, Any]) -> DuckdbRow | None:
    """The first row; what writes is run to its end."""
    if not statement.is_query:
        return next(iter(fetch_all(call, statement, values)), None)
    call.run(statement, values)
    found = batch(call, 2)
    if len(found) > 1:  # the others are left, and with them goes the snapshot that they were to be read from
        call.connection.execute("SELECT NULL").fetchall()
    return found[0] if found else None


def execute(call: Call, statement: Statement, values: Mapping[str, Any]) -> int:
    """Run to the end; how many rows were changed."""
    call.run(statement, values)
    if statement.changes and not statement.returns:
        return int(call.connection.fetchall()[0][0])
    rows = sum(map(len, _batches(call)))
    return rows if statement.returns else 0


def execute_many(call: Call, statement: Statement, rows: Iterable[Sequence[Any]]) -> int:
    """Run once a row; how many rows were changed altogether."""
    return sum(execute(call, statement, statement.bind(row)) for row in _given(rows))


def insert_many(call: Call, one: Statement, many: Statement, rows: Iterable[Sequence[Any]]) -> int:
    """Insert rows, a batch of them by its columns, which is some sixty times as fast as row by row."""
    given = _given(rows)
    inserted = 0
    while some := list(islice(given, _BATCH)):
        if any(len(row) != one.count for row in some):
            raise QueryError(f"Each row has {one.count} values, one a column.")
        columns = [list(column) for column in zip(*some, strict=True)]
        if all(map(_is_of_one_type, columns)):
            for column in columns:
                for value in column:
                    check_value(value)
            inserted += execute(call, many, many.bind(columns))
        else:
            inserted += sum(execute(call, one, one.bind(row)) for row in some)
    return inserted


def whole(call: Call, work: Callable[[Call], int]) -> int:
    """Do several things in a transaction of their own: all of them or none."""
    begin(call)
    try:
        done = work(call)
        call.check()
        commit(call)
    except BaseException:
        roll_back(call)
        raise
    return done


def begin(call: Call) -> None:
    """Begin a transaction."""
    call.connection.begin()


def commit(call: Call) -> None:
    """End the transaction for good."""
    call.connection.commit()


def roll_back(call: Call) -> None:
    """End the transaction, where DuckDB hasn't yet: nothing of it is stored."""
    with suppress(duckdb.Error):
        call.connection.rollback()


def batch(call: Call, size: int) -> list[DuckdbRow]:
    """The next rows of what was executed last."""
    call.check()
    description = call.connection.description or []
    columns = {column[0]: index for index, column in enumerate(description)}
    return [DuckdbRow(columns, values) for values in call.connection.fetchmany(size)]


def _batches(call: Call) -> Iterator[list[DuckdbRow]]:
    while found := batch(call, _BATCH):
        yield found


def _given(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    try:
        yield from rows
    except Exception as error:
        raise CallersOwn(error) from error


def _is_of_one_type(column: list[Any]) -> bool:
    kinds = {type(value) for value in column if value is not None}
    return len(kinds) <= 1 and kinds <= _BY_COLUMN
