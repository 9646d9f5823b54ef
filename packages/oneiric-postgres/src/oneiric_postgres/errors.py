"""From the driver's and the server's errors to Oneiric's, without the values that these repeat."""

from __future__ import annotations

import re
import ssl

import asyncpg
from oneiric.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConstraintViolation,
    DeadlineExceeded,
    NotInitialized,
    OneiricError,
    QueryError,
    TransactionClosed,
)

_AGAIN = "Run the transaction again from the start; `run_transaction()` does that."

_QUOTED = re.compile(r'"([^"]*)"')
_VALUE = re.compile(r"(value |hash |: )\S.*", re.DOTALL)
_BAD_ARGUMENT = re.compile(r"invalid input (?:for|in) (?:query|execut\w+) argument \$?(\d+)?", re.DOTALL)

_REASON = re.compile(r"(?:an? [\w ]+ is required|expected [\w. ]+,? )\(?(?:got )?(?:type )?\w*\)?")

_HINTS = {
    "25006": "The adapter is `read_only`, or the server is a standby: write to the primary through another instance.",
    "42501": "The role lacks a right: GRANT it, or use another role.",
    "42P01": "Check the name, and the schemas of `search_path`.",
    "P0001": "What it said is in the error's `__cause__`; it may hold values, and so is not repeated here.",
    "53100": "Free some space on the server; nothing of this call is stored.",
    "53300": "Lower `pool_max_size`, or raise the server's max_connections; PgBouncer shares few among many.",
    "57P03": "The server is starting, stopping or recovering; try again soon.",
    "3D000": "Check the database's name, or create it.",
    "28P01": "Check the user and the password.",
    "28000": "Check the user, the server's pg_hba.conf, and `sslmode`: it may refuse connections without TLS.",
}


class Ended(Exception):
    """The transaction whose handle was used has ended."""


class RolledBack(Exception):
    """The server rolled back what was to be committed."""


class CleanedUp(Exception):
    """The adapter was cleaned up before the call could be done."""


class Late(Exception):
    """A call's deadline passed; the text says where it was."""


class OtherLoop(Exception):
    """The call came in another event loop than the one that `init()` ran in."""


class CallersOwn(Exception):
    """An iterable of rows that the caller gave has raised: `original`, which goes back to the caller as it is."""

    def __init__(self, original: BaseException) -> None:
        super().__init__()
        self.original = original


def translated(error: BaseException, adapter: str | None, sql: str = "") -> BaseException:
    """Oneiric's error for one of the driver's; another is given back as it is.

    `sql` is the statement's text: what the server quotes of it is repeated, what it quotes otherwise is not.
    """
    ours = _translated(error, sql)
    if ours is None:
        return error
    ours.adapter = adapter
    return ours


def unreachable(error: BaseException, adapter: str | None) -> BaseException:
    """The same for an error of connecting."""
    ours = _of_connecting(error)
    if ours is None:
        return translated(error, adapter)
    ours.adapter = adapter
    return ours


def _of_connecting(error: BaseException) -> OneiricError | None:
    if isinstance(error, OneiricError):
        return None
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        if code.startswith("28"):
            return AuthenticationFailed(f"The server refuses the credentials ({code}).", hint=_HINTS.get(code))
        if code == "42501":
            return AuthenticationFailed("The role may not connect to this database (42501).", hint=_HINTS[code])
        if code == "3D000":
            return ConnectionFailed("There is no such database (3D000).", hint=_HINTS[code], transient=False)
        if code.startswith(("22", "42")):  # a `search_path` that isn't one, say
            return ConnectionFailed(f"The server refuses a setting of the session ({code}).", transient=False)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | ValueError):
        return ConnectionFailed(f"The driver can't connect: {_without_values(str(error))}", transient=False)
    return None


def _of_tls(error: ssl.SSLError) -> OneiricError:
    if isinstance(error, ssl.SSLCertVerificationError):
        said = f"The server's certificate is not accepted: {error.verify_message}."
        return ConnectionFailed(said, hint="Check `sslrootcert` and the host, or `sslmode`.", transient=False)
    return ConnectionFailed(
        f"TLS failed ({error.reason or type(error).__name__}).", hint="Check `sslmode` and the client's certificate."
    )


def _translated(error: BaseException, sql: str) -> OneiricError | None:
    if isinstance(error, OneiricError):
        return error
    if isinstance(error, asyncpg.PostgresError):
        return _of_server(error, sql)
    if isinstance(error, Ended):
        return TransactionClosed(
            "The transaction has ended.", hint="Use the handle inside its `async with` block only."
        )
    if isinstance(error, RolledBack):
        return TransactionClosed(
            "The server has rolled the transaction back, as a statement in it had failed; nothing of it is stored.",
            hint="Put what may fail into a nested transaction.",
        )
    if isinstance(error, CleanedUp):
        return ConnectionFailed("The adapter was cleaned up before this call was done.", transient=False)
    if isinstance(error, OtherLoop):
        return NotInitialized(
            "The adapter was initialised in another event loop.",
            hint="Call `await adapter.init()` in this one; better, `cleanup()` in the other first.",
        )
    if isinstance(error, Late):
        return DeadlineExceeded(str(error))
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("The call reached its deadline; what it wrote may have been committed.")
    return _of_driver(error)


