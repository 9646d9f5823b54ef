"""What the kit doesn't ask: uploads that break, searches for very many, long vectors, calls that are cancelled or hang."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from oneiric.adapters.vector import Collection, Distance, F, Record
from oneiric.errors import ConnectionFailed, DeadlineExceeded, InvalidRecord
from oneiric.testing.stalls import longest_stall
from oneiric_qdrant import QdrantAdapter
from oneiric_qdrant.engine import Direct, Threaded
from oneiric_qdrant.local import LocalStore
from oneiric_qdrant.store import Store
from oneiric_qdrant.upload import checked_points, fitting, uploaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from oneiric_qdrant.points import Point

ENGINES = ["memory", "local", "edge"]


@pytest.fixture(params=ENGINES)
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[QdrantAdapter]:
    """An adapter of each kind, with a collection `a` of two numbers."""
    url = "embedded://" if request.param == "memory" else f"embedded://{tmp_path}/index"
    engine = "edge" if request.param == "edge" else "local"
    async with QdrantAdapter({"url": url, "engine": engine, "timeout": 60}) as adapter:
        await adapter.create_collection("a", 2)
        yield adapter


async def test_a_search_for_very_many_finds_all(index: QdrantAdapter) -> None:
    await index.upsert("a", [Record(str(number), [1, number]) for number in range(50)])
    assert len(await index.search("a", [1, 0], limit=10**9)) == 50
    assert len(await index.search("a", [1, 0], limit=2**70)) == 50
    assert await index.search("a", [1, 0], limit=10**9, filter=F("n") == 1) == []
    await index.delete("a", [str(number) for number in range(50)])
    assert await index.search("a", [1, 0], limit=10**9) == []


@pytest.mark.parametrize("length", [1e-38, 1e-20, 1e-7, 1e7, 1e18, 3e38])
async def test_cosine_knows_no_length(index: QdrantAdapter, length: float) -> None:
    await index.upsert("a", [Record("near", [length, length / 10]), Record("far", [-length, length])])
    for query in ([length, 0.0], [1.0, 0.0]):
        near, far = await index.search("a", query)
        assert (near.id, far.id) == ("near", "far")
        assert near.score == pytest.approx(0.995, abs=1e-3)
        assert far.score == pytest.approx(-0.707, abs=1e-3)


async def test_many_creators_at_once_make_one_collection(index: QdrantAdapter) -> None:
    await asyncio.gather(*(index.create_collection("many", 3, distance=Distance.DOT) for _ in range(20)))
    assert Collection("many", 3, Distance.DOT) in await index.list_collections()


async def test_a_call_that_is_cancelled_while_others_run_is_not_done(index: QdrantAdapter) -> None:
    let_go = threading.Event()

    async def hold(store: Store) -> None:
        let_go.wait(30)

    await index.upsert("a", [Record("kept", [1, 0])])
    assert index._engine is not None
    running = asyncio.ensure_future(index._engine.run(hold))
    cancelled = asyncio.ensure_future(index.delete("a", ["kept"]))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    let_go.set()
    await running
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await index.count("a") == 1


async def test_what_waits_is_refused_when_it_is_cleaned_up(index: QdrantAdapter) -> None:
    calls = [asyncio.ensure_future(index.count("a")) for _ in range(50)]
    await asyncio.sleep(0)
    await index.cleanup()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(outcome == 0 or isinstance(outcome, ConnectionFailed) for outcome in outcomes)
    await index.init()
    assert await index.list_collections() is not None


async def test_foreign_points_have_qdrants_own_ids() -> None:
    from qdrant_client import models

    async with QdrantAdapter({"url": "embedded://"}) as index:
        await index.create_collection("a", 2)
        await index.raw.upsert(
            "a", [models.PointStruct(id=number, vector=[1, 0], payload={"n": 1}) for number in (5, 6)]
        )
        await index.upsert("a", [Record("ours", [0, 1])])
        assert {each.id async for each in index.scroll("a", batch_size=1)} == {"5", "6", "ours"}
        assert sorted(match.id for match in await index.search("a", [1, 0], filter=F("n") == 1)) == ["5", "6"]


async def test_a_collection_of_another_kind_is_not_listed_and_not_used() -> None:
    from qdrant_client import models

    async with QdrantAdapter({"url": "embedded://"}) as index:
        size = models.VectorParams(size=2, distance=models.Distance.MANHATTAN)
        await index.raw.create_collection("manhattan", size)
        await index.raw.create_collection("named", {"text": size})
        assert await index.list_collections() == []
        for name in ("manhattan", "named"):
            with pytest.raises(NotImplementedError, match="wasn't made for this contract"):
                await index.count(name)
            with pytest.raises(NotImplementedError):
                await index.create_collection(name, 2)


class Breaking(LocalStore):
    """Local mode, less a request: which one, and what it raises instead, a test says."""

    broken_at = 0
    error: Exception = OSError("The network is gone.")

    async def upsert(self, collection: str, points: Sequence[Point], timeout: int) -> None:
        self.broken_at -= 1
        if self.broken_at == 0:
            raise self.error
        await super().upsert(collection, points, timeout)


@pytest.mark.parametrize("uploads", [1, 3])
async def test_an_upload_that_breaks_in_the_middle_says_so_and_can_be_made_again(uploads: int) -> None:
    store = Breaking.opened("")
    engine = Direct(lambda: store, uploads)
    about = Collection("a", 2, Distance.DOT)
    await engine.run(lambda store: store.create(about, {}, 1))
    records = [Record(str(number), [1, number], {"n": number}) for number in range(100)]
    points = await checked_points(about, records, None)
    store.broken_at = 4
    store.error = ConnectionFailed("The connection to Qdrant broke.")
    with pytest.raises(ConnectionFailed, match="Some of the records may be stored: upsert them all again"):
        await uploaded(engine, about, points, 10, 1)
    stored = await engine.run(lambda store: store.count("a", None, 1))
    assert stored in range(30, 100, 10), "each batch is stored whole, or not at all"
    await uploaded(engine, about, points, 10, 1)
    assert await engine.run(lambda store: store.count("a", None, 1)) == 100
    await engine.close()


async def test_an_upload_of_one_request_is_all_or_nothing() -> None:
    store = Breaking.opened("")
    engine = Direct(lambda: store, 4)
    about = Collection("a", 2, Distance.DOT)
    await engine.run(lambda store: store.create(about, {}, 1))
    points = await checked_points(about, [Record("a", [1, 0])], None)
    store.broken_at = 1
    store.error = ConnectionFailed("The connection to Qdrant broke.")
    with pytest.raises(ConnectionFailed) as raised:
        await uploaded(engine, about, points, 10, 1)
    assert "may be stored" not in str(raised.value)
    await engine.close()


def test_a_request_has_as_many_vectors_as_are_written_down_quickly() -> None:
    assert [fitting(256, dimension) for dimension in (1, 384, 1536, 65_536)] == [256, 256, 65, 1]


async def test_a_hundred_thousand_records_in_one_call(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((100_000, 4)).astype("f").tolist()
    records = (Record(f"id-{number}", vector, {"n": number}) for number, vector in enumerate(vectors))
    async with QdrantAdapter({"url": f"embedded://{tmp_path}/index", "engine": "edge", "timeout": 110}) as index:
        await index.create_collection("a", 4)
        assert await index.upsert("a", records) == 100_000
        assert await index.count("a") == 100_000


async def test_a_wrong_record_among_many_is_told_by_its_number_and_none_is_stored(index: QdrantAdapter) -> None:
    records = [Record(str(number), [1, number]) for number in range(3_000)]
    with pytest.raises(InvalidRecord, match="Record 3001"):
        await index.upsert("a", [*records, Record("wrong", [1, 2, 3])])
    assert await index.count("a") == 0


async def test_an_endless_iterable_ends_with_its_deadline(index: QdrantAdapter) -> None:
    taken = 0

    def endless() -> Iterator[Record]:
        nonlocal taken
        while True:
            taken += 1
            yield Record(str(taken % 100), [1, 0])

    with pytest.raises(DeadlineExceeded):
        await index.upsert("a", endless(), timeout=0.3)
    async with asyncio.timeout(10):
        while await _grows(lambda: taken):
            pass
    assert await index.count("a") == 0


async def _grows(number: Any) -> bool:
    before = number()
    await asyncio.sleep(0.05)
    return bool(number() != before)


async def test_a_timeout_error_of_the_callers_own_is_not_a_deadline(index: QdrantAdapter) -> None:
    def records() -> Iterator[Record]:
        yield Record("a", [1, 0])
        raise TimeoutError("of the caller's own")

    with pytest.raises(TimeoutError, match="of the caller's own") as raised:
        await index.upsert("a", records())
    assert not isinstance(raised.value, DeadlineExceeded)


class Hanging(Store):
    """A store of which one call hangs until it is let go."""

    def __init__(self) -> None:
        self.raw = self
        self.let_go = threading.Event()
        self.has_begun = threading.Event()

    async def ask(self) -> None:
        self.has_begun.set()
        self.let_go.wait(30)

    async def close(self) -> None:
        """Nothing is open."""

    def abandon(self) -> None:
        self.let_go.set()


Hanging.__abstractmethods__ = frozenset()


async def test_a_call_that_hangs_in_the_thread_holds_up_no_caller_and_no_cleanup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("oneiric_qdrant.engine._GRACE", 0.1)
    store = Hanging()
    index = QdrantAdapter({"url": "embedded://", "timeout": 0.2})
    index._engine = Threaded(lambda: store)
    await index._engine.open()
    async with asyncio.timeout(10):
        assert not await index.health()
        assert store.has_begun.is_set()
        with pytest.raises(DeadlineExceeded):
            await index.count("a")
        await index.cleanup()
    assert store.let_go.is_set(), "what can be let go of at once, is"


async def test_the_event_loop_goes_on_while_edge_works(tmp_path: Path) -> None:
    """In a thread it would stand still for as long as each of Edge's calls lasts: these keep Python's lock."""
    vectors = np.random.default_rng(0).standard_normal((5_000, 64)).astype("f").tolist()
    async with QdrantAdapter({"url": f"embedded://{tmp_path}/index", "engine": "edge"}) as index:
        await index.create_collection("a", 64)
        await index.upsert("a", [Record(str(number), vector, {"n": number}) for number, vector in enumerate(vectors)])

        async def search() -> None:
            for vector in vectors[:20]:
                await index.search("a", vector, filter=F("n") >= 0)

        stalls = [await longest_stall(search()) for _ in range(5)]
    assert min(stalls) < 0.02


async def test_edge_starts_again_where_its_process_was_killed(tmp_path: Path) -> None:
    async with QdrantAdapter({"url": f"embedded://{tmp_path}/index", "engine": "edge"}) as index:
        await index.create_collection("a", 2)
        await index.upsert("a", [Record("1", [1, 0])])
        index.raw._process.kill()
        index.raw._process.wait(10)
        with pytest.raises(ConnectionFailed, match="has ended") as raised:
            await index.count("a")
        assert raised.value.transient
        assert await index.count("a") == 1
        assert await index.health()


@pytest.mark.parametrize("engine", ["memory", "edge"])
async def test_recall_is_whole_and_filters_give_as_many_as_there_are(engine: str, tmp_path: Path) -> None:
    """The whole measure, on 20,000 of 384 numbers, is bench/qdrant.py."""
    random = np.random.default_rng(1)
    centres = random.standard_normal((40, 32))
    vectors = (centres[random.integers(0, 40, 2_000)] + 0.5 * random.standard_normal((2_000, 32))).astype("f")
    settings = {"url": "embedded://"} if engine == "memory" else {"url": f"embedded://{tmp_path}/e", "engine": engine}
    async with QdrantAdapter(settings) as index:
        await index.create_collection("a", 32)
        await index.upsert("a", [Record(str(n), vector, {"n": n}) for n, vector in enumerate(vectors.tolist())])
        for kept in (2_000, 1_000, 200, 20, 2):
            query = random.standard_normal(32).astype("f")
            true = np.argsort(-(vectors[:kept] @ query) / np.linalg.norm(vectors[:kept], axis=1))[:10]
            found = await index.search("a", query.tolist(), limit=10, filter=F("n") < kept)
            assert [int(match.id) for match in found] == true.tolist()
