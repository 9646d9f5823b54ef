"""Rows from a cursor of the server's, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from oneiric.adapters.database import Row

    from oneiric_postgres.deadline import Deadline
    from oneiric_postgres.session import Session


async def batches(
    sql: str,
    values: tuple[Any, ...],
    size: int,
    turn: Callable[[], AbstractAsyncContextManager[tuple[Session, Deadline]]],
) -> AsyncGenerator[list[Row]]:
    """The rows of a query; `turn` gives the session for one batch, inside a transaction that lasts as long as the cursor."""
    async with turn() as (session, deadline):
        cursor = await session.connection.cursor(sql, *values, timeout=deadline.left())
        rows = await cursor.fetch(size, timeout=deadline.left())
    while rows:
        yield rows
        if len(rows) < size:
            return
        async with turn() as (_, deadline):
            rows = await cursor.fetch(size, timeout=deadline.left())
