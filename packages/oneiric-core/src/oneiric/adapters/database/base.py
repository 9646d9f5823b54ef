"""The database contract: SQL with `$1` placeholders, rows by name and index, transactions by handle.

What holds for every method here:

- Placeholders are `$1`, `$2`, … on every backend. Values are bound, never formatted in. Too few or too many values are a
  `QueryError` before anything is done.
- A value is None, a bool, an int of 64 bits, a float, a str or bytes, and comes back equal from a column of its type. Two
  things a backend may lack: booleans (it gives 0 or 1) and NaN (it gives None). What it can't keep as it is, a larger int, a
  str with a lone surrogate or (in some) a NUL, is a `QueryError`. What else it takes, dates and decimals say, is its own.
- One statement a call: a second one behind a `;` is a `QueryError` before anything is done. So are `BEGIN`, `COMMIT`,
  `ROLLBACK`, `SAVEPOINT` and `RELEASE`: they would leave somebody else's call inside a transaction.
- A call that is not in a transaction is one of its own: it happened wholly or not at all. What an iterable of rows raises
  itself comes to the caller as it is, and nothing of the call is stored.
- `timeout` is in seconds and bounds the whole call, waiting for a connection included; without it the adapter's own
  setting does. Past it: `DeadlineExceeded`, and the statement is interrupted.
- Cancelling a call leaves the adapter usable. A cancelled write may or may not have been committed.
- Errors are `QueryError`, `ConstraintViolation`, `ConnectionFailed`, `DeadlineExceeded`, `TransactionClosed`,
  `NotInitialized`, `Unsupported`; the driver's own is the `__cause__`. None repeats a value that was bound.
- In a transaction an error may end all of it but a rollback (PostgreSQL): what may fail goes into a nested one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, overload

from oneiric.adapters.base import Adapter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

SAVEPOINTS = "savepoints"
"""A transaction inside a transaction can be rolled back alone."""
RETURNING = "returning"
"""`INSERT`, `UPDATE` and `DELETE … RETURNING` give rows to the `fetch_…` methods."""
CONCURRENT_READS = "concurrent-reads"
"""Reads go on beside an open transaction, and don't see what it has not committed."""
DURABLE = "durable"
"""A write that has returned survives the end of the process."""


class Row(Protocol):
    """One row: `row["name"]` and `row[0]`; iterating gives the values in the order of the columns.

    A name or index that isn't there is a LookupError. Where two columns have one name, it gives either of them.
    """

    @overload
    def __getitem__(self, key: int | str, /) -> Any: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Any, ...]: ...
    def __len__(self) -> int:
        """How many columns."""
        ...

    def __iter__(self) -> Iterator[Any]: ...
    def keys(self) -> Iterable[str]:
        """The names of the columns, in order."""
        ...


class Queries(ABC):
    """What a database and a transaction's handle have in common."""

    @abstractmethod
    async def execute(self, sql: str, /, *values: Any, timeout: float | None = None) -> int:
        """Run one statement; returns how many rows it inserted, changed or deleted (0 where it is none of these)."""

    @abstractmethod
    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]], /, *, timeout: float | None = None) -> int:
        """Run one statement for each row of values, all or none; returns how many rows were affected together."""

    @abstractmethod
    async def fetch_all(self, sql: str, /, *values: Any, timeout: float | None = None) -> list[Row]:
        """All rows of a query."""

    @abstractmethod
    async def fetch_one(self, sql: str, /, *values: Any, timeout: float | None = None) -> Row | None:
        """The first row of a query, or None where it has none; the others are not read."""

    @abstractmethod
    async def fetch_value(self, sql: str, /, *values: Any, timeout: float | None = None) -> Any:
        """The first column of the first row, or None where there is no row."""

    @abstractmethod
    def stream(
        self, sql: str, /, *values: Any, batch_size: int = 1000, timeout: float | None = None
    ) -> AsyncGenerator[Row]:
        """The rows of a query one by one, read in batches, as of the moment of the first; `timeout` bounds each batch.

        Close it (`contextlib.aclosing`) where you may leave it before its end.
        """

    @abstractmethod
    async def insert_many(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        /,
        *,
        timeout: float | None = None,
    ) -> int:
        """Insert rows by the backend's fastest way, all or none; returns how many.

        `table` (or `schema.table`) and `columns` are names, quoted by the adapter; each row has one value a column.
        """

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """`async with db.transaction() as tx:` commits at the end, rolls back where an exception leaves the block.

        What is to be inside is called on the handle `tx`, never on the adapter: nothing is bound to the task. On a handle
        it makes a nested transaction (a savepoint), which is rolled back alone.
        """


class Transaction(Queries):
    """The handle of an open transaction. Used after its end it raises `TransactionClosed`."""


class DatabaseAdapter(Adapter, Queries):
    """A database: an adapter with all of `Queries`."""

    @property
    @abstractmethod
    def raw(self) -> Any:
        """The driver's own connection or pool, for what the contract doesn't cover. Raises NotInitialized."""
