"""A vector index in dicts: what the contract says, in the fewest words."""
# ruff: noqa: ARG002 - nothing waits here, so `timeout` is not used

from __future__ import annotations

import math
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector.base import (
    EXACT_SEARCH,
    FILTERED_SEARCH,
    Collection,
    Distance,
    Match,
    Record,
    VectorAdapter,
)
from oneiric.adapters.vector.filters import matches
from oneiric.adapters.vector.records import (
    check_filter,
    check_limit,
    checked_collection,
    checked_records,
    checked_vector,
)
from oneiric.errors import CollectionExists, CollectionNotFound, InvalidRequest
from oneiric.spec import AdapterSpec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

    from oneiric.adapters.vector.filters import Filter

SPEC = AdapterSpec(
    "memory-vector",
    type="vector",
    summary="A vector index in memory, for tests: plain Python, exact.",
    adapter="oneiric.testing.memory.vector:MemoryVector",
    capabilities=frozenset({EXACT_SEARCH, FILTERED_SEARCH}),
)


class MemoryVector(VectorAdapter):
    """The reference of the vector contract, and a test double: its data end with it, at `cleanup()`.

    Nothing in it waits, so `timeout` is never reached.
    """

    _collections: dict[str, tuple[Collection, dict[str, Record]]] | None = None

    async def init(self) -> None:
        """Begin with no collections."""
        if self._collections is None:
            self._collections = {}

    async def health(self) -> bool:
        """Whether it is initialised."""
        return self._collections is not None

    async def cleanup(self) -> None:
        """Forget everything."""
        self._collections = None

    async def create_collection(
        self, name: str, dimension: int, *, distance: Distance = Distance.COSINE, timeout: float | None = None
    ) -> None:
        """Create a collection; nothing where the same one is there. Raises CollectionExists where another of its name is."""
        collections, wanted = self._ready(), checked_collection(name, dimension, distance, self.name)
        if collections.setdefault(name, (wanted, {}))[0] != wanted:
            raise CollectionExists(
                f"There is another collection {name!r}, of another dimension or distance.", adapter=self.name
            )

    async def drop_collection(self, name: str, *, timeout: float | None = None) -> None:
        """Drop a collection and all in it; nothing where there is none."""
        self._ready().pop(name, None)

    async def list_collections(self, *, timeout: float | None = None) -> list[Collection]:
        """The collections, in the order of their names."""
        return [collection for _, (collection, _) in sorted(self._ready().items())]

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        """Store records, each whole in place of one of the same id; of two with one id the later. Returns how many ids."""
        about, stored = self._find(collection)
        new = checked_records(about, records, self.name)
        stored.update(new)
        return len(new)

    async def search(
        self,
        collection: str,
        vector: Sequence[float],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        with_vectors: bool = False,
        timeout: float | None = None,
    ) -> list[Match]:
        """The nearest records that meet the filter, the nearest first."""
        about, _ = self._find(collection)
        check_limit(limit, self.name)
        wanted, score = checked_vector(about, vector, self.name), _SCORES[about.distance]
        found = [
            Match(
                record.id,
                score(wanted, record.vector),
                deepcopy(record.payload),
                list(record.vector) if with_vectors else None,
            )
            for record in self._meeting(collection, filter)
        ]
        return sorted(found, key=lambda match: match.score, reverse=True)[:limit]

    async def search_many(
        self,
        collection: str,
        vectors: Sequence[Sequence[float]],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        with_vectors: bool = False,
        timeout: float | None = None,
    ) -> list[list[Match]]:
        """A search for each of the vectors, in their order."""
        self._find(collection)
        return [
            await self.search(collection, vector, limit=limit, filter=filter, with_vectors=with_vectors)
            for vector in vectors
        ]

    async def get(self, collection: str, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        """The records of these ids that there are, in the order of the ids, each once."""
        _, stored = self._find(collection)
        return [_copy(stored[id_]) for id_ in dict.fromkeys(ids) if id_ in stored]

    async def delete(
        self,
        collection: str,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete by ids or by a filter, of which exactly one is given."""
        _, stored = self._find(collection)
        if (ids is None) == (filter is None):
            raise InvalidRequest("Delete by ids or by a filter: give exactly one of them.", adapter=self.name)
        for id_ in ids if ids is not None else [record.id for record in self._meeting(collection, filter)]:
            stored.pop(id_, None)

    async def count(self, collection: str, *, filter: Filter | None = None, timeout: float | None = None) -> int:
        """How many records meet the filter."""
        return len(self._meeting(collection, filter))

    async def scroll(
        self, collection: str, *, filter: Filter | None = None, batch_size: int = 256, timeout: float | None = None
    ) -> AsyncGenerator[Record]:
        """Every record that meets the filter, once, as of the first."""
        check_limit(batch_size, self.name, least=1)
        for record in self._meeting(collection, filter):
            yield _copy(record)

    @property
    def raw(self) -> Any:
        """The dicts themselves: by collection's name, the Collection and its records by id."""
        return self._ready()

    def _ready(self) -> dict[str, tuple[Collection, dict[str, Record]]]:
        if self._collections is None:
            raise self.not_initialized()
        return self._collections

    def _find(self, name: str) -> tuple[Collection, dict[str, Record]]:
        collections = self._ready()
        if name not in collections:
            raise CollectionNotFound(f"There is no collection {str(name)[:60]!r}.", adapter=self.name)
        return collections[name]

    def _meeting(self, collection: str, filter: Filter | None) -> list[Record]:
        check_filter(filter, self.name)
        return [record for record in self._find(collection)[1].values() if matches(filter, record.payload)]


def _copy(record: Record) -> Record:
    """A record that may be changed without changing what is stored."""
    return Record(record.id, list(record.vector), deepcopy(record.payload))


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


_SCORES: dict[Distance, Callable[[Sequence[float], Sequence[float]], float]] = {
    Distance.COSINE: lambda a, b: _dot(a, b) / (math.hypot(*a) * math.hypot(*b)),
    Distance.DOT: _dot,
    Distance.EUCLIDEAN: lambda a, b: -math.dist(a, b),
}
