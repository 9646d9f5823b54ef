"""Reflections in a vector index, whichever it is: ids, tags and times; the texts are in the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oneiric.adapters.vector import F, Record
from oneiric.adapters.vector.filters import And

from session_buddy.embedding import DIMENSION, embed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.adapters.vector import Filter, Match, VectorAdapter

    from session_buddy.reflection import Reflection

_COLLECTION = "session_reflections"


class Index:
    """A collection of them. Made of what the database has, it can be made again."""

    def __init__(self, vectors: VectorAdapter) -> None:
        self.vectors = vectors

    async def open(self) -> None:
        """Make the collection, where it isn't there."""
        await self.vectors.create_collection(_COLLECTION, DIMENSION)

    async def add(self, reflections: Sequence[Reflection]) -> int:
        """Index them, each in place of what is there of its id; returns how many these were."""
        records = await asyncio.to_thread(lambda: [_record(reflection) for reflection in reflections])
        return await self.vectors.upsert(_COLLECTION, records)

    async def search(self, text: str, *, tags: Sequence[str], since: float | None, limit: int) -> list[Match]:
        """The nearest that have all the tags and are no older, the nearest first."""
        conditions: list[Filter] = [F("tags") == tag for tag in tags]
        if since is not None:
            conditions.append(F("created_at") >= since)
        chosen = And(tuple(conditions)) if conditions else None
        return await self.vectors.search(_COLLECTION, embed(text), limit=limit, filter=chosen)

    async def count(self) -> int:
        """How many there are."""
        return await self.vectors.count(_COLLECTION)


def _record(reflection: Reflection) -> Record:
    payload = {"tags": list(reflection.tags), "created_at": reflection.created_at}
    return Record(reflection.id, embed(reflection.text), payload)
