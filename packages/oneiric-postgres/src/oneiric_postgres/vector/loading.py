"""Upserts: a few records in one statement, many by COPY.

The whole of an upsert is one transaction. Many records are checked while those before them are on their way, so that client
and server work at the same time; a wrong one ends the transaction, and nothing of it is stored.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING

import asyncpg

from oneiric_postgres.vector.encoding import is_text
from oneiric_postgres.vector.registry import BUILDING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from asyncpg import Connection
    from oneiric.adapters.vector import Record

    from oneiric_postgres.vector.collection import Stored
    from oneiric_postgres.vector.encoding import Encoder, Row

logger = logging.getLogger("oneiric_postgres")

FEW = 100
"""Up to so many records go into one statement."""
_SLICE = 50
"""How many records are handled between two looks at what else the event loop has to do: a millisecond of work or two."""
_PART = 2_000
"""How many ids are looked for at once."""
_ATTEMPTS = 5
"""How often a transaction is tried that others got in the way of."""
_COLUMNS = ("id", "payload", "embedding")

_MERGED = "ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, embedding = excluded.embedding"


class Batch:
    """The records of one upsert: all of them, and for each id which is the last."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._last: dict[str, int] = {}

    @classmethod
    async def of(cls, records: Iterable[Record]) -> Batch:
        """Take them from wherever they come. Raises what the iterable does."""
        if isinstance(records, list | tuple):
            batch = cls(list(records))
        else:
            batch, source = cls([]), iter(records)
            while part := list(islice(source, _SLICE)):
                batch._records += part
                await asyncio.sleep(0)
        for number, record in enumerate(batch._records):
            id_: object = getattr(record, "id", None)
            if isinstance(id_, str):  # what else there is is refused when it is encoded
                batch._last[id_] = number
            if number % 10_000 == 0:
                await asyncio.sleep(0)
        return batch

    def __len__(self) -> int:
        return len(self._records)

    @property
    def size(self) -> int:
        """How many ids there are."""
        return len(self._last)

    def ids(self) -> Iterator[list[str]]:
        """Each id once, in parts; one that can't be is left to be refused with its record."""
        ids = iter(self._last)
        while part := list(islice(ids, _PART)):
            yield [id_ for id_ in part if is_text(id_)]

    def encoded(self, encoder: Encoder) -> list[Row]:
        """The rows, of two with one id the later, in the order of the ids. Raises InvalidRecord."""
        return sorted(self._rows(encoder, 0, len(self._records)))

    async def stream(self, encoder: Encoder) -> AsyncIterator[Row]:
        """The rows one by one, with room for others in between. Raises InvalidRecord in the middle."""
        for start in range(0, len(self._records), _SLICE):
            for row in self._rows(encoder, start, start + _SLICE):
                yield row
            await asyncio.sleep(0)

    def _rows(self, encoder: Encoder, start: int, end: int) -> list[Row]:
        """All are checked, those too that a later one replaces."""
        last = self._last
        rows = [encoder.row(record, start + n) for n, record in enumerate(self._records[start:end], 1)]
        return [row for number, row in enumerate(rows, start) if last[row.id] == number]


async def upsert(connection: Connection, stored: Stored, rows: list[Row]) -> None:
    """Store a few rows, in one round trip. They come in the order of their ids, so that two such never wait for each other."""
    await connection.execute(
        f"INSERT INTO {stored.table} (id, payload, embedding) "  # noqa: S608 - a quoted name
        f"SELECT * FROM unnest($1::text[], $2::jsonb[], $3::{stored.type}[]) {_MERGED}",
        [row.id for row in rows],
        [row.payload for row in rows],
        [row.vector for row in rows],
    )


async def load(connection: Connection, stored: Stored, batch: Batch) -> None:
    """Store many: straight into the table where none of the ids is there, as into a new collection; else by a merge."""
    if not await _is_any_there(connection, stored, batch):
        try:
            async with connection.transaction():
                await _copy(connection, stored, stored.relation, batch, schema=stored.schema)
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
            logger.debug("Another process stores the same records in %s: they are merged.", stored.about.name)
        else:
            return
    for _ in range(_ATTEMPTS - 1):
        try:
            await _merge(connection, stored, batch)
        except asyncpg.DeadlockDetectedError:
            continue
        return
    await _merge(connection, stored, batch)


async def _is_any_there(connection: Connection, stored: Stored, batch: Batch) -> bool:
    sql = f"SELECT EXISTS (SELECT FROM {stored.table} WHERE id = ANY($1::text[]))"  # noqa: S608 - a quoted name
    for ids in batch.ids():
        if await connection.fetchval(sql, ids):
            return True
    return False


async def _merge(connection: Connection, stored: Stored, batch: Batch) -> None:
    async with connection.transaction():
        await connection.execute(
            f'CREATE TEMPORARY TABLE oneiric_upsert (id text COLLATE "C", payload jsonb, embedding {stored.type}) '
            "ON COMMIT DROP"
        )
        await _copy(connection, stored, "oneiric_upsert", batch, schema="pg_temp")
        # One merge after the other: two that meet the same ids in different orders would stop each other.
        await connection.execute("SELECT pg_catalog.pg_advisory_xact_lock($1, $2)", BUILDING + 1, stored.number)
        await connection.execute(
            f"INSERT INTO {stored.table} (id, payload, embedding) "  # noqa: S608 - a quoted name
            f"SELECT id, payload, embedding FROM pg_temp.oneiric_upsert {_MERGED}"
        )


async def _copy(connection: Connection, stored: Stored, table: str, batch: Batch, *, schema: str) -> None:
    await connection.copy_records_to_table(
        table, records=batch.stream(stored.encoder), columns=_COLUMNS, schema_name=schema, timeout=None
    )
