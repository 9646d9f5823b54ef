"""oneiric-postgres's pgvector against binary COPY and hand-written SQL on asyncpg, and against langchain-postgres.

All on one embedded server, on 20,000 vectors of 384 dimensions in 100 clusters. COPY and SQL by hand do what an application
does with them: they encode vectors and payloads, and decode what comes back.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import numpy as np
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.indexes import HNSWIndex
from oneiric.adapters.vector import F, Record
from oneiric.embedded import join
from oneiric_postgres import PgVectorAdapter
from oneiric_postgres.embedded import PostgresEngine
from sqlalchemy.ext.asyncio import create_async_engine

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from oneiric.adapters.vector import Filter

RECORDS, DIMENSION, CLUSTERS = 20_000, 384, 100
QUESTIONS = 200
SEARCHES = 400
TASKS = 16
FEW = 1_000
"""How many records langchain-postgres is given at once: 20,000 take it the better part of a minute."""
EF_SEARCH = 100

_pack = struct.Struct(f">HH{DIMENSION}f").pack
_random = np.random.default_rng(5)
_centres = _random.normal(size=(CLUSTERS, DIMENSION))


def _vectors(number: int) -> np.ndarray:
    return _centres[_random.integers(0, CLUSTERS, number)] + 0.6 * _random.normal(size=(number, DIMENSION))


VECTORS, ASKED = _vectors(RECORDS), [vector.tolist() for vector in _vectors(QUESTIONS)]
SHUFFLED = _random.permutation(RECORDS)
ITEMS = [
    Record(
        f"id-{n}",
        VECTORS[n].tolist(),
        {
            "text": f"item {n}",
            "half": int(m % 2),
            "tenth": int(m % 10),
            "hundredth": int(m % 100),
            "rare": int(m % 1000),
        },
    )
    for n, m in enumerate(SHUFFLED)
]
OTHERS = [Record(f"other-{n}", item.vector, item.payload) for n, item in enumerate(ITEMS)]
FILTERS: dict[str, tuple[Filter | None, np.ndarray]] = {
    "no filter": (None, SHUFFLED >= 0),
    "a filter that keeps 50%": (F("half") == 1, SHUFFLED % 2 == 1),
    "a filter that keeps 10%": (F("tenth") == 3, SHUFFLED % 10 == 3),
    "a filter that keeps 1%": (F("hundredth") == 3, SHUFFLED % 100 == 3),
    "a filter that keeps 0.1%": (F("rare") == 3, SHUFFLED % 1000 == 3),
}


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Start a server, load it, have its indexes built, and say what is compared."""
    async with AsyncExitStack() as stack:
        member = await join("embedded://", PostgresEngine(), timeout=60)
        stack.push_async_callback(member.leave)
        config = {"dsn": "embedded://", "pool_min_size": TASKS, "pool_max_size": TASKS, "ef_search": EF_SEARCH}
        ours = Ours(await stack.enter_async_context(PgVectorAdapter(config)))
        hand = await stack.enter_async_context(_hand_written(member.url, ours))
        chain = await stack.enter_async_context(_langchain(member.url))
        await ours.prepare()
        await hand.prepare()
        await chain.prepare()
        yield _pairs(ours, hand, chain)


def _pairs(ours: Ours, hand: ByHand, chain: LangChain) -> list[Pair]:
    exact = _true_nearest()
    return [
        Pair(what="a load into a new collection vs COPY", ours=ours.load_anew, theirs=hand.copy, at_least=0.9),
        Pair(what="an upsert, all ids new, vs COPY", ours=ours.load_more, theirs=hand.copy, at_least=0.65),
        Pair(what="an upsert, all ids there, vs COPY", ours=ours.load_again, theirs=hand.copy, at_least=0.65),
        Pair(what="a load of 1,000 vs langchain-postgres", ours=ours.load_few, theirs=chain.load, at_least=50),
        _pair("top 10, alone, vs SQL on a held connection", ours.search, hand.search, 1, 0.95),
        _pair("top 10, 16 tasks, vs SQL on held connections", ours.search, hand.search, TASKS, 0.95),
        _pair("top 10, alone, vs langchain-postgres", ours.search, chain.search, 1, 3),
        _pair("top 10, 16 tasks, vs langchain-postgres", ours.search, chain.search, TASKS, 3),
        _pair("top 10 of 1%, vs iterative strict order", ours.search_filtered, hand.search_filtered, 1, 5),
        *(
            Pair(
                what=f"recall@10, {name}",
                ours=_missing(ours, condition, exact[name]),
                theirs=lambda: 1.0,
                at_least=0.98,
            )
            for name, (condition, _) in FILTERS.items()
        ),
    ]


