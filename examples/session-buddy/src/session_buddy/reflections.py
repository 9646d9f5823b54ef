"""Reflections in a database, whichever it is: the one place that says which there are."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING

from session_buddy.reflection import Reflection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from oneiric.adapters.database import DatabaseAdapter, Row

BATCH = 500

_TABLE = """
    CREATE TABLE IF NOT EXISTS session_reflections (
        id TEXT PRIMARY KEY, text TEXT NOT NULL, tags TEXT NOT NULL, created_at DOUBLE PRECISION NOT NULL
    )
"""
_BY_TIME = "CREATE INDEX IF NOT EXISTS session_reflections_by_time ON session_reflections (created_at)"
_ADD = (
    "INSERT INTO session_reflections (id, text, tags, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING"
)
_ALL = "SELECT id, text, tags, created_at FROM session_reflections"


class Reflections:
    """A table of them. Any SQL here runs on SQLite and PostgreSQL alike."""

    def __init__(self, database: DatabaseAdapter) -> None:
        self.database = database

    async def open(self) -> None:
        """Make the table, where it isn't there."""
        await self.database.execute(_TABLE)
        await self.database.execute(_BY_TIME)

    async def add(self, reflections: Sequence[Reflection]) -> int:
        """Keep those whose ids are not there yet; returns how many these were."""
        return await self.database.execute_many(_ADD, [_values(reflection) for reflection in reflections])

    async def get(self, ids: Sequence[str]) -> list[Reflection]:
        """Those of these ids that there are, in the order of the ids."""
        if not ids:
            return []
        places = ", ".join(f"${number}" for number in range(1, len(ids) + 1))
        rows = await self.database.fetch_all(f"{_ALL} WHERE id IN ({places})", *ids)
        found = {row["id"]: _reflection(row) for row in rows}
        return [found[each] for each in ids if each in found]

    async def latest(self, limit: int) -> list[Reflection]:
        """The youngest, the youngest first."""
        rows = await self.database.fetch_all(f"{_ALL} ORDER BY created_at DESC, id LIMIT $1", limit)
        return [_reflection(row) for row in rows]

    async def count(self) -> int:
        """How many there are."""
        return int(await self.database.fetch_value("SELECT count(*) FROM session_reflections"))

    async def batches(self) -> AsyncGenerator[list[Reflection]]:
        """All that were there at the first batch."""
        batch = list[Reflection]()
        async with aclosing(self.database.stream(_ALL, batch_size=BATCH)) as rows:
            async for row in rows:
                batch.append(_reflection(row))
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch


def _values(reflection: Reflection) -> tuple[str, str, str, float]:
    return reflection.id, reflection.text, json.dumps(reflection.tags), reflection.created_at


def _reflection(row: Row) -> Reflection:
    return Reflection(id=row["id"], text=row["text"], tags=json.loads(row["tags"]), created_at=row["created_at"])
