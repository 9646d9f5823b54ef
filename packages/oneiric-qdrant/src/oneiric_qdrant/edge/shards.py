"""The shards of a folder, one a collection, and what they are asked for; used in the process of `oneiric_qdrant.edge.process`.

Imports nothing but the driver, as each start of that process waits for it.
"""

from __future__ import annotations

import json
import os
import shutil
from array import array
from pathlib import Path
from typing import Any

import qdrant_edge as edge

_REGISTRY = "edge.json"
_SHARDS = "collections"
_FLUSH_AFTER = 20_000
"""Points: until it is flushed, Edge keeps what was written in its log too, which grows."""

_DISTANCES = {"cosine": edge.Distance.Cosine, "dot": edge.Distance.Dot, "euclidean": edge.Distance.Euclid}
_INDEXES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "number": edge.PayloadSchemaType.Float,  # one of integers would serve ranges too, and find no 1.5
}


class Shards:
    """Every collection of a folder. What is known of them is in one file, which is replaced whole."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._open: dict[str, edge.EdgeShard] = {}
        self._unflushed: dict[str, int] = {}
        self._known: dict[str, tuple[int, str]] = self._read()

    def ask(self) -> None:
        """Nothing: that it answers is all."""

    def collections(self) -> list[tuple[str, int, str]]:
        """Each by name, with its dimension and distance."""
        return sorted((name, dimension, distance) for name, (dimension, distance) in self._known.items())

    def create(self, name: str, dimension: int, distance: str, indexes: list[tuple[str, str]]) -> None:
        """Make the shard, then its indexes; it is there once the file says so."""
        path = self._path(name)
        shutil.rmtree(path, ignore_errors=True)  # of a process that ended in the middle
        path.mkdir(parents=True)
        config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=dimension, distance=_DISTANCES[distance]))
        shard = edge.EdgeShard.create(str(path), config)
        for field, kind in indexes:
            shard.update(edge.UpdateOperation.create_field_index(field, _INDEXES[kind]))
        self._write(self._known | {name: (dimension, distance)})
        self._open[name] = shard

    def drop(self, name: str) -> None:
        """Forget it, then delete its files."""
        self._write({known: about for known, about in self._known.items() if known != name})
        shard = self._open.pop(name, None)
        if shard is not None:
            shard.close()
        shutil.rmtree(self._path(name), ignore_errors=True)

    def optimize(self, name: str) -> None:
        """Put the points in order, with an HNSW index where they are many: Edge does so only when it is told to."""
        self._shard(name).optimize()

    def upsert(self, name: str, ids: list[str], vectors: bytes, payloads: list[dict[str, Any]]) -> None:
        """Store points; the vectors come as 32-bit floats, one behind the other."""
        numbers = array("f", vectors).tolist()
        size = self._known[name][0]
        points = [
            edge.Point(id=id_, vector=numbers[number * size : (number + 1) * size], payload=payload)
            for number, (id_, payload) in enumerate(zip(ids, payloads, strict=True))
        ]
        self._update(name, edge.UpdateOperation.upsert_points(points), len(points))

    def search(
        self, name: str, vectors: list[list[float]], limit: int, condition: Any, with_vectors: bool, exact: bool
    ) -> list[list[tuple[Any, ...]]]:
        """The nearest to each, as (id, payload, vector, score)."""
        filter_, params = _filter(condition), edge.SearchParams(exact=exact)
        requests = [
            edge.QueryRequest(
                query=edge.Query.Nearest(vector),
                filter=filter_,
                limit=limit,
                with_payload=True,
                with_vector=with_vectors,
                params=params,
            )
            for vector in vectors
        ]
        answers = self._shard(name).query_batch(edge.QueryBatchRequest(requests))
        return [[(str(each.id), each.payload, each.vector, each.score) for each in answer] for answer in answers]

    def get(self, name: str, ids: list[str]) -> list[tuple[Any, ...]]:
        """The points of these ids that there are."""
        return [_found(each) for each in self._shard(name).retrieve([*ids], with_payload=True, with_vector=True)]

    def delete(self, name: str, ids: list[str]) -> None:
        """Delete by ids."""
        self._update(name, edge.UpdateOperation.delete_points([*ids]), len(ids))

    def delete_by(self, name: str, condition: Any) -> None:
        """Delete by a filter."""
        self._update(name, edge.UpdateOperation.delete_points_by_filter(edge.Filter(must=[_condition(condition)])), 1)

    def count(self, name: str, condition: Any) -> int:
        """How many, exactly."""
        return self._shard(name).count(edge.CountRequest(filter=_filter(condition), exact=True))

    def page(self, name: str, condition: Any, size: int, start: str | None) -> tuple[list[tuple[Any, ...]], str | None]:
        """So many from an id on, and the id of the next."""
        request = edge.ScrollRequest(
            offset=start, limit=size, filter=_filter(condition), with_payload=True, with_vector=True
        )
        records, following = self._shard(name).scroll(request)
        return [_found(each) for each in records], None if following is None else str(following)

    def close(self) -> None:
        """Close all; each is flushed."""
        while self._open:
            self._open.popitem()[1].close()

    def _shard(self, name: str) -> edge.EdgeShard:
        if name not in self._open:
            self._open[name] = edge.EdgeShard.load(str(self._path(name)))
        return self._open[name]

    def _update(self, name: str, operation: edge.UpdateOperation, points: int) -> None:
        shard = self._shard(name)
        shard.update(operation)
        self._unflushed[name] = self._unflushed.get(name, 0) + points
        if self._unflushed[name] > _FLUSH_AFTER:
            shard.flush()
            self._unflushed[name] = 0

    def _path(self, name: str) -> Path:
        return self._folder / _SHARDS / name

    def _read(self) -> dict[str, tuple[int, str]]:
        try:
            content = json.loads((self._folder / _REGISTRY).read_bytes())
        except FileNotFoundError:
            self._write({})
            return {}
        return {name: (about["dimension"], about["distance"]) for name, about in content["collections"].items()}

    def _write(self, known: dict[str, tuple[int, str]]) -> None:
        about = {name: {"dimension": dimension, "distance": distance} for name, (dimension, distance) in known.items()}
        beside = self._folder / f"{_REGISTRY}.new"
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"collections": about}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / _REGISTRY)
        self._known = known


def _found(record: edge.Record) -> tuple[Any, ...]:
    return str(record.id), record.payload, record.vector


def _filter(condition: Any) -> edge.Filter | None:
    return None if condition is None else edge.Filter(must=[_condition(condition)])


def _condition(form: tuple[Any, ...]) -> Any:
    """The condition of a form that `EdgeDialect` has made."""
    match form:
        case ("texts", path, [text]):
            return edge.FieldCondition(path, match=edge.MatchValue(text))
        case ("texts", path, texts):
            return edge.FieldCondition(path, match=edge.MatchAny(texts))
        case ("range", path, gt, gte, lt, lte):
            return edge.FieldCondition(path, range=edge.RangeFloat(gt=gt, gte=gte, lt=lt, lte=lte))
        case ("null", path):
            return edge.IsNullCondition(path)
        case ("empty", path):
            return edge.IsEmptyCondition(path)
        case ("nothing",):
            return edge.HasIdCondition(set())
        case ("all", conditions):
            return edge.Filter(must=[_condition(each) for each in conditions])
        case ("any", conditions):
            return edge.Filter(should=[_condition(each) for each in conditions])
        case ("not", inner):
            return edge.Filter(must_not=[_condition(inner)])
    raise ValueError("a condition of an unknown form")
