"""Many rows in one call: COPY, a stream of one statement's values, and COPY to a temporary table that is merged."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count as numbers
from typing import TYPE_CHECKING, Any, Self

import asyncpg
from oneiric.errors import QueryError

from oneiric_postgres.errors import CallersOwn, unbindable
from oneiric_postgres.lexer import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oneiric_postgres.deadline import Deadline
    from oneiric_postgres.statement import Statement

_CAN_NOT_COPY = """
SELECT c.relkind OPERATOR(pg_catalog.=) 'v'::pg_catalog."char" OR pg_catalog.row_security_active(c.oid)
FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid
"""
_COUNTABLE = frozenset({"INSERT", "UPDATE", "DELETE"})
_temporary = numbers(1)


def quoted(name: object) -> str:
    """A name as an identifier in SQL."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise QueryError("The name of a table or column is a string that is not empty and holds no NUL.")
    try:
        name.encode()
    except UnicodeError:
        raise QueryError("The name of a table or column holds a lone surrogate, which is no character.") from None
    return '"' + name.replace('"', '""') + '"'


def count(status: str) -> int:
    """How many rows a command's tag says: `INSERT 0 5` says 5."""
    number = status.rpartition(" ")[2]
    return int(number) if number.isdecimal() and not status.startswith("SELECT") else 0


@dataclass(frozen=True, slots=True)
class Target:
    """A table and columns of it."""

    schema: str | None
    table: str
    columns: tuple[str, ...]
    sql: str
    """The table, quoted."""

    @classmethod
    def of(cls, table: object, columns: Sequence[str]) -> Self:
        """Raises QueryError where these can't be names."""
        if isinstance(columns, str) or not columns or len(set(columns)) < len(columns):
            raise QueryError("The columns are a list of names, at least one, and none twice.")
        for column in columns:
            quoted(column)
        parts = table.split(".") if isinstance(table, str) else [table]
        if len(parts) > 2:
            raise QueryError("The table is `table` or `schema.table`.")
        sql = ".".join(quoted(part) for part in parts)
        return cls(parts[0] if len(parts) == 2 else None, parts[-1], tuple(columns), sql)  # type: ignore[arg-type]

    @property
    def names(self) -> str:
        """The columns, quoted."""
        return ", ".join(map(quoted, self.columns))

    @property
    def insertion(self) -> str:
        """An INSERT of one row, that gives a row for each that it inserts."""
        marks = ", ".join(f"${number}" for number, _ in enumerate(self.columns, 1))
        return f"INSERT INTO {self.sql} ({self.names}) VALUES ({marks}) RETURNING 1"  # noqa: S608 - all is quoted


def checked(rows: Iterable[Sequence[Any]], length: int | None) -> Iterable[Sequence[Any]]:
    """The caller's rows, each looked at: of that length, and what the caller's own code raises is known as that.

    A list of tuples is looked at as a whole and given back as it is: a generator around 20,000 rows is felt beside COPY.
    """
    is_plain = length is not None and type(rows) in (list, tuple) and set(map(type, rows)) <= {tuple, list}
    if is_plain and set(map(len, rows)) <= {length}:
        return rows
    return _each(rows, length)


def _each(rows: Iterable[Sequence[Any]], length: int | None) -> Iterator[Sequence[Any]]:
    try:
        for row in rows:
            if length is not None:
                _check(row, length)
            yield row
    except (QueryError, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the caller gets it
        raise CallersOwn(error) from None


def _check(row: Sequence[Any], length: int) -> None:
    if isinstance(row, str | bytes | dict) or not hasattr(row, "__getitem__"):
        raise QueryError(f"A row is a sequence of values, not {type(row).__name__}.")
    if len(row) != length:
        raise QueryError(f"A row has {len(row)} values, and there are {length} columns.")


async def copy(
    connection: asyncpg.Connection, target: Target, rows: Iterable[Sequence[Any]], deadline: Deadline
) -> int | None:
    """COPY the rows; how many, or None where the server can't COPY into that table, and the rows are still to be had."""
    can_be_read_twice = isinstance(rows, list | tuple)
    if not can_be_read_twice and await connection.fetchval(_CAN_NOT_COPY, target.sql, timeout=deadline.left()):
        return None  # the driver begins to read the rows before it learns that
    try:
        status = await connection.copy_records_to_table(
            target.table,
            schema_name=target.schema,
            columns=target.columns,
            records=checked(rows, len(target.columns)),
            timeout=deadline.left(),
        )
    except (asyncpg.FeatureNotSupportedError, asyncpg.WrongObjectTypeError):
        if connection.is_in_transaction() or not can_be_read_twice:
            raise
        return None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, asyncpg.InternalClientError) as error:
        # What the caller's own code raises comes as CallersOwn: here the driver could not encode a value.
        raise unbindable(error, "A value") from error
    return count(status)


