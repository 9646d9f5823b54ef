"""Transactions on a borrowed connection."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asyncpg import Connection


@asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
    """A block that is committed, or rolled back where it raises; what is cancelled is rolled back by the pool.

    Not the driver's own `transaction()`: one that was cancelled while it began leaves its connection in the belief that it is
    inside, and the next borrower's is a savepoint of none.
    """
    await connection.execute("BEGIN")
    try:
        yield
    except Exception:
        with suppress(Exception):  # what failed before is what the caller has to know
            await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
