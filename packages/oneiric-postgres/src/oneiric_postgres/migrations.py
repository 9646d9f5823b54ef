"""Migrations: numbered .sql files, applied in order, each once and as a whole, by however many processes at once."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.errors import DatabaseError

from oneiric_postgres.errors import translated
from oneiric_postgres.lexer import pieces
from oneiric_postgres.statement import OF_TRANSACTIONS

if TYPE_CHECKING:
    from os import PathLike

    import asyncpg

    from oneiric_postgres.deadline import Deadline

_FILE = re.compile(r"(\d{1,18})_([A-Za-z0-9][A-Za-z0-9_-]*)\.sql")
_LOCK = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1 || pg_catalog.current_schema(), 0))"
_TABLE = "oneiric_migrations"
_MAKE = (
    f"CREATE TABLE IF NOT EXISTS {_TABLE} (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, "
    "applied_at TIMESTAMPTZ NOT NULL DEFAULT pg_catalog.now())"
)


class MigrationError(DatabaseError, ValueError):
    """The files and what was applied don't fit together, or a file fails; nothing of that file is stored."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    number: int
    name: str
    """The file's, without its number."""
    checksum: str
    """SHA-256 of its text, whatever its line ends."""
    sql: str

    @property
    def file(self) -> str:
        """What it is called in sentences."""
        return f"{self.number:04}_{self.name}.sql"


def read(folder: str | PathLike[str]) -> list[Migration]:
    """The migrations of a folder, in order. Raises MigrationError for whatever can't be one."""
    path = Path(folder)
    try:
        files = sorted(file for file in path.iterdir() if file.suffix == ".sql")
        found = [_read(file) for file in files]
    except OSError as error:
        raise MigrationError(
            f"The migrations can't be read: {error.strerror}.", hint="Give a folder of .sql files."
        ) from error
    found.sort(key=lambda each: each.number)
    for one, other in pairwise(found):
        if one.number == other.number:
            raise MigrationError(f"{one.file} and {other.file} have the same number.", hint="Give one of them another.")
    return found


def _read(file: Path) -> Migration:
    match = _FILE.fullmatch(file.name)
    if match is None:
        raise MigrationError(f"{file.name} is no name of a migration.", hint="Call it 0001_what_it_does.sql.")
    try:
        sql = file.read_text(encoding="utf-8")
    except UnicodeError:
        raise MigrationError(f"{file.name} is not UTF-8.") from None
    migration = Migration(int(match[1]), match[2], hashlib.sha256(sql.encode()).hexdigest(), sql)
    _check(migration)
    return migration


def _check(migration: Migration) -> None:
    """Refuse a file that would leave the transaction that it is applied in."""
    if "\0" in migration.sql:
        raise MigrationError(f"{migration.file} holds a NUL character.")
    is_first, is_body = True, False
    for piece in pieces(migration.sql):
        word = piece.text.upper() if piece.kind == "word" else piece.text
        is_body = is_body or word == "ATOMIC"  # of BEGIN ATOMIC … END, whose statements are a function's
        if is_first and not is_body and word in OF_TRANSACTIONS:
            raise MigrationError(
                f"{migration.file} has a {word}: each file is applied in a transaction of its own.",
                hint="Leave it out; what can't be in a transaction (CREATE INDEX CONCURRENTLY) is done by hand.",
            )
        is_first = word == ";"


async def apply_next(
    connection: asyncpg.Connection, files: list[Migration], adapter: str | None, deadline: Deadline
) -> Migration | None:
    """Apply the first file that is not applied yet, in a transaction that the caller has begun; None where all are.

    Everything is looked at first, under a lock that other processes wait for.
    """
    # The lock ends with the transaction, so nothing has to be undone, and PgBouncer is no trouble.
    await connection.fetchval(_LOCK, f"{_TABLE}.", timeout=deadline.left())
    await connection.execute(_MAKE, timeout=deadline.left())
    rows = await connection.fetch(f"SELECT number, name, checksum FROM {_TABLE}", timeout=deadline.left())  # noqa: S608
    pending = _pending(files, {row["number"]: row for row in rows})
    if not pending:
        return None
    migration = pending[0]
    try:
        await connection.execute(migration.sql, timeout=deadline.left())  # many statements, as it has no values
    except Exception as error:
        ours = translated(error, adapter, migration.sql)
        if not isinstance(ours, DatabaseError):
            raise
        raise MigrationError(
            f"{migration.file} fails, and nothing of it is stored: {ours.message}", adapter=adapter, hint=ours.hint
        ) from error
    insert = f"INSERT INTO {_TABLE} (number, name, checksum) VALUES ($1, $2, $3)"  # noqa: S608
    await connection.execute(insert, migration.number, migration.name, migration.checksum, timeout=deadline.left())
    return migration


def _pending(files: list[Migration], applied: dict[int, Any]) -> list[Migration]:
    """The files that are to be applied. Raises MigrationError where what was applied is no beginning of them."""
    there = {each.number: each for each in files}
    missing = sorted(set(applied) - set(there))
    if missing:
        row = applied[missing[0]]
        raise MigrationError(
            f"{row['number']:04}_{row['name']}.sql was applied, and its file is gone.", hint="Bring it back."
        )
    changed = [each for each in files if each.number in applied and applied[each.number]["checksum"] != each.checksum]
    if changed:
        raise MigrationError(
            f"{changed[0].file} has changed since it was applied.",
            hint="Bring it back as it was, and write what is new into another file.",
        )
    pending = [each for each in files if each.number not in applied]
    if pending and applied and pending[0].number < max(applied):
        raise MigrationError(
            f"{pending[0].file} comes before {max(applied):04}, which is applied already.",
            hint="Give it a number after the last one.",
        )
    return pending