def counted(known: Statement) -> str | None:
    """The statement as one that gives a row for each that it affects, which can be counted; None where that can't be.

    The driver's `executemany` tells only what the last of its statements has affected.
    """
    if known.word not in _COUNTABLE:
        return None
    found = [piece for piece in pieces(known.sql) if piece.text != ";"]
    if any(piece.kind == "word" and piece.text.upper() == "RETURNING" for piece in found):
        return known.sql
    return f"{known.sql[: found[-1].end]}\nRETURNING 1"


async def execute_each(
    connection: asyncpg.Connection, sql: str, rows: Iterable[Sequence[Any]], deadline: Deadline
) -> int:
    """Run a statement that `RETURNING`s for each row of values, all or none; how many rows it has returned."""
    return len(await connection.fetchmany(sql, checked(rows, None), timeout=deadline.left()))


async def execute_one_by_one(
    connection: asyncpg.Connection, known: Statement, rows: Iterable[Sequence[Any]], deadline: Deadline
) -> int:
    """The same with any statement, in a transaction that the caller has begun."""
    affected = 0
    for row in checked(rows, None):
        _, status, _ = await connection._execute(known.sql, row, 0, deadline.left(), return_status=True)  # noqa: SLF001
        affected += count(status.decode()) if known.counts_rows else 0
    return affected


@dataclass(frozen=True, slots=True)
class Merge:
    """An INSERT … ON CONFLICT from a temporary table, which is filled by COPY."""

    target: Target
    conflict: tuple[str, ...]
    update: tuple[str, ...]

    @classmethod
    def of(cls, target: Target, conflict: Sequence[str], update: Sequence[str] | None) -> Self:
        """Raises QueryError where the columns don't fit together."""
        if isinstance(conflict, str) or not conflict or not set(conflict) <= set(target.columns):
            raise QueryError("`conflict` is a list of at least one of the columns.")
        if update is None:
            update = [column for column in target.columns if column not in conflict]
        if isinstance(update, str) or not set(update) <= set(target.columns):
            raise QueryError("`update` is a list of some of the columns, or None for all that are not in `conflict`.")
        return cls(target, tuple(conflict), tuple(update))

    async def run(self, connection: asyncpg.Connection, rows: Iterable[Sequence[Any]], deadline: Deadline) -> int:
        """Do it, in a transaction that the caller has begun; how many rows were inserted or updated."""
        temporary = Target("pg_temp", f"oneiric_upsert_{next(_temporary)}", self.target.columns, "")
        name = f"pg_temp.{quoted(temporary.table)}"
        make = f"CREATE TEMPORARY TABLE {quoted(temporary.table)} ON COMMIT DROP AS "
        make += f"SELECT {self.target.names} FROM {self.target.sql} WITH NO DATA"  # noqa: S608 - all is quoted
        await connection.execute(make, timeout=deadline.left())
        await copy(connection, temporary, rows, deadline)
        status = await self._merge(connection, name, deadline)
        await connection.execute(f"DROP TABLE {name}", timeout=deadline.left())
        return count(status)

    async def _merge(self, connection: asyncpg.Connection, temporary: str, deadline: Deadline) -> str:
        # Most batches have each key once, and sorting them to find out takes as long as a third of the merge: the server
        # finds out itself, and refuses to update a row twice. Where it leaves rows as they are, it would say nothing.
        if self.update:
            try:
                sql = f"SAVEPOINT oneiric_merge; {self._sql(f'SELECT {self.target.names} FROM {temporary}')}"  # noqa: S608
                return await connection.execute(sql, timeout=deadline.left())  # type: ignore[no-any-return]
            except asyncpg.CardinalityViolationError:
                await connection.execute("ROLLBACK TO oneiric_merge", timeout=deadline.left())
        return await connection.execute(  # type: ignore[no-any-return]
            self._sql(self._last_of_each(temporary)), timeout=deadline.left()
        )

    def _sql(self, rows: str) -> str:
        keys = ", ".join(map(quoted, self.conflict))
        sets = ", ".join(f"{quoted(column)} = EXCLUDED.{quoted(column)}" for column in self.update)
        action = f"UPDATE SET {sets}" if sets else "NOTHING"
        return f"INSERT INTO {self.target.sql} ({self.target.names}) {rows} ON CONFLICT ({keys}) DO {action}"

    def _last_of_each(self, temporary: str) -> str:
        """The last row of each key, as they lie in the temporary table in their order. Keys with a NULL all differ."""
        keys = ", ".join(map(quoted, self.conflict))
        has_null = " OR ".join(f"{quoted(column)} IS NULL" for column in self.conflict)
        own = f"CASE WHEN {has_null} THEN ctid END"
        names = self.target.names
        return f"SELECT DISTINCT ON ({keys}, {own}) {names} FROM {temporary} ORDER BY {keys}, {own}, ctid DESC"  # noqa: S608