def _of_driver(error: BaseException) -> OneiricError | None:
    """For what the driver raises itself, without the server."""
    if isinstance(error, asyncpg.OutdatedSchemaCacheError):
        return TransactionClosed("The schema has changed beneath the call.", hint="Run it again.", transient=True)
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):  # its DataError
        return _of_binding(error)
    if isinstance(error, asyncpg.InterfaceError):
        return _of_interface(str(error))
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, asyncpg.InternalClientError):
        return ConnectionFailed("The driver lost track of the connection, which was closed.")
    if isinstance(error, OSError):
        said = error.strerror or type(error).__name__
        return ConnectionFailed(
            f"The server can't be reached: {said}.", hint="Check the host, the port and the server."
        )
    if isinstance(error, UnicodeError):
        return QueryError("A string holds a lone surrogate, which is no character: PostgreSQL stores text as UTF-8.")
    if isinstance(error, OverflowError):
        return QueryError("A number is too large for its column.")
    return None


def _of_interface(said: str) -> OneiricError:
    if "closed" in said or "another operation" in said:
        return ConnectionFailed("The connection was closed.")
    return QueryError(f"The driver refuses the call: {_without_values(said)}.")


def _of_binding(error: BaseException) -> QueryError:
    place = _BAD_ARGUMENT.search(str(error))
    which = f"The value for ${place[1]}" if place and place[1] else "A value"
    return unbindable(error.__cause__ or error, which)


def unbindable(error: BaseException, which: str) -> QueryError:
    """For a value that its type can't take. What raised `error` repeats the value, so only the reason's kind is said."""
    if isinstance(error, UnicodeError):
        return QueryError(f"{which} holds a lone surrogate, which is no character: PostgreSQL stores text as UTF-8.")
    if isinstance(error, OverflowError) or "range" in str(error):
        return QueryError(f"{which} is out of its type's range.", hint="An integer has 64 bits at most; use NUMERIC.")
    reason = _REASON.search(str(error))
    return QueryError(
        f"{which} can't be bound as its type{f': {reason[0]}' if reason else ''}.",
        hint="Bind what the column's type is in Python, or CAST the placeholder.",
    )


def _of_server(error: asyncpg.PostgresError, sql: str) -> OneiricError:
    code = error.sqlstate or "XX000"
    if code == "22000" and _BAD_ARGUMENT.match(str(error)):  # the driver's own, raised before anything was sent
        return _of_binding(error)
    said = _sentence(error, code, sql)
    hint = _HINTS.get(code)
    if code.startswith("23"):
        return ConstraintViolation(said)
    if code.startswith(("40", "25P02")) or is_outdated(error):
        return _of_transaction(code, said)
    if code in {"57014", "55P03"}:
        return DeadlineExceeded(
            said, hint="The server has a statement_timeout or lock_timeout, or somebody cancelled it."
        )
    if code.startswith(("08", "57P", "53")):
        return ConnectionFailed(said, hint=hint, transient=code != "53100")
    if code.startswith("28"):
        return AuthenticationFailed(said, hint=hint)
    return QueryError(said, hint=hint)


def is_outdated(error: BaseException) -> bool:
    """Whether what the driver, or a statement that it has prepared, knows of the schema is no longer so."""
    if isinstance(error, asyncpg.InternalServerError):
        return str(error).startswith("cache lookup failed")  # of a type that was dropped
    return isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError)


def _of_transaction(code: str, said: str) -> TransactionClosed:
    if code == "25P02":
        return TransactionClosed(
            "A statement of this transaction has failed; it can only be rolled back.",
            hint="Put what may fail into a nested transaction.",
        )
    return TransactionClosed(said, hint=_AGAIN, transient=True)


def _sentence(error: asyncpg.PostgresError, code: str, sql: str) -> str:
    """What the server says, without what it may have quoted from a value. Its DETAIL, which has whole rows, is left out."""
    if code in {"P0001", "P0004"}:
        return f"A function of the database has raised an exception ({code})."
    known = {
        getattr(error, name, None)
        for name in ("schema_name", "table_name", "column_name", "data_type_name", "constraint_name")
    }

    def shown(quoted: re.Match[str]) -> str:
        return quoted[0] if quoted[1] in known or (quoted[1] and quoted[1] in sql) else '"…"'

    said = _QUOTED.sub(shown, str(error.args[0] if error.args else type(error).__name__))
    if code.startswith("22"):
        said = _VALUE.sub(lambda match: match[0] if match[0][len(match[1]) :].startswith('"') else f"{match[1]}…", said)
    return f"{said.rstrip('.')} ({code})."


def _without_values(said: str) -> str:
    """A sentence of the driver's without what stands in quotes."""
    return re.sub(r"""(["']).*\1""", r"\1…\1", said, flags=re.DOTALL).rstrip(".")
