"""Upserts: many at once, all or none, beside each other."""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.vector import Distance, F, Record
from oneiric.errors import DeadlineExceeded, InvalidRecord
from oneiric_postgres import PgVectorAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 1_000


def records(number: int, start: int = 0, **payload: Any) -> list[Record]:
    return [Record(f"id-{n}", [1.0, n / 1000, 0.5], {"n": n, **payload}) for n in range(start, start + number)]


@pytest.fixture
async def things(index: PgVectorAdapter) -> PgVectorAdapter:
    """A vector index with an empty collection `things` of three dimensions."""
    await index.create_collection("things", 3)
    return index


async def test_a_hundred_thousand_in_one_call_leave_the_loop_to_others(things: PgVectorAdapter) -> None:
    given, longest = records(100_000), 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watcher = asyncio.create_task(watch())
    assert await things.upsert("things", given, timeout=100) == 100_000
    watcher.cancel()
    assert longest < 1.0  # the whole takes several seconds; a busy machine is not what is tested
    assert await things.count("things") == 100_000
    assert (await things.get("things", ["id-99999"]))[0].payload == {"n": 99_999}


async def test_an_upsert_replaces_some_and_adds_others(things: PgVectorAdapter) -> None:
    assert await things.upsert("things", records(MANY)) == MANY
    assert await things.upsert("things", records(MANY, start=MANY // 2, new=True)) == MANY
    assert await things.count("things") == MANY * 3 // 2
    assert await things.count("things", filter=F("new") == True) == MANY  # noqa: E712 - a filter


@pytest.mark.parametrize("number", [1, 50, MANY])
async def test_of_two_with_one_id_the_later_is_stored(things: PgVectorAdapter, number: int) -> None:
    given = [*records(number, v=1), *records(number, v=2), Record("id-0", [0.0, 0.0, 1.0], {"v": 3})]
    assert await things.upsert("things", given) == number
    assert await things.count("things") == number
    (first,) = await things.get("things", ["id-0"])
    assert (first.payload, list(first.vector)) == ({"v": 3}, [0.0, 0.0, 1.0])
    assert await things.count("things", filter=F("v") == 2) == number - 1


WRONG = [
    Record("", [1, 2, 3]),
    Record("a\0b", [1, 2, 3]),
    Record("\ud800", [1, 2, 3]),
    Record("wrong", [1, 2]),
    Record("wrong", [1, float("nan"), 2]),
    Record("wrong", [0, 0, 0]),
    Record("wrong", [1, 2, 3], {"a": float("inf")}),
    Record("wrong", [1, 2, 3], {"a": {1: 2}}),
    ("a tuple", [1, 2, 3], {}),
    None,
]


async def test_what_is_loaded_comes_back_as_it_was_whatever_its_characters(things: PgVectorAdapter) -> None:
    given = [Record(f"é{n}\U0001f600", [n, 0.5, -1.0], {"ключ": '\u2028\\"', "n": [n, None, {}]}) for n in range(MANY)]
    given[7] = Record("é7\U0001f600", [7, 0.5, -1.0], {})
    await things.create_collection("plain", 3, distance=Distance.EUCLIDEAN)
    assert await things.upsert("plain", given) == MANY
    found = await things.get("plain", [record.id for record in given])
    assert [(each.id, list(each.vector), each.payload) for each in found] == [
        (each.id, list(each.vector), each.payload) for each in given
    ]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("number", [10, MANY])
async def test_a_wrong_record_at_the_end_undoes_all(things: PgVectorAdapter, wrong: Any, number: int) -> None:
    await things.upsert("things", records(5, old=True))
    with pytest.raises(InvalidRecord, match=f"Record {number + 1}: "):
        await things.upsert("things", [*records(number), wrong])
    assert await things.count("things") == 5
    assert await things.count("things", filter=F("old") == True) == 5  # noqa: E712 - a filter


async def test_a_wrong_record_is_refused_though_a_later_one_replaces_it(things: PgVectorAdapter) -> None:
    with pytest.raises(InvalidRecord, match="Record 1: "):
        await things.upsert("things", [Record("id-0", [1.0]), *records(MANY)])
    assert await things.count("things") == 0


async def test_what_an_iterable_raises_comes_to_the_caller_and_nothing_is_stored(things: PgVectorAdapter) -> None:
    def some() -> Iterator[Record]:
        yield from records(MANY)
        raise LookupError("of the caller's own")

    with pytest.raises(LookupError, match="of the caller's own"):
        await things.upsert("things", some())
    assert await things.count("things") == 0
    assert await things.upsert("things", chain(records(MANY))) == MANY


async def test_loads_beside_each_other_are_all_stored(things: PgVectorAdapter) -> None:
    """Each half of what the next one stores, in one order and the other, with small upserts of the same ids in between."""
    loads = [records(MANY, start=n * MANY // 2, task=n)[:: 1 if n % 2 else -1] for n in range(8)]
    few = [records(20, start=n * MANY // 2, task=100 + n) for n in range(8)]
    await asyncio.gather(*(things.upsert("things", each) for each in (*loads, *few)))
    assert await things.count("things") == MANY * 9 // 2
    found = [record async for record in things.scroll("things")]
    assert len({record.id for record in found}) == len(found) == MANY * 9 // 2


async def test_a_load_that_is_cancelled_leaves_nothing(things: PgVectorAdapter) -> None:
    await things.upsert("things", records(5, old=True))
    for delay in (0.0, 0.005, 0.02, 0.05):
        task = asyncio.create_task(things.upsert("things", records(20_000)))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await things.count("things", filter=F("old") == True) == 5  # noqa: E712 - a filter
        assert await things.count("things") == 5


async def test_a_load_past_its_deadline_leaves_nothing(things: PgVectorAdapter) -> None:
    with pytest.raises(DeadlineExceeded):
        await things.upsert("things", records(50_000), timeout=0.05)
    assert await things.count("things") == 0


async def test_16_bit_vectors_are_rounded_and_large_numbers_refused(vector_config: dict[str, Any]) -> None:
    async with PgVectorAdapter({**vector_config, "halfvec": True}) as index:
        await index.create_collection("things", 2, distance=Distance.EUCLIDEAN)
        await index.upsert("things", [Record("a", [0.1, 65_504.0])])
        (found,) = await index.get("things", ["a"])
        assert list(found.vector) == [0.0999755859375, 65_504.0]
        with pytest.raises(InvalidRecord, match=r"Record 1: .*65,504"):
            await index.upsert("things", [Record("b", [0.1, 70_000.0])])
        with pytest.raises(InvalidRecord, match="65,504"):
            await index.search("things", [0.1, 70_000.0])
    async with PgVectorAdapter(vector_config) as index:  # what a collection keeps is its own
        assert [match.id for match in await index.search("things", [0.1, 65_504.0])] == ["a"]
        await index.upsert("things", [Record(f"id-{n}", [n, 1.0]) for n in range(MANY)])
        assert await index.count("things") == MANY + 1


async def test_large_vectors_for_cosine_have_their_scores(things: PgVectorAdapter) -> None:
    await things.upsert("things", [Record("large", [3e38, 3e38, 0.0]), Record("tiny", [1e-40, 1e-40, 0.0])])
    for question in ([1.0, 1.0, 0.0], [3e38, 3e38, 0.0], [1e-42, 1e-42, 0.0]):
        found = await things.search("things", question)
        assert [round(match.score, 3) for match in found] == [1.0, 1.0]
