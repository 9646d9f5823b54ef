"""The calls of the contract in those of `qdrant_client`, which are the same for a server and for its local mode."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector import Collection, Distance
from oneiric.errors import Unsupported
from qdrant_client import models

from oneiric_qdrant.conditions import Dialect, translated
from oneiric_qdrant.errors import is_conflict, is_missing
from oneiric_qdrant.points import Found, path_of
from oneiric_qdrant.store import Store, check_same, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oneiric.adapters.vector import Filter
    from oneiric.adapters.vector.filters import Range
    from qdrant_client import AsyncQdrantClient

    from oneiric_qdrant.points import Point

_DISTANCES = {
    Distance.COSINE: models.Distance.COSINE,
    Distance.DOT: models.Distance.DOT,
    Distance.EUCLIDEAN: models.Distance.EUCLID,
}
_INDEXES = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "number": models.PayloadSchemaType.FLOAT,  # one of integers would serve ranges too, and find no 1.5
    "bool": models.PayloadSchemaType.BOOL,
}
_KNOWN_FOR = 30.0
"""Seconds that a collection's dimension and distance are taken as known: to ask for them takes as long as a search."""
_OURS = {theirs: ours for ours, theirs in _DISTANCES.items()}


class ClientStore(Store):
    """A server, or local mode, by an AsyncQdrantClient."""

    raw: AsyncQdrantClient

    def __init__(self, raw: AsyncQdrantClient, params: models.SearchParams | None = None) -> None:
        self.raw = raw
        self._params = params
        self._known: dict[str, tuple[Collection, float]] = {}

    async def ask(self) -> None:
        """Ask for the names of the collections: that takes the server's key, and little else."""
        await self.raw.get_collections()

    async def close(self) -> None:
        """Close the client."""
        await self.raw.close()

    async def collections(self) -> list[Collection]:
        """Every collection that the contract can express."""
        names = sorted(each.name for each in (await self.raw.get_collections()).collections)
        found = [await self._described(name) for name in names]
        return [each for each in found if isinstance(each, Collection)]

    async def collection(self, name: str) -> Collection:
        """The collection; Unsupported for one that the contract can't express."""
        known, until = self._known.get(name, (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        found = await self._described(name)
        if found is None:
            raise not_found(name)
        if not isinstance(found, Collection):
            hint = "It takes one vector without a name, by cosine, dot product or Euclidean distance."
            raise Unsupported(f"The collection {name!r} wasn't made for this contract.", hint=hint)
        self._known[name] = found, time.monotonic() + _KNOWN_FOR
        return found

    def forget(self) -> None:
        """Ask for each collection anew: somebody else may have made it so."""
        self._known.clear()

    async def create(self, new: Collection, indexes: Mapping[str, str], timeout: int) -> None:
        """Create it, then its indexes, each of which is made again without harm where an earlier call got stuck."""
        self.forget()
        there = await self._described(new.name)
        if there is None:
            vectors = models.VectorParams(size=new.dimension, distance=_DISTANCES[new.distance])
            try:
                await self.raw.create_collection(new.name, vectors, timeout=timeout)
            except Exception as error:
                if not is_conflict(error):
                    raise
                there = await self.collection(new.name)  # somebody was quicker
        if there is not None:
            check_same(new, await self.collection(new.name))
        for field, kind in indexes.items():
            await self.raw.create_payload_index(new.name, path_of(field), _INDEXES[kind])

    async def drop(self, name: str, timeout: int) -> None:
        """Drop it."""
        self.forget()
        await self.raw.delete_collection(name, timeout=timeout)

    async def upsert(self, collection: str, points: Sequence[Point], timeout: int) -> None:
        """Store them in one request, and wait until it is done."""
        made = [
            models.PointStruct.model_construct(id=point.id, vector=self._written(point.vector), payload=point.payload)
            for point in points
        ]
        await self.raw.upsert(collection, made, timeout=timeout)

    def _written(self, vector: Sequence[float]) -> Any:
        """The vector as the client takes it."""
        return list(vector)

    async def search(
        self,
        collection: Collection,
        vectors: Sequence[Sequence[float]],
        limit: int,
        condition: Filter | None,
        with_vectors: bool,
        timeout: int,
    ) -> list[list[Found]]:
        """One request for all of them."""
        filter_ = _filter(condition)
        requests = [
            models.QueryRequest(
                query=models.NearestQuery(nearest=list(vector)),
                filter=filter_,
                limit=limit,
                params=self._params,
                with_payload=True,
                with_vector=with_vectors,
            )
            for vector in vectors
        ]
        answers = await self.raw.query_batch_points(collection.name, requests, timeout=timeout)
        sign = -1.0 if collection.distance is Distance.EUCLIDEAN else 1.0  # theirs is the distance
        return [
            [Found(str(point.id), point.payload, _vector(point), sign * point.score) for point in answer.points]
            for answer in answers
        ]

    async def get(self, collection: str, ids: Sequence[str], timeout: int) -> list[Found]:
        """One request."""
        points = await self.raw.retrieve(collection, ids, with_vectors=True, timeout=timeout)
        return [_found(point) for point in points]

    async def delete(self, collection: str, ids: Sequence[str], timeout: int) -> None:
        """One request, and wait until it is done."""
        await self.raw.delete(collection, models.PointIdsList(points=list(ids)), timeout=timeout)

    async def delete_by(self, collection: str, condition: Filter, timeout: int) -> None:
        """One request, and wait until it is done."""
        which = models.Filter(must=[translated(condition, ClientDialect())])
        await self.raw.delete(collection, models.FilterSelector(filter=which), timeout=timeout)

    async def count(self, collection: str, condition: Filter | None, timeout: int) -> int:
        """Exactly."""
        return (await self.raw.count(collection, _filter(condition), exact=True, timeout=timeout)).count

    async def page(
        self, collection: str, condition: Filter | None, size: int, start: str | int | None, timeout: int
    ) -> tuple[list[Found], str | int | None]:
        """One request."""
        points, following = await self.raw.scroll(
            collection, _filter(condition), limit=size, offset=start, with_vectors=True, timeout=timeout
        )
        return [_found(point) for point in points], None if following is None else _offset(following)

    async def _described(self, name: str) -> Collection | str | None:
        """The collection; its name alone where the contract can't express it, None where there is none."""
        try:
            vectors = (await self.raw.get_collection(name)).config.params.vectors
        except Exception as error:
            if is_missing(error):
                return None
            raise
        if not isinstance(vectors, models.VectorParams) or vectors.distance not in _OURS:
            return name
        if vectors.multivector_config is not None:
            return name
        return Collection(name, vectors.size, _OURS[vectors.distance])


def _found(point: Any) -> Found:
    return Found(str(point.id), point.payload, _vector(point))


def _offset(following: Any) -> str | int:
    """Where the next page starts; another program's point may have a number as its id."""
    return following if isinstance(following, int) else str(following)


def _vector(point: Any) -> list[float] | None:
    return point.vector if isinstance(point.vector, list) else None


def _filter(condition: Filter | None) -> models.Filter | None:
    return None if condition is None else models.Filter(must=[translated(condition, ClientDialect())])


class ClientDialect(Dialect["models.Condition"]):
    """Filters as `qdrant_client` writes them."""

    def texts(self, field: str, texts: Sequence[str]) -> models.Condition:
        """By keyword."""
        match = models.MatchValue(value=texts[0]) if len(texts) == 1 else models.MatchAny(any=list(texts))
        return models.FieldCondition(key=path_of(field), match=match)

    def boolean(self, field: str, value: bool) -> models.Condition:
        """By value."""
        return models.FieldCondition(key=path_of(field), match=models.MatchValue(value=value))

    def within(self, field: str, bounds: Range) -> models.Condition:
        """By range."""
        limits = models.Range(gt=bounds.gt, gte=bounds.gte, lt=bounds.lt, lte=bounds.lte)
        return models.FieldCondition(key=path_of(field), range=limits)

    def null(self, field: str) -> models.Condition:
        """By its own condition."""
        return models.IsNullCondition(is_null=models.PayloadField(key=path_of(field)))

    def empty(self, field: str) -> models.Condition:
        """By its own condition."""
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=path_of(field)))

    def nothing(self) -> models.Condition:
        """By no id."""
        return models.HasIdCondition(has_id=[])

    def all_of(self, conditions: Sequence[models.Condition]) -> models.Condition:
        """Nested."""
        return models.Filter(must=list(conditions))

    def any_of(self, conditions: Sequence[models.Condition]) -> models.Condition:
        """Nested."""
        return models.Filter(should=list(conditions))

    def not_(self, condition: models.Condition) -> models.Condition:
        """Nested."""
        return models.Filter(must_not=[condition])
