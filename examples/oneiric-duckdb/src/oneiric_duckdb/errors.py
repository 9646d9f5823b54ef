"""DuckDB's errors as Oneiric's. What DuckDB says of a value is left out: it may be somebody's secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb
from oneiric.errors import (
    ConnectionFailed,
    ConstraintViolation,
    DeadlineExceeded,
    OneiricError,
    QueryError,
    TransactionClosed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_KEY = re.compile(r'(?:Duplicate key|because key) "([^":]+): ')
"""The first column of the key that a constraint is about; behind it is its value: `Duplicate key "id: 1"`."""
_COLUMN = re.compile(r"(?:NOT NULL constraint failed: \S+)|(?:CHECK constraint failed on table \S+)")


class CallersOwn(Exception):
    """What an iterable of rows raised: it comes to the caller as it is."""

    def __init__(self, original: Exception) -> None:
        super().__init__()
        self.original = original


def translated(error: Exception, adapter: str | None) -> OneiricError:
    """Our error for whatever was raised in a connection's thread, with the adapter's name in it."""
    ours = error if isinstance(error, OneiricError) else _translated(error)
    ours.adapter = adapter
    return ours


def cleaned_up() -> ConnectionFailed:
    """The error for a call that was under way when the adapter was cleaned up."""
    return ConnectionFailed("The adapter was cleaned up before this call was done.", transient=False)


def _translated(error: Exception) -> OneiricError:
    for kind, translate in _OURS.items():
        if isinstance(error, kind):
            return translate(str(error))
    return QueryError(f"DuckDB can't take one of the values, or compute with it: {type(error).__name__}.")


def _of_statement(text: str) -> OneiricError:
    sentence = text.partition("\n")[0]
    return QueryError(f"{sentence.rstrip('.')}.")


def _of_constraint(text: str) -> OneiricError:
    key = _KEY.search(text)
    about = f" (`{key[1]}`)" if key else ""
    if "foreign key" in text:
        return ConstraintViolation(f"A row refers to one that is not there, or is referred to{about}.")
    if "uplicate key" in text:
        return ConstraintViolation(f"The value of a unique or primary key is there already{about}.")
    named = _COLUMN.search(text)
    return ConstraintViolation(f"{named[0]}." if named else "A constraint of the table refuses the row.")


def _of_file(text: str) -> OneiricError:
    if "lock" in text:
        return ConnectionFailed(
            "Another process has the database's file open.", hint="DuckDB lets one process have it at a time."
        )
    return ConnectionFailed(
        "The database's file can't be opened, read or written.",
        hint="See that its directory is there, that it is a DuckDB file, and that the disk is not full.",
        transient=False,
    )


def _of_transaction(text: str) -> OneiricError:
    if "aborted" in text:
        return TransactionClosed("The transaction was rolled back, as a statement in it had failed.")
    return QueryError("Another connection has changed the same rows meanwhile.", transient=True)


_OURS: dict[type[Exception], Callable[[str], OneiricError]] = {
    duckdb.InterruptException: lambda _: DeadlineExceeded("The call didn't end in time; it was interrupted."),
    duckdb.ConstraintException: _of_constraint,
    duckdb.ParserException: _of_statement,
    duckdb.SyntaxException: _of_statement,
    duckdb.BinderException: _of_statement,
    duckdb.CatalogException: _of_statement,
    duckdb.TransactionException: _of_transaction,
    duckdb.IOException: _of_file,
    duckdb.ConnectionException: lambda _: cleaned_up(),
    duckdb.OutOfMemoryException: lambda _: QueryError("DuckDB has no memory left for this.", transient=True),
    duckdb.FatalException: lambda _: ConnectionFailed(
        "DuckDB can't go on with this database.", hint="Clean up, and init anew.", transient=False
    ),
}
"""The first kind that fits decides."""
