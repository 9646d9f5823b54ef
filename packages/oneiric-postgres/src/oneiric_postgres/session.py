"""One connection, as the pool knows it."""

from __future__ import annotations

import asyncio
from random import SystemRandom
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

_RESET = """
CLOSE ALL;
SET SESSION AUTHORIZATION DEFAULT;
RESET ALL;
UNLISTEN *;
SELECT pg_catalog.pg_advisory_unlock_all();
DISCARD TEMP;
DISCARD SEQUENCES;
DO $$DECLARE name pg_catalog.text; BEGIN
  FOR name IN SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql LOOP
    EXECUTE pg_catalog.format('DEALLOCATE %I', name);
  END LOOP;
END$$;
"""
"""DISCARD ALL, less what would take the driver's own prepared statements. asyncpg's own reset leaves roles, temporary tables,
sequences' last values and PREPARE as they are."""

_random = SystemRandom()


class Session:
    """A connection with what was done to it. `is_dirty`: its session was, or may have been, changed and has to be reset."""

    __slots__ = ("connection", "has_ddl", "is_dirty", "since")

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.is_dirty = False
        self.has_ddl = False
        """Whether what was run on it may have made something that queries call."""
        self.since = 0.0
        """Since when it lies idle, on the event loop's clock."""

    @property
    def is_busy(self) -> bool:
        """Whether a statement that was interrupted may still be running."""
        return not self.connection.is_closed() and self.connection._protocol._is_cancelling()  # noqa: SLF001

    @property
    def is_settled(self) -> bool:
        """Whether it is open, in no transaction, and with no cancelled statement under way: ready for the next borrower."""
        connection = self.connection
        if connection.is_closed():
            return False
        protocol = connection._protocol  # noqa: SLF001 - asyncpg's own pool asks this way
        return not (protocol._is_cancelling() or protocol.is_in_transaction())  # noqa: SLF001

    def forget_schema(self) -> None:
        """Have the driver look up types and prepare statements anew: the schema has changed."""
        if not self.connection.is_closed():
            self.connection._drop_local_statement_cache()  # noqa: SLF001
            self.connection._drop_local_type_cache()  # noqa: SLF001

    async def restore(self, within: float, *, reset: bool) -> None:
        """Wait for a cancelled statement's end, roll back, and `reset` the session. Raises where it can't be done in time."""
        connection = self.connection
        async with asyncio.timeout(within):
            await connection._protocol._wait_for_cancellation(within)  # noqa: SLF001
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
            if reset:
                # Not even DISCARD ALL brings back the seed of random(): one that nobody knows takes its place.
                await connection.execute(f"{_RESET}SELECT pg_catalog.setseed({_random.uniform(-1, 1):.17f});")
        self.is_dirty = False
