"""Edge's HNSW index, which is built when it is asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import qdrant_edge
from oneiric.adapters.vector import F, Record
from oneiric.errors import CollectionNotFound, ConnectionFailed, Unsupported
from oneiric_qdrant import QdrantAdapter

if TYPE_CHECKING:
    from pathlib import Path

DIMENSION = 1024
POINTS = 3_000
"""12 MB of vectors: Edge leaves a collection of less than 10 MB without an index."""

_random = np.random.default_rng(3)
VECTORS = _random.standard_normal((POINTS, DIMENSION)).astype("f")
ASKED = _random.standard_normal((10, DIMENSION)).astype("f")
"""Without clusters, the hardest for such an index: it misses some, so what is exact can be told from it."""
RECORDS = [Record(f"id-{n}", vector, {"n": n, "tenth": n % 10}) for n, vector in enumerate(VECTORS.tolist())]


def config(path: Path, **more: Any) -> dict[str, Any]:
    return {"url": f"embedded://{path}", "engine": "edge", "indexes": {"tenth": "number"}, **more}


def nearest(question: Any, kept: Any = slice(None)) -> list[str]:
    numbers = np.arange(POINTS)[kept]
    scores = (VECTORS[numbers] @ question) / np.linalg.norm(VECTORS[numbers], axis=1)
    return [f"id-{n}" for n in numbers[np.argsort(-scores)[:10]]]


async def recall(adapter: QdrantAdapter) -> float:
    """What part of the ten nearest is found, of all and of a tenth."""
    hits = 0
    for question in ASKED:
        for condition, kept in ((None, slice(None)), (F("tenth") == 3, slice(3, None, 10))):
            found = await adapter.search("things", question.tolist(), filter=condition)
            assert len(found) == 10
            hits += len({match.id for match in found} & set(nearest(question, kept)))
    return hits / (len(ASKED) * 20)


def indexed(path: Path) -> int | None:
    """How many vectors the index holds, as Edge itself says; nobody may have the folder."""
    shard = qdrant_edge.EdgeShard.load(str(path / "collections" / "things"))
    try:
        return shard.info().indexed_vectors_count
    finally:
        shard.close()


def files(path: Path) -> set[Path]:
    return {file for file in path.rglob("*") if file.is_file()}


async def filled(adapter: QdrantAdapter) -> None:
    await adapter.create_collection("things", DIMENSION)
    await adapter.upsert("things", RECORDS, timeout=100)


async def test_edge_builds_its_index_when_it_is_asked_to(tmp_path: Path) -> None:
    async with QdrantAdapter(config(tmp_path)) as adapter:
        await filled(adapter)
    assert indexed(tmp_path) == 0
    async with QdrantAdapter(config(tmp_path)) as adapter:
        await adapter.build_indexes("things")
        assert 0.7 < await recall(adapter) < 1.0
    assert indexed(tmp_path)
    async with QdrantAdapter(config(tmp_path, exact=True)) as adapter:
        assert await recall(adapter) == 1.0


async def test_what_changes_after_a_build_is_found_as_it_is_now(tmp_path: Path) -> None:
    async with QdrantAdapter(config(tmp_path)) as adapter:
        await filled(adapter)
        await adapter.build_indexes("things")
        ones = [1.0] * DIMENSION
        new = Record("new", ASKED[0].tolist(), {"tenth": 3})
        await adapter.upsert("things", [new, Record("id-1", ones)])
        await adapter.delete("things", ["id-2"])
        for _ in range(2):
            assert await adapter.count("things") == POINTS
            assert (await adapter.search("things", ASKED[0].tolist(), filter=F("tenth") == 3))[0].id == "new"
            assert (await adapter.search("things", ones))[0].id == "id-1"
            assert "id-2" not in {match.id for match in await adapter.search("things", VECTORS[2].tolist())}
            await adapter.build_indexes("things")


@pytest.mark.parametrize("is_cleaned_up", [False, True])
async def test_a_build_that_is_cut_off_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cleaned_up: bool
) -> None:
    monkeypatch.setattr("oneiric_qdrant.engine._GRACE", 0.05)
    adapter = QdrantAdapter(config(tmp_path))
    await adapter.init()
    await filled(adapter)
    before = files(tmp_path)
    building = asyncio.create_task(adapter.build_indexes("things"))
    async with asyncio.timeout(60):
        while files(tmp_path) <= before:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert not building.done()
    if is_cleaned_up:
        await adapter.cleanup()
    else:
        adapter.raw._process.kill()
    with pytest.raises(ConnectionFailed):
        await building
    monkeypatch.undo()
    monkeypatch.setattr("oneiric_qdrant.folder._WAIT", 30.0)
    await adapter.init()
    assert await adapter.count("things") == POINTS
    assert await recall(adapter) == 1.0
    await adapter.build_indexes("things")
    assert await recall(adapter) > 0.7
    await adapter.cleanup()
    if not is_cleaned_up:  # else the points may be in two segments now, each too small for an index
        assert indexed(tmp_path)


async def test_there_are_none_to_build_elsewhere() -> None:
    async with QdrantAdapter({"url": "embedded://"}) as adapter:
        await adapter.create_collection("things", 2)
        with pytest.raises(Unsupported, match="by Edge alone"):
            await adapter.build_indexes("things")
        with pytest.raises(CollectionNotFound):
            await adapter.build_indexes("nothing")
