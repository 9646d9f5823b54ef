"""Upserts: a few records in one statement, many by COPY.

The whole of an upsert is one transaction. Many records are checked while those before them are on their way, so that client
and server work at the same time; a wrong one ends the transaction, and nothing of it is stored.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import asyncpg

from oneiric_postgres.vector.encoding import COPY_BEGINS, COPY_ENDS, copied, is_text
from oneiric_postgres.vector.transactions import transaction

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
_STREAMED = 5_000
"""Up to so many records are sent slice by slice, as they are encoded. asyncpg's own encoder takes less time for each, but
sends half a megabyte at a time: until then the server has nothing to do, which for a few thousand costs more."""
_COLUMNS = ("id", "payload", "embedding")


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
        for start in range(0, len(batch), _PART):
            part = batch._records[start : start + _PART]
            with suppress(AttributeError, TypeError):  # of what is no record, which is refused when it is encoded
                batch._last.update(zip([record.id for record in part], range(start, len(batch)), strict=False))
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

    async def rows(self, encoder: Encoder) -> AsyncIterator[Row]:
        """The rows one by one, with room for others in between. Raises InvalidRecord in the middle."""
        for start in range(0, len(self._records), _SLICE):
            for row in self._rows(encoder, start, start + _SLICE):
                yield row
            await asyncio.sleep(0)

    async def stream(self, encoder: Encoder) -> AsyncIterator[bytes]:
        """All of it as COPY takes it, with room for others in between. Raises InvalidRecord in the middle."""
        yield COPY_BEGINS
        for start in range(0, len(self._records), _SLICE):
            yield copied(self._rows(encoder, start, start + _SLICE))
            await asyncio.sleep(0)
        yield COPY_ENDS

    def _rows(self, encoder: Encoder, start: int, end: int) -> list[Row]:
        """All are checked, those too that a later one replaces."""
        rows = [encoder.row(record, start + n) for n, record in enumerate(self._records[start:end], 1)]
        if len(self._last) == len(self._records):
            return rows
        return [row for number, row in enumerate(rows, start) if self._last.get(row[0], number) == number]


async def upsert(connection: Connection, stored: Stored, rows: list[Row]) -> None:
    """Store a few rows, in one round trip. They come in the order of their ids, so that two such never wait for each other."""
    sql = (
        f"INSERT INTO {stored.table} (id, payload, embedding) "  # noqa: S608 - a quoted name
        f"SELECT * FROM unnest($1::text[], $2::jsonb[], $3::{stored.type}[]) "
        "ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, embedding = excluded.embedding"
    )
    columns = [list(column) for column in zip(*rows, strict=True)]
    try:
        await connection.execute(sql, *columns)
    except asyncpg.DeadlockDetectedError:  # with a load of many, which takes them as they come, and goes on now
        await connection.execute(sql, *columns)


async def load(connection: Connection, stored: Stored, batch: Batch) -> None:
    """Store many: what is there of their ids is deleted, and all are copied straight into the table.

    That is twice as fast as copying them into a temporary table and merging from there.
    """
    try:
        await _replace(connection, stored, batch)
    except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
        logger.debug("Somebody else has stored one of the records in %s meanwhile.", stored.about.name)
        await _replace(connection, stored, batch, before=f"LOCK TABLE {stored.table} IN SHARE ROW EXCLUSIVE MODE")


async def _replace(connection: Connection, stored: Stored, batch: Batch, before: str = "") -> None:
    async with transaction(connection):
        if before:
            await connection.execute(before)
        for ids in batch.ids():
            await connection.execute(f"DELETE FROM {stored.table} WHERE id = ANY($1::text[])", ids)  # noqa: S608
        into = {"columns": _COLUMNS, "schema_name": stored.schema}
        if len(batch) > _STREAMED:
            await connection.copy_records_to_table(stored.relation, records=batch.rows(stored.encoder), **into)
        else:
            source = batch.stream(stored.encoder)
            await connection.copy_to_table(stored.relation, source=source, format="binary", **into)