class Ours:
    """The adapter."""

    def __init__(self, index: PgVectorAdapter) -> None:
        self.index = index
        self.numbers = count()

    async def prepare(self) -> None:
        for name in ("searched", "loaded"):
            await self.index.create_collection(name, DIMENSION)
            await self.index.upsert(name, ITEMS)
        await self.index.build_indexes("searched")

    async def load_anew(self) -> float:
        name = f"new-{next(self.numbers)}"
        await self.index.create_collection(name, DIMENSION)
        cost = await _timed(self.index.upsert(name, ITEMS))
        await self.index.drop_collection(name)
        return cost

    async def load_more(self) -> float:
        cost = await _timed(self.index.upsert("loaded", OTHERS))
        await self.index.delete("loaded", [record.id for record in OTHERS])
        return cost

    async def load_again(self) -> float:
        return await _timed(self.index.upsert("loaded", ITEMS))

    async def load_few(self) -> float:
        name = f"few-{next(self.numbers)}"
        await self.index.create_collection(name, DIMENSION)
        cost = await _timed(self.index.upsert(name, ITEMS[:FEW]))
        await self.index.drop_collection(name)
        return cost

    async def search(self, number: int) -> None:
        await self.index.search("searched", ASKED[number % QUESTIONS])

    async def search_filtered(self, number: int) -> None:
        found = await self.index.search("searched", ASKED[number % QUESTIONS], filter=F("hundredth") == number % 100)
        assert len(found) == 10


@dataclass
class ByHand:
    """Hand-written SQL, on the collection that the adapter searches; each task has a connection that it keeps."""

    connections: list[asyncpg.Connection]
    ours: Ours
    table: str = ""

    async def prepare(self) -> None:
        number = await self.connections[0].fetchval("SELECT number FROM oneiric.collections WHERE name = 'searched'")
        self.table = f"oneiric.searched_{number}"

    async def copy(self) -> float:
        connection = self.connections[0]
        await connection.execute(
            'CREATE TABLE raw (id text COLLATE "C" PRIMARY KEY, payload jsonb NOT NULL, '
            f"embedding vector({DIMENSION}) NOT NULL)"
        )
        rows = ((item.id, json.dumps(item.payload), _pack(DIMENSION, 0, *item.vector)) for item in ITEMS)
        cost = await _timed(connection.copy_records_to_table("raw", records=rows))
        await connection.execute("DROP TABLE raw")
        return cost

    async def search(self, number: int) -> None:
        await self._search("", ASKED[number % QUESTIONS])

    async def search_filtered(self, number: int) -> None:
        await self._search("WHERE payload @> $2", ASKED[number % QUESTIONS], json.dumps({"hundredth": number % 100}))

    async def _search(self, where: str, vector: list[float], *values: Any) -> None:
        connection = self.connections.pop()
        try:
            rows = await connection.fetch(
                f"SELECT id, payload, 1 - (embedding <=> $1) AS score FROM {self.table} {where} "
                "ORDER BY embedding <=> $1 LIMIT 10",
                _pack(DIMENSION, 0, *vector),
                *values,
            )
        finally:
            self.connections.append(connection)
        [{"id": row["id"], "score": row["score"], "payload": json.loads(row["payload"])} for row in rows]


@asynccontextmanager
async def _hand_written(url: str, ours: Ours) -> AsyncIterator[ByHand]:
    session = {"hnsw.iterative_scan": "strict_order", "hnsw.ef_search": str(EF_SEARCH)}
    plan = {"enable_bitmapscan": "off", "enable_seqscan": "off"}  # what is compared is the iterative scan
    connections = [await asyncpg.connect(url, server_settings=session | plan) for _ in range(TASKS)]
    for connection in connections:
        await connection.set_type_codec("vector", encoder=bytes, decoder=bytes, format="binary", schema="public")
    yield ByHand(connections, ours)
    for connection in connections:
        await connection.close()


