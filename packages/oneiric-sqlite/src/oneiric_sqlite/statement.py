"""A statement as SQLite's driver takes it: `$1` placeholders rewritten, and what kind of statement it is."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from oneiric.errors import QueryError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_CACHED = 10_000
"""Longer statements (generated ones, mostly) are not kept, so that the cache stays small."""

_MAX_PLACEHOLDER = 32_766
"""SQLite's own limit, as it is compiled by default."""

# What is not a placeholder comes first, so that a `$1` inside it is passed over. An open string or comment goes to the
# end of the text; SQLite says what it thinks of that.
_TOKEN = re.compile(
    r"""
    '[^']*'? | "[^"]*"? | `[^`]*`? | \[[^\]]*\]?        # strings and quoted identifiers
    | --[^\n]* | /\*.*?(?:\*/|\Z)                       # comments
    | [^\W\d][\w$]*                                     # names and keywords, which may hold a `$`
    | \$(?P<number>[0-9]+)(?![\w$])
    | (?P<foreign>\?[0-9]* | [$:@\#][\w$]+)                # SQLite's other placeholders
    """,
    re.VERBOSE | re.DOTALL,
)
_FIRST_WORD = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)|;)*(\w*)", re.DOTALL)


class Kind(Enum):
    """What has to be known of a statement before it runs."""

    READ = auto()
    """Runs on a reader."""
    WITH = auto()
    """Reads, or writes behind its `WITH`: only SQLite knows."""
    WRITE = auto()
    """Changes rows; may share a commit with others."""
    OTHER = auto()
    """DDL, PRAGMA, VACUUM, …: runs alone on the writer."""


_KINDS = {
    "SELECT": Kind.READ,
    "VALUES": Kind.READ,
    "EXPLAIN": Kind.READ,
    "WITH": Kind.WITH,
    "INSERT": Kind.WRITE,
    "REPLACE": Kind.WRITE,
    "UPDATE": Kind.WRITE,
    "DELETE": Kind.WRITE,
}
_TRANSACTION_WORDS = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"})


class Statement:
    """One statement's SQL for the driver, how many values it takes, and its kind.

    Where the placeholders are `$1, $2, …` once each and in order, which is nearly always, they become plain `?`. Otherwise
    they stay and are bound by name: a sequence for numbered placeholders is deprecated in some releases of Python 3.12.
    """

    __slots__ = ("count", "is_known_to_write", "kind", "names", "sql")

    def __init__(self, sql: str, count: int, names: tuple[str, ...] | None, kind: Kind) -> None:
        self.sql = sql
        self.count = count
        self.names = names
        self.kind = kind
        self.is_known_to_write = kind is Kind.WRITE

    def bind(self, values: Sequence[Any]) -> Any:
        """The values as the driver takes them. Raises QueryError where their number is wrong."""
        if len(values) != self.count:
            raise QueryError(f"The statement takes {_number(self.count, 'value')}, and was given {len(values)}.")
        return values if self.names is None else dict(zip(self.names, values, strict=True))


def statement(sql: object) -> Statement:
    """What `sql` is. Raises QueryError or Unsupported where it can't be run at all."""
    if not isinstance(sql, str):
        raise QueryError(f"A statement is a string, not {type(sql).__name__}.")
    return _cached(sql) if len(sql) <= _MAX_CACHED else _parse(sql)


def quoted(name: object) -> str:
    """A name as an identifier in SQL."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise QueryError("The name of a table or column is a string that is not empty and holds no NUL.")
    return '"' + name.replace('"', '""') + '"'


def insertion(table: object, columns: Sequence[str]) -> Statement:
    """`INSERT INTO` that table with one value a column."""
    if isinstance(columns, str) or not columns or len(set(columns)) < len(columns):
        raise QueryError("The columns are a list of names, at least one, and none twice.")
    parts = table.split(".") if isinstance(table, str) else [table]
    if len(parts) > 2:
        raise QueryError("The table is `table` or `schema.table`.")
    names = ", ".join(quoted(column) for column in columns)
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO {'.'.join(quoted(part) for part in parts)} ({names}) VALUES ({marks})"  # noqa: S608 - quoted
    return Statement(sql, len(columns), None, Kind.WRITE)


def _parse(sql: str) -> Statement:
    kind = _kind(sql)
    numbers: list[int] = []

    def mark(token: re.Match[str]) -> str:
        if token["foreign"] is not None:
            raise QueryError(f"Placeholders are $1, $2, …, not `{token['foreign'][:20]}`.")
        if token["number"] is None:
            return token[0]
        numbers.append(_placeholder(token["number"]))
        return f"${numbers[-1]}"

    numbered = _TOKEN.sub(mark, sql)
    if numbers != list(range(1, len(numbers) + 1)):
        count = max(numbers)
        return Statement(numbered, count, tuple(str(number) for number in range(1, count + 1)), kind)
    plain = _TOKEN.sub(lambda token: token[0] if token["number"] is None else "?", sql)
    return Statement(plain, len(numbers), None, kind)


_cached = lru_cache(maxsize=512)(_parse)


def _placeholder(digits: str) -> int:
    number = int(digits[:9])
    if not 1 <= number <= _MAX_PLACEHOLDER:
        raise QueryError(f"A placeholder is $1 to ${_MAX_PLACEHOLDER}, not `${digits[:20]}`.")
    return number


def _kind(sql: str) -> Kind:
    first = _FIRST_WORD.match(sql)
    word = first[1].upper() if first else ""
    if not word:
        raise QueryError("The statement is empty." if first and first.end() == len(sql) else "This is not a statement.")
    if word in _TRANSACTION_WORDS:
        raise QueryError(
            f"{word} is not run as a statement: it would leave every task inside one transaction.",
            hint="Use `async with db.transaction() as tx:`, and `tx.transaction()` for a savepoint.",
        )
    if word in {"ATTACH", "DETACH"}:
        raise Unsupported(
            f"{word} is not supported: only one of the adapter's connections would see the other database.",
            hint="Configure a second instance for the other file, or use `raw`.",
        )
    return _KINDS.get(word, Kind.OTHER)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count or 'no'} {noun}s"
