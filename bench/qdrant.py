"""oneiric-qdrant against the bare qdrant-client in a thread of its own, at 384 numbers a vector; Edge against local mode.

The recall rows hold what a search finds against the true nearest, by NumPy: 20,000 clustered vectors, and filters that keep
ever fewer of them. Their ratio is the recall.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from oneiric.adapters.vector import F, Record
from oneiric.testing.stalls import longest_stall
from oneiric_qdrant import QdrantAdapter
from qdrant_client import QdrantClient, models

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oneiric.adapters.vector import Filter

DIMENSION = 384
POINTS = 20_000
UPSERTED = 2_000
BATCH = 256
SEARCHES = 20
EDGE_SEARCHES = 200
QUERIES = 30
NEAREST = 10
LONGEST_STALL = 0.02

_random = np.random.default_rng(7)
_CENTRES = _random.standard_normal((200, DIMENSION))
VECTORS = (_CENTRES[_random.integers(0, 200, POINTS)] + 0.6 * _random.standard_normal((POINTS, DIMENSION))).astype("f")
LISTS = VECTORS.tolist()
WANTED = (_CENTRES[_random.integers(0, 200, QUERIES)] + 0.6 * _random.standard_normal((QUERIES, DIMENSION))).astype("f")
PAYLOADS = [{"n": number, "place": f"place {number % 50}"} for number in range(POINTS)]
RECORDS = [Record(f"id {number}", LISTS[number], PAYLOADS[number]) for number in range(POINTS)]
KEPT = {"all": POINTS, "50%": POINTS // 2, "10%": POINTS // 10, "1%": POINTS // 100, "0.1%": POINTS // 1000}


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Fill local mode, ours and bare, and Edge with the same points."""
    warnings.filterwarnings("ignore", message="Local mode is not recommended")
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        local = await stack.enter_async_context(QdrantAdapter({"url": "embedded://"}))
        edge = await stack.enter_async_context(QdrantAdapter({"url": f"embedded://{folder}", "engine": "edge"}))
        bare = Bare()
        stack.callback(bare.close)
        for adapter in (local, edge):
            await adapter.create_collection("filled", DIMENSION)
            await adapter.upsert("filled", RECORDS, timeout=600)
        await edge.build_indexes("filled")
        await bare.make("filled")
        await bare.upsert("filled", range(POINTS))
        yield [*_speed(local, edge, bare), *_stalls(local, edge), *_recall("local mode", local), *_recall("Edge", edge)]


def _speed(local: QdrantAdapter, edge: QdrantAdapter, bare: Bare) -> list[Pair]:
    return [
        Pair(
            what=f"upsert of {UPSERTED:,} into a new collection, local mode, vs the bare client in its own thread",
            ours=lambda: _upsert(local),
            theirs=bare.upsert_anew,
            at_least=0.9,
        ),
        Pair(
            what="top-10 search, local mode, vs the bare client in its own thread",
            ours=lambda: _search(local, SEARCHES),
            theirs=lambda: bare.search(SEARCHES),
            at_least=0.9,
        ),
        Pair(
            what="top-10 search, Edge vs local mode, a search",
            ours=lambda: _a_search(edge, EDGE_SEARCHES, None),
            theirs=lambda: _a_search(local, SEARCHES, None),
            at_least=20.0,
        ),
        Pair(
            what="top-10 search with a filter that keeps 2%, Edge vs local mode, a search",
            ours=lambda: _a_search(edge, 20, F("place") == "place 7"),
            theirs=lambda: _a_search(local, 2, F("place") == "place 7"),
            at_least=20.0,
        ),
    ]


def _stalls(local: QdrantAdapter, edge: QdrantAdapter) -> list[Pair]:
    """What the event loop's longest stall is, in parts of the 20 ms that it may be."""
    return [
        Pair(
            what=f"the event loop's longest stall by {what}, {engine}, vs 20 ms",
            ours=lambda adapter=adapter, work=work: longest_stall(work(adapter)),  # type: ignore[misc]
            theirs=lambda: LONGEST_STALL,
            at_most=1.0,
        )
        for engine, adapter in (("local mode", local), ("Edge", edge))
        for what, work in (("an upsert", _upsert), ("searches", lambda adapter: _search(adapter, SEARCHES)))
    ]


def _recall(engine: str, adapter: QdrantAdapter) -> list[Pair]:
    return [
        Pair(
            what=f"recall@{NEAREST}, {engine}, a filter that keeps {share}, vs NumPy",
            ours=lambda: 1.0,
            theirs=lambda kept=kept: _found_of(adapter, kept),  # type: ignore[misc]
            at_least=0.98,
        )
        for share, kept in KEPT.items()
    ]


class Bare:
    """qdrant-client's local mode as its documentation uses it, in one thread, so that it doesn't stop the loop."""

    def __init__(self) -> None:
        self._client = QdrantClient(":memory:")
        self._thread = ThreadPoolExecutor(1)
        self._ids = [str(uuid5(NAMESPACE_URL, record.id)) for record in RECORDS]

    async def make(self, name: str) -> None:
        vectors = models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
        await self._run(lambda: self._client.create_collection(name, vectors))

    async def upsert(self, name: str, numbers: range) -> None:
        for start in range(0, len(numbers), BATCH):
            await self._run(lambda some=numbers[start : start + BATCH]: self._client.upsert(name, self._points(some)))

    async def upsert_anew(self) -> float:
        await self._run(lambda: self._client.delete_collection("new"))
        await self.make("new")
        start = time.perf_counter()
        await self.upsert("new", range(UPSERTED))
        return time.perf_counter() - start

    async def search(self, times: int) -> None:
        for number in range(times):
            await self._run(lambda vector=LISTS[number]: self._client.query_points("filled", vector, limit=NEAREST))

    def close(self) -> None:
        self._thread.shutdown()
        self._client.close()

    def _points(self, numbers: range) -> list[models.PointStruct]:
        return [
            models.PointStruct(id=self._ids[number], vector=LISTS[number], payload=PAYLOADS[number])
            for number in numbers
        ]

    async def _run(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


async def _upsert(adapter: QdrantAdapter) -> float:
    await adapter.drop_collection("new")
    await adapter.create_collection("new", DIMENSION)
    start = time.perf_counter()
    await adapter.upsert("new", RECORDS[:UPSERTED])
    return time.perf_counter() - start


async def _search(adapter: QdrantAdapter, times: int, condition: Filter | None = None) -> None:
    for number in range(times):
        await adapter.search("filled", LISTS[number], limit=NEAREST, filter=condition)


async def _a_search(adapter: QdrantAdapter, times: int, condition: Filter | None) -> float:
    start = time.perf_counter()
    await _search(adapter, times, condition)
    return (time.perf_counter() - start) / times


async def _found_of(adapter: QdrantAdapter, kept: int) -> float:
    """Which part of the true nearest is found; 0 where there are fewer rows than there could be."""
    found, true = 0, 0
    condition = None if kept == POINTS else F("n") < kept
    lengths = np.linalg.norm(VECTORS[:kept], axis=1)
    for query in WANTED[: QUERIES if condition is None else 3]:
        nearest = np.argsort(-(VECTORS[:kept] @ query) / lengths)[:NEAREST]
        matches = await adapter.search("filled", query.tolist(), limit=NEAREST, filter=condition)
        if len(matches) != NEAREST:
            return 0.0
        found += len({match.payload["n"] for match in matches} & set(nearest.tolist()))
        true += NEAREST
    return found / true