@dataclass
class LangChain:
    """langchain-postgres, as its documentation uses it, on SQLAlchemy's asyncpg engine."""

    engine: PGEngine
    url: str
    numbers: Any
    store: Any = None

    async def prepare(self) -> None:
        """Its table is filled by COPY; its own way would take a minute."""
        self.store = await self._create("searched_by_langchain")
        connection = await asyncpg.connect(self.url)
        await connection.set_type_codec("vector", encoder=bytes, decoder=bytes, format="binary", schema="public")
        rows = [
            (UUID(int=n), item.payload["text"], _pack(DIMENSION, 0, *item.vector), json.dumps(item.payload))
            for n, item in enumerate(ITEMS)
        ]
        columns = ("langchain_id", "content", "embedding", "langchain_metadata")
        await connection.copy_records_to_table("searched_by_langchain", records=rows, columns=columns)
        await connection.close()
        await self.store.aapply_vector_index(HNSWIndex())

    async def load(self) -> float:
        name = f"few_{next(self.numbers)}"
        store = await self._create(name)
        texts = [item.payload["text"] for item in ITEMS[:FEW]]
        vectors = [item.vector for item in ITEMS[:FEW]]
        cost = await _timed(store.aadd_embeddings(texts, vectors, [item.payload for item in ITEMS[:FEW]]))
        await self.engine.adrop_table(name)
        return cost

    async def search(self, number: int) -> None:
        await self.store.asimilarity_search_with_score_by_vector(ASKED[number % QUESTIONS], k=10)

    async def _create(self, name: str) -> Any:
        await self.engine.ainit_vectorstore_table(name, DIMENSION)
        return await PGVectorStore.create(self.engine, DeterministicFakeEmbedding(size=DIMENSION), name)


@asynccontextmanager
async def _langchain(url: str) -> AsyncIterator[LangChain]:
    session = {"hnsw.ef_search": str(EF_SEARCH)}  # as many candidates as ours, and so the same recall
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://"),
        pool_size=TASKS,
        connect_args={"server_settings": session},
    )
    yield LangChain(PGEngine.from_engine(engine), url, count())
    await engine.dispose()


def _missing(ours: Ours, filter: Filter | None, exact: list[set[str]]) -> Callable[[], Awaitable[float]]:
    """What a search costs in recall: its inverse, so that the ratio to 1 is the recall."""

    async def measure() -> float:
        hits = 0
        for vector, nearest in zip(ASKED, exact, strict=True):
            found = await ours.index.search("searched", vector, filter=filter)
            assert len(found) == 10
            hits += len({match.id for match in found} & nearest)
        return QUESTIONS * 10 / hits

    return measure


def _true_nearest() -> dict[str, list[set[str]]]:
    """For each filter and question the ids of the ten nearest, by NumPy."""
    asked = np.asarray(ASKED)
    scores = (asked @ VECTORS.T) / np.linalg.norm(VECTORS, axis=1)
    return {
        name: [{f"id-{n}" for n in np.argsort(-row)[:10]} for row in np.where(kept, scores, -np.inf)]
        for name, (_, kept) in FILTERS.items()
    }


def _pair(
    what: str, ours: Callable[[int], Awaitable[Any]], theirs: Callable[[int], Awaitable[Any]], tasks: int, least: float
) -> Pair:
    return Pair(what=what, ours=lambda: _spread(ours, tasks), theirs=lambda: _spread(theirs, tasks), at_least=least)


async def _spread(call: Callable[[int], Awaitable[Any]], tasks: int) -> None:
    """Make the calls from that many tasks."""
    numbers = count()

    async def one() -> None:
        for _ in range(SEARCHES // tasks):
            await call(next(numbers))

    await asyncio.gather(*(one() for _ in range(tasks)))


async def _timed(work: Awaitable[Any]) -> float:
    start = time.perf_counter()
    await work
    return time.perf_counter() - start
