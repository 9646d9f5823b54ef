"""A statement, as far as its text tells: whether it may be run, what it does, and what may make it dirty a session."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.errors import OneiricError, QueryError, Unsupported

from oneiric_postgres.lexer import Piece, name_of, pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

OF_TRANSACTIONS = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"})
"""The words by which a transaction is begun, parted or ended."""
_READS = frozenset({"SELECT", "VALUES", "TABLE", "WITH"})
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_READ_ONLY = _READS | {"SHOW", "EXPLAIN", "("}
"""What may be run where nothing may be written: the others could switch that off (SET, DO, CALL), or only write."""
_OF_THE_SESSION = frozenset(
    {"SET", "RESET", "LISTEN", "UNLISTEN", "PREPARE", "DEALLOCATE", "DISCARD", "DECLARE", "LOAD"}
)
_FUNCTIONS_OF_THE_SESSION = frozenset(
    {
        "set_config", "setseed", "lastval", "currval",
        "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared",
    }
)  # fmt: skip
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_UNICODE = re.compile(r"""[uU]&['"]""")
_LONGEST = 20_000
"""Characters of a statement that is looked at for names; a longer one always dirties."""
_ALWAYS_IMPLIED = frozenset({"=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~", "||"})
"""Operators that words stand for: IN, BETWEEN, LIKE, SIMILAR TO, USING, CASE, NULLIF, DISTINCT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is refused beside the transactions' words."""

    read_only: bool = False
    pgbouncer: bool = False


class Statement:
    """What is known of one text of SQL. The adapter keeps these, and with them when a statement was last found clean."""

    __slots__ = ("ask_from", "clean_until", "is_ddl", "is_read", "names", "operators", "refusal", "sql", "uses", "word")

    def __init__(self, sql: str, word: str, refusal: tuple[type[OneiricError], str, str] | None) -> None:
        self.sql = sql
        self.word = word
        self.refusal = refusal
        self.is_read = False
        self.is_ddl = False
        self.names: frozenset[str] = frozenset()
        self.operators: frozenset[str] = frozenset()
        self.clean_until = 0.0
        """Until when, on the event loop's clock, it is known to leave a session as it was."""
        self.ask_from = math.inf
        """From when on the server may be asked whether it does; never, where its text tells already that it may not."""
        self.uses = 0

    def check(self, adapter: str | None) -> None:
        """Raise where it must not be run."""
        if self.refusal is not None:
            kind, message, hint = self.refusal
            raise kind(message, adapter=adapter, hint=hint)

    @property
    def counts_rows(self) -> bool:
        """Whether the number that the server reports is one of rows inserted, changed or deleted."""
        return self.word in _WRITES or self.word == "WITH"


def statement(sql: object, rules: Rules) -> Statement:
    """What `sql` is."""
    if not isinstance(sql, str):
        return _refused("", QueryError, f"A statement is a string, not {type(sql).__name__}.", "")
    if _NO_TEXT.search(sql):
        return _refused(sql, QueryError, "The statement holds a NUL character or a lone surrogate.", "")
    found = [piece for piece in pieces(sql) if piece.text != ";" or piece.end < len(sql)]
    while found and found[0].text == ";":
        del found[0]
    if not found:
        return _refused(sql, QueryError, "The statement is empty.", "")
    word = found[0].text.upper()
    known = Statement(sql, word, _refusal(word, found, rules))
    words = {piece.text.upper() for piece in found if piece.kind == "word"}
    # A statement in parentheses is a query, but one that reads as anything else is not looked into further.
    known.is_read = word in _READS and not words & (_WRITES | {"INTO"})
    known.is_ddl = word not in _READS | _WRITES | {"(", "SHOW", "EXPLAIN"}
    if known.is_read and _is_plain(sql, found):
        known.names = frozenset(name_of(piece) for piece in found if piece.kind in {"word", "quoted"})
        known.operators = _ALWAYS_IMPLIED.union(*(_within(piece.text) for piece in found if piece.kind == "operator"))
        known.ask_from = 0.0
    return known


def _is_plain(sql: str, found: Sequence[Piece]) -> bool:
    r"""Whether its pieces are what the server takes them for, whatever the server's settings.

    A backslash in a string depends on `standard_conforming_strings`; `U&"\0061"` is a name that isn't written out; bodies
    in dollars hold code.
    """
    if len(sql) > _LONGEST or "\\" in sql or _UNICODE.search(sql):
        return False
    return not any(piece.kind == "dollar" for piece in found)


def _within(run: str) -> set[str]:
    """Every operator that a run of operators' characters may hold: where one ends depends on which there are."""
    return {run[start:end] for start in range(len(run)) for end in range(start + 1, len(run) + 1)}


def _refused(sql: str, kind: type[OneiricError], message: str, hint: str) -> Statement:
    return Statement(sql, "", (kind, message, hint))


def _refusal(word: str, found: Sequence[Piece], rules: Rules) -> tuple[type[OneiricError], str, str] | None:
    second = found[1].text.upper() if len(found) > 1 else ""
    if word in OF_TRANSACTIONS or (word, second) == ("PREPARE", "TRANSACTION"):
        return (
            QueryError,
            f"{word} is not run as a statement: it would leave somebody else's call inside a transaction.",
            "Use `async with db.transaction() as tx:`, and `tx.transaction()` for a savepoint.",
        )
    if word == "COPY":
        return (
            Unsupported,
            "COPY is not run as a statement.",
            "Use insert_many() or stream(), or asyncpg's own methods on `raw`.",
        )
    if rules.read_only and word not in _READ_ONLY:
        return (
            QueryError,
            f"{word[:20]} is refused: the adapter is `read_only`.",
            "Use an instance that is not, or write what you mean as a SELECT.",
        )
    if rules.pgbouncer:
        return _refusal_of_pgbouncer(word, second, found)
    return None


def _refusal_of_pgbouncer(word: str, second: str, found: Sequence[Piece]) -> tuple[type[OneiricError], str, str] | None:
    names = {name_of(piece) for piece in found if piece.kind in {"word", "quoted"}}
    is_local = word == "SET" and second in {"LOCAL", "TRANSACTION", "CONSTRAINTS"}
    is_of_session = word in _OF_THE_SESSION and not is_local
    if word in {"CREATE", "SELECT"} and names & {"temp", "temporary"} and (word == "CREATE" or "into" in names):
        is_of_session = True
    if not is_of_session and not names & _FUNCTIONS_OF_THE_SESSION:
        return None
    return (
        Unsupported,
        f"{word[:20]} here changes the session, which behind PgBouncer is shared with others.",
        "Use what ends with the transaction (SET LOCAL, pg_advisory_xact_lock), or connect past PgBouncer.",
    )
