"""One filter, one meaning: random filters on random payloads, to every vector adapter and to the evaluator that defines it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from oneiric.adapters.vector import Record
from oneiric.adapters.vector.filters import matches, to_json
from oneiric.testing.vector.strategies import payloads_and_filters
from oneiric_postgres import PgVectorAdapter
from oneiric_qdrant import QdrantAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from oneiric.adapters.vector import Filter, VectorAdapter

EXAMPLES = 100
FILTERS = 100
COLLECTION = "filtered"


class Engines:
    """Every vector adapter there is, each in use, on an event loop of their own."""

    def __init__(self, adapters: dict[str, VectorAdapter]) -> None:
        self._adapters = adapters
        self._opened = AsyncExitStack()
        self._runner = asyncio.Runner()
        self.filters = 0

    def __enter__(self) -> Engines:
        self._runner.run(self._open())
        return self

    def __exit__(self, *error: object) -> None:
        self._runner.run(self._opened.aclose())
        self._runner.close()

    async def _open(self) -> None:
        for adapter in self._adapters.values():
            await self._opened.enter_async_context(adapter)

    def compare(self, payloads: list[dict[str, Any]], conditions: list[Filter]) -> None:
        """Hold what each adapter finds against what the evaluator says."""
        self._runner.run(self._compare(payloads, conditions))
        self.filters += len(conditions)

    async def _compare(self, payloads: list[dict[str, Any]], conditions: list[Filter]) -> None:
        records = [Record(str(number), (1.0, number), payload) for number, payload in enumerate(payloads)]
        for name, adapter in self._adapters.items():
            await adapter.drop_collection(COLLECTION)
            await adapter.create_collection(COLLECTION, 2)
            await adapter.upsert(COLLECTION, records)
            for condition in conditions:
                found = await adapter.search(COLLECTION, (1.0, 0.0), limit=len(records), filter=condition)
                expected = [record.id for record in records if matches(condition, record.payload)]
                assert sorted(match.id for match in found) == sorted(expected), (name, to_json(condition), payloads)
                assert await adapter.count(COLLECTION, filter=condition) == len(expected), (name, to_json(condition))


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    with Engines(_adapters(tmp_path_factory.mktemp("engines"))) as engines:
        yield engines
    assert engines.filters >= EXAMPLES * FILTERS


def _adapters(folder: Path) -> dict[str, VectorAdapter]:
    return {
        "pgvector": PgVectorAdapter({"dsn": "embedded://filters"}),
        "qdrant, local": QdrantAdapter({"url": "embedded://"}),
        "qdrant, edge": QdrantAdapter({"url": f"embedded://{folder}/edge", "engine": "edge"}),
    }


@pytest.mark.timeout(600)
def test_ten_thousand_filters_mean_the_same_to_every_vector_adapter(engines: Engines) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(payloads_and_filters(FILTERS, FILTERS))
    def compare(drawn: tuple[list[dict[str, Any]], list[Filter]]) -> None:
        engines.compare(*drawn)

    compare()
