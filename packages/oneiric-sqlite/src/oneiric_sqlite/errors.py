"""From the driver's errors to Oneiric's."""

from __future__ import annotations

import re
import sqlite3

from oneiric.errors import (
    ConnectionFailed,
    ConstraintViolation,
    DeadlineExceeded,
    NotInitialized,
    OneiricError,
    QueryError,
    TransactionClosed,
)

_ROLLED_BACK = "SQLite has rolled the whole transaction back, as a statement in it failed; nothing of it is stored."

_WAITED = {
    sqlite3.SQLITE_BUSY: "Another connection or process holds the lock; keep transactions short, or raise `busy_timeout`.",
    sqlite3.SQLITE_LOCKED: "Something else on this connection is using the table; finish it first.",
}
_UNREACHABLE = {
    sqlite3.SQLITE_CANTOPEN: "Check that the directory exists, that it may be written to, and that the path is a file.",
    sqlite3.SQLITE_READONLY: "The file and its directory must be writable by this process.",
    sqlite3.SQLITE_PERM: "The file and its directory must be writable by this process.",
    sqlite3.SQLITE_AUTH: "The file and its directory must be writable by this process.",
    sqlite3.SQLITE_NOTADB: "The file is something else, or an encrypted database; check the path.",
    sqlite3.SQLITE_CORRUPT: "The database is damaged: restore it from a backup, or try `sqlite3 FILE .recover`.",
    sqlite3.SQLITE_FULL: "Free some space; nothing of this call is stored.",
    sqlite3.SQLITE_IOERR: "The disk or file system failed; look into the system's log.",
    sqlite3.SQLITE_NOLFS: "The file system can't hold a file this large.",
    sqlite3.SQLITE_PROTOCOL: "The file system's locks don't work; a database must not lie on a network drive.",
}
_OF_BINDING = (OverflowError, UnicodeError, TypeError, ValueError, sqlite3.Warning, DeprecationWarning)


class RolledBack(Exception):
    """SQLite has ended the transaction of its own accord."""


class Ended(Exception):
    """The transaction whose handle was used has ended."""


class CleanedUp(Exception):
    """The adapter was cleaned up before the call could be done."""


class OtherLoop(Exception):
    """The call came in another event loop than the one that `init()` ran in."""


class CallersOwn(Exception):
    """An iterable of rows that the caller gave has raised: the cause, which goes back to the caller as it is."""

    def __init__(self, original: BaseException) -> None:
        super().__init__()
        self.original = original


def translated(error: BaseException, adapter: str | None) -> BaseException:
    """Oneiric's error for one of the driver's; another is given back as it is."""
    ours = _translated(error)
    if ours is None:
        return error
    ours.adapter = adapter
    return ours


def _translated(error: BaseException) -> OneiricError | None:
    if isinstance(error, OneiricError):
        return error
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error)
    if isinstance(error, RolledBack):
        return TransactionClosed(_ROLLED_BACK, hint="Run it again from the start.")
    if isinstance(error, Ended):
        return TransactionClosed(
            "The transaction has ended.", hint="Use the handle inside its `async with` block only."
        )
    if isinstance(error, CleanedUp):
        return ConnectionFailed("The adapter was cleaned up before this call was done.", transient=False)
    if isinstance(error, OtherLoop):
        return NotInitialized(
            "The adapter was initialised in another event loop.",
            hint="Call `await adapter.init()` in this one; better, `cleanup()` in the other first.",
        )
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("The database didn't open in time.")
    if isinstance(error, _OF_BINDING):
        return _of_binding(error)
    return None


def _of_sqlite(error: sqlite3.Error) -> OneiricError:
    extended = getattr(error, "sqlite_errorcode", None)
    if extended is None:  # raised by Python's module, before SQLite saw the statement or after it gave a row
        return QueryError(_sentence(error), hint=_text_hint(error) or _binding_hint(error))
    code = extended & 0xFF
    said = f"{_sentence(error)} ({error.sqlite_errorname})"
    if code == sqlite3.SQLITE_CONSTRAINT:
        return ConstraintViolation(said)
    if code in _WAITED:
        return DeadlineExceeded(f"{said}; nothing was done.", hint=_WAITED[code])
    if code in _UNREACHABLE:
        return ConnectionFailed(f"{said}.", hint=_UNREACHABLE[code], transient=False)
    if code == sqlite3.SQLITE_INTERRUPT:
        return ConnectionFailed(f"{said}: the adapter was cleaned up, or `raw` was interrupted.")
    return QueryError(_sentence(error) if extended == sqlite3.SQLITE_ERROR else said)


def _of_binding(error: BaseException) -> QueryError:
    if isinstance(error, UnicodeError):  # the driver's own sentence would show a piece of the value
        return QueryError("A string holds a lone surrogate, which is no character: SQLite stores text as UTF-8.")
    if isinstance(error, OverflowError):
        return QueryError("An integer is too large: SQLite's have 64 bits.", hint="Store it as text.")
    return QueryError(f"{type(error).__name__}: {_sentence(error)}", hint=_binding_hint(error))


def _binding_hint(error: BaseException) -> str | None:
    if "is not supported" not in str(error) and not isinstance(error, DeprecationWarning):
        return None
    return "Bind None, a bool, int, float, str or bytes; turn anything else into one of these first."


def _text_hint(error: BaseException) -> str | None:
    if not str(error).startswith("Could not decode to UTF-8"):
        return None
    return "The text that is stored isn't UTF-8; read its bytes with `CAST(column AS BLOB)`."


def _sentence(error: BaseException) -> str:
    """What SQLite says, without anything that it may have quoted from a value.

    What the parser quotes comes from the statement's text, and what a refused binding quotes is a type. Everything else in
    quotes may be a value: FTS5 and JSON repeat what they could not read, the driver a text that isn't UTF-8.
    """
    message = str(error)
    if message.startswith(('near "', 'unrecognized token: "', "Error binding parameter ")):
        return message
    return re.sub(r"""(["']).*\1""", r"\1…\1", message, flags=re.DOTALL)
