"""A statement, as DuckDB's own parser reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
from oneiric.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INT64 = 1 << 63
_CHANGES = frozenset(
    {
        duckdb.StatementType.INSERT,
        duckdb.StatementType.UPDATE,
        duckdb.StatementType.DELETE,
        duckdb.StatementType.MERGE_INTO,
    }
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that can be run on any connection."""

    parsed: duckdb.Statement
    is_query: bool
    """Whether it is a SELECT, and so goes to a reader."""
    changes: bool
    """Whether it inserts, changes or deletes rows."""
    returns: bool
    """Whether it gives those rows, and not how many they are."""
    used: frozenset[str]
    """The placeholders in it, without the `$`: DuckDB wants no value for another."""
    count: int
    """How many values it takes: its highest placeholder."""

    def bind(self, values: Sequence[Any]) -> Mapping[str, Any]:
        """The values by their placeholders. Raises QueryError where their number is wrong, or one can't be."""
        if len(values) != self.count:
            raise QueryError(f"The statement takes {self.count} values, and was given {len(values)}.")
        bound = {str(number): value for number, value in enumerate(values, 1)}
        for value in values:
            check_value(value)
        return bound if len(self.used) == self.count else {name: bound[name] for name in self.used}


def parse(connection: duckdb.DuckDBPyConnection, sql: object) -> Statement:
    """Raises QueryError where it is not one statement, or one that begins or ends a transaction."""
    if not isinstance(sql, str):
        raise QueryError(f"A statement is a string, not {type(sql).__name__}.")
    if "\0" in sql:  # where DuckDB would take it to end
        raise QueryError("A statement holds no NUL character.")
    found = connection.extract_statements(sql)
    if len(found) != 1:
        raise QueryError("This is no statement." if not found else "One statement a call: there is a second one.")
    kind = found[0].type
    if kind == duckdb.StatementType.TRANSACTION:
        raise QueryError(
            "A transaction is not begun or ended by a statement.",
            hint="Use `async with db.transaction() as tx:`.",
        )
    used = frozenset(found[0].named_parameters)
    if not all(name.isdecimal() for name in used):
        raise QueryError("Placeholders are $1, $2, ….")
    changes = kind in _CHANGES
    return Statement(
        found[0],
        is_query=kind == duckdb.StatementType.SELECT,
        changes=changes,
        returns=changes and _returns(sql),
        used=used,
        count=max(map(int, used), default=0),
    )


def check_value(value: object) -> None:
    """Raise QueryError for an int beyond 64 bits: DuckDB would take one of 128, and no column of the contract's has them."""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise QueryError("An integer of more than 64 bits can't be bound.")


def insertion(table: object, columns: Sequence[str]) -> tuple[str, str]:
    """`INSERT INTO` that table, once with a value and once with a list of values for each column."""
    if isinstance(columns, str) or not columns or len(set(columns)) < len(columns):
        raise QueryError("The columns are a list of names, at least one, and none twice.")
    parts = table.split(".") if isinstance(table, str) else [table]
    if len(parts) > 2:
        raise QueryError("The table is `table` or `schema.table`.")
    start = f"INSERT INTO {'.'.join(map(_quoted, parts))} ({', '.join(map(_quoted, columns))})"
    marks = [f"${number}" for number, _ in enumerate(columns, 1)]
    return (
        f"{start} VALUES ({', '.join(marks)})",
        f"{start} SELECT {', '.join(f'unnest({mark})' for mark in marks)}",
    )


def _quoted(name: object) -> str:
    if not isinstance(name, str) or not name or "\0" in name:
        raise QueryError("The name of a table or column is a string that is not empty and holds no NUL.")
    return '"' + name.replace('"', '""') + '"'


def _returns(sql: str) -> bool:
    """Whether there is a RETURNING in it that is no name, string or comment."""
    if "returning" not in sql.lower():
        return False
    encoded = sql.encode()
    return any(
        kind == duckdb.token_type.keyword and encoded[start : start + 9].lower() == b"returning"
        for start, kind in duckdb.tokenize(sql)
    )
