"""Records: stored, read, replaced, deleted; hostile ones kept or refused."""

from __future__ import annotations

import asyncio
import math
from array import array
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.vector.base import Distance, Record
from oneiric.errors import InvalidRecord, InvalidRequest
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.hostile import IDS, PAYLOADS, SURROGATES, nested
from oneiric.testing.vector.things import DIMENSION, SOON, THINGS, VectorTests, near, record, same_direction, vector_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.adapters.vector.base import VectorAdapter

BAD_VECTORS: dict[str, Any] = {
    "too-short": [1.0] * 3,
    "too-long": [1.0] * 5,
    "empty": [],
    "nan": [1.0, math.nan, 0.0, 0.0],
    "infinite": [1.0, math.inf, 0.0, 0.0],
    "minus-infinite": [1.0, -math.inf, 0.0, 0.0],
    "both-infinities": [math.inf, -math.inf, 0.0, 0.0],
    "too-large-for-32-bits": [1e39, 0.0, 0.0, 0.0],
    "too-large-for-64-bits": [10**400, 0, 0, 0],
    "zeros": [0.0] * 4,
    "too-small-for-32-bits": [1e-60, 0.0, 0.0, 0.0],
    "text": "1234",
    "bytes": b"\x01\x02\x03\x04" * 4,
    "texts": ["1", "2", "3", "4"],
    "none": None,
    "nones": [None] * 4,
    "nested": [[1.0, 2.0, 3.0, 4.0]],
    "complex": [1j, 0, 0, 0],
}
BAD_IDS: dict[str, Any] = {
    "empty": "",
    "too-long": "x" * 513,
    "nul": "a\0b",
    **SURROGATES,
    "an-integer": 7,
    "bytes": b"a",
    "none": None,
}
_circle: list[Any] = []
_circle.append(_circle)
BAD_PAYLOADS: dict[str, Any] = {
    "a-list": [1],
    "a-text": "a",
    "none": None,
    "nan": {"a": math.nan},
    "infinite": {"a": [1.0, math.inf]},
    "integer-beyond-2**53": {"a": 2**53 + 1},
    "integer-below--2**53": {"a": {"b": -(2**53) - 1}},
    "nul-in-a-text": {"a": "b\0c"},
    "nul-in-a-key": {"a\0": 1},
    "lone-surrogate": {"a": ["\ud800"]},
    "lone-surrogate-in-a-key": {"\ud800": 1},
    "bytes": {"a": b"x"},
    "an-object": {"a": object()},
    "a-set": {"a": {1}},
    "a-key-that-is-no-text": {"a": {1: 2}},
    "too-deep": nested(33),
    "endless": {"a": _circle},
}


class RecordTests(VectorTests):
    """`upsert`, `get`, `delete`, `count`, `scroll`, without filters."""

    async def test_a_record_comes_back(self, index: VectorAdapter) -> None:
        """Whole; with cosine its vector may have been scaled."""
        assert await index.upsert(THINGS, [record("a", {"color": "red", "sizes": [1, 2.5]})]) == 1, "one record"
        (found,) = await index.get(THINGS, ["a"])
        assert (found.id, found.payload) == ("a", {"color": "red", "sizes": [1, 2.5]}), "a record comes back whole"
        assert same_direction(found.vector, vector_of("a")), "a vector comes back, or scaled where it is for cosine"

    @pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLIDEAN])
    async def test_a_vector_is_not_scaled(self, adapter: VectorAdapter, distance: Distance) -> None:
        """But for cosine."""
        await adapter.create_collection("others", 3, distance=distance)
        vector = [3.0, -4.5, 1e-3]
        await adapter.upsert("others", [record("a", {}, vector), record("zeros", {}, [0.0, 0.0, 0.0])])
        one, zeros = await adapter.get("others", ["a", "zeros"])
        assert list(one.vector) == list(array("f", vector)), "a vector comes back as its 32-bit floats"
        assert list(zeros.vector) == [0.0, 0.0, 0.0], "a vector of zeros is one, but for cosine"

    async def test_an_upsert_replaces_wholly(self, index: VectorAdapter) -> None:
        """Payload and vector; nothing of the old one is left."""
        await index.upsert(THINGS, [record("a", {"old": 1, "both": {"x": 1}}, [1, 0, 0, 0])])
        assert await index.upsert(THINGS, [record("a", {"both": {"y": 2}}, [0, 1, 0, 0])]) == 1, "one id"
        (found,) = await index.get(THINGS, ["a"])
        assert found.payload == {"both": {"y": 2}}, "an upsert replaces the payload wholly, and merges nothing"
        assert near(found.vector[1], 1.0), "an upsert replaces the vector"
        assert await index.count(THINGS) == 1, "an upsert of an id that is there adds none"

    async def test_of_two_records_with_one_id_the_later_is_stored(self, index: VectorAdapter) -> None:
        """And the count is that of the ids."""
        records = [record("a", {"v": 1}), record("b"), record("a", {"v": 2}), record("a", {"v": 3})]
        assert await index.upsert(THINGS, records) == 2, "upsert() returns how many ids"
        (found,) = await index.get(THINGS, ["a"])
        assert found.payload == {"v": 3}, "of two records with one id the later is stored"

    async def test_an_upsert_of_nothing_stores_nothing(self, index: VectorAdapter) -> None:
        """And is no error."""
        assert await index.upsert(THINGS, []) == 0, "an upsert of no records returns 0"
        assert await index.count(THINGS) == 0, "an upsert of no records stores none"

    async def test_records_come_from_any_iterable(self, index: VectorAdapter) -> None:
        """And vectors from any sequence."""
        vectors: list[Any] = [(1, 2, 3, 4), [1.0, 2.0, 3.0, 4.0], array("f", [1, 2, 3, 4]), array("d", [1, 2, 3, 4])]
        assert await index.upsert(THINGS, (record(str(n), {}, each) for n, each in enumerate(vectors))) == 4, (
            "upsert() takes any iterable of records"
        )
        for found in await index.get(THINGS, ["0", "1", "2", "3"]):
            assert same_direction(found.vector, [1, 2, 3, 4]), "a vector is any sequence of numbers"

    async def test_what_the_records_raise_comes_to_the_caller(self, index: VectorAdapter) -> None:
        """As it is, and nothing is stored."""
        error = ValueError("of the caller's own")

        def records() -> Iterator[Record]:
            yield from (record(str(number)) for number in range(300))
            raise error

        with pytest.raises(ValueError, match="of the caller's own") as raised:
            await index.upsert(THINGS, records())
        assert raised.value is error, "what an iterable of records raises comes to the caller as it is"
        assert await index.count(THINGS) == 0, "all records are checked before any is stored"

    async def test_two_thousand_at_once(self, index: VectorAdapter) -> None:
        """In one call, and each is there."""
        async with asyncio.timeout(SOON):
            records = [record(f"id-{number}", {"n": number}) for number in range(2_000)]
            assert await index.upsert(THINGS, records) == 2_000, "upsert() returns how many ids"
            assert await index.count(THINGS) == 2_000, "count() is exact"
            found = await index.get(THINGS, [f"id-{number}" for number in range(1_999, -1, -1)])
        assert [each.payload["n"] for each in found] == list(range(1_999, -1, -1)), "each record is there"

    async def test_what_the_caller_changes_later_is_not_stored(self, index: VectorAdapter) -> None:
        """Nor what is changed in an answer."""
        payload, vector = {"tags": ["a"]}, [1.0, 0.0, 0.0, 0.0]
        await index.upsert(THINGS, [record("a", payload, vector)])
        payload["tags"].append("b")
        vector[0] = -1.0
        (found,) = await index.get(THINGS, ["a"])
        assert found.payload == {"tags": ["a"]}, "what the caller does to its payload after an upsert is not stored"
        assert near(found.vector[0], 1.0), "what the caller does to its vector after an upsert is not stored"
        found.payload["tags"].append("c")
        assert (await index.get(THINGS, ["a"]))[0].payload == {"tags": ["a"]}, "an answer is a copy"

    async def test_get_gives_the_records_in_the_order_of_the_ids(self, index: VectorAdapter) -> None:
        """Those that there are, each once."""
        await index.upsert(THINGS, [record(each) for each in "abcd"])
        found = await index.get(THINGS, ["d", "nowhere", "a", "d", "c"])
        assert [each.id for each in found] == ["d", "a", "c"], (
            "get() gives the records that there are, in the order of the ids, each once"
        )

    async def test_get_of_no_ids_gives_none(self, index: VectorAdapter) -> None:
        """Not all."""
        await index.upsert(THINGS, [record("a")])
        assert await index.get(THINGS, []) == [], "get() of no ids gives no records, not all"

    @by_name(IDS)
    async def test_an_id_may_be_any_text(self, index: VectorAdapter, case: str) -> None:
        """It comes back as it was, from every method."""
        await index.upsert(THINGS, [record(case, {"v": 1}), record("other", {"v": 2}, [-1, -1, -1, -1])])
        assert [each.id for each in await index.get(THINGS, [case])] == [case], "get() finds a record by its id"
        matches = await index.search(THINGS, vector_of(case), limit=1)
        assert [each.id for each in matches] == [case], "search() gives the id as it was"
        assert {each.id async for each in index.scroll(THINGS)} == {case, "other"}, "scroll() gives the id as it was"
        await index.delete(THINGS, [case])
        assert await index.get(THINGS, [case]) == [], "delete() deletes a record by its id"
        assert await index.count(THINGS) == 1, "delete() deletes no other"

    async def test_ids_that_look_alike_are_different(self, index: VectorAdapter) -> None:
        """`42` and `042`, a UUID and the same in capitals, é and e with an accent."""
        await index.upsert(THINGS, [record(each, {"id": each}) for each in IDS.values()])
        assert await index.count(THINGS) == len(IDS), "ids that look alike are different: none is normalised"
        found = await index.get(THINGS, [*IDS.values()])
        assert [each.payload["id"] for each in found] == [*IDS.values()], "each id has its own record"

    @by_name(PAYLOADS)
    async def test_a_payload_may_be_any_json_object(self, index: VectorAdapter, case: dict[str, Any]) -> None:
        """It comes back equal, from every method."""
        await index.upsert(THINGS, [record("a", case)])
        (found,) = await index.get(THINGS, ["a"])
        assert found.payload == case, "a payload comes back from get() as it was"
        (match,) = await index.search(THINGS, vector_of("a"))
        assert match.payload == case, "a payload comes back from search() as it was"
        (scrolled,) = [each async for each in index.scroll(THINGS)]
        assert scrolled.payload == case, "a payload comes back from scroll() as it was"

    async def test_a_payload_may_be_nested_32_levels_deep(self, index: VectorAdapter) -> None:
        """The contract's limit."""
        await index.upsert(THINGS, [record("a", nested(32))])
        assert (await index.get(THINGS, ["a"]))[0].payload == nested(32), "a payload may be nested 32 levels deep"

    async def test_a_boolean_is_no_number(self, index: VectorAdapter) -> None:
        """In a payload: Python takes `True == 1`, and JSON doesn't."""
        await index.upsert(THINGS, [record("a", {"yes": True, "one": 1, "text": "1", "none": None})])
        payload = (await index.get(THINGS, ["a"]))[0].payload
        assert payload["yes"] is True, "True comes back as True"
        assert not isinstance(payload["one"], bool), "1 comes back as a number"

    @pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=BAD_VECTORS)
    async def test_a_vector_that_can_not_be_is_refused(self, index: VectorAdapter, vector: Any) -> None:
        """InvalidRecord, and of a hundred records none is stored."""
        with expect(InvalidRecord, "a vector that can't be"):
            await index.upsert(THINGS, [*(record(str(number)) for number in range(100)), Record("bad", vector)])
        assert await index.count(THINGS) == 0, "all records are checked before any is stored"

    @pytest.mark.parametrize("id_", BAD_IDS.values(), ids=BAD_IDS)
    async def test_an_id_that_can_not_be_is_refused(self, index: VectorAdapter, id_: Any) -> None:
        """InvalidRecord, and none is stored."""
        with expect(InvalidRecord, "an id that can't be"):
            await index.upsert(THINGS, [record("good"), record(id_, {}, [1, 2, 3, 4])])
        assert await index.count(THINGS) == 0, "all records are checked before any is stored"

    @pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
    async def test_a_payload_that_can_not_be_is_refused(self, index: VectorAdapter, payload: Any) -> None:
        """InvalidRecord, and none is stored: not one that was changed to fit."""
        with expect(InvalidRecord, "a payload that can't be"):
            await index.upsert(THINGS, [record("good"), Record("bad", [1, 2, 3, 4], payload)])
        assert await index.count(THINGS) == 0, "all records are checked before any is stored"

    async def test_what_is_no_record_is_refused(self, index: VectorAdapter) -> None:
        """A tuple or a dict of the same things."""
        wrong: list[Any] = [("a", [1, 2, 3, 4], {}), {"id": "a", "vector": [1, 2, 3, 4]}, None]
        for each in wrong:
            with expect(InvalidRecord, f"a {type(each).__name__} in place of a Record"):
                await index.upsert(THINGS, [each])
        assert await index.count(THINGS) == 0, "nothing is stored"

    async def test_a_refused_upsert_leaves_what_is_there(self, index: VectorAdapter) -> None:
        """Records of the same ids."""
        await index.upsert(THINGS, [record("a", {"v": 1})])
        with expect(InvalidRecord, "a vector of the wrong dimension"):
            await index.upsert(THINGS, [record("a", {"v": 2}), record("b", {}, [1.0])])
        assert (await index.get(THINGS, ["a"]))[0].payload == {"v": 1}, "a refused upsert leaves what is there"

    async def test_delete_by_ids(self, index: VectorAdapter) -> None:
        """Those that aren't there are no error; none given is none deleted."""
        await index.upsert(THINGS, [record(each) for each in "abcd"])
        await index.delete(THINGS, ["a", "nowhere", "c", "a"])
        assert sorted([each.id async for each in index.scroll(THINGS)]) == ["b", "d"], "delete() deletes these ids"
        await index.delete(THINGS, [])
        assert await index.count(THINGS) == 2, "delete() of no ids deletes nothing, and least of all everything"

    async def test_delete_of_nothing_named_is_refused(self, index: VectorAdapter) -> None:
        """Neither ids nor a filter: InvalidRequest, and nothing is deleted."""
        await index.upsert(THINGS, [record("a")])
        with expect(InvalidRequest, "delete() with neither ids nor a filter"):
            await index.delete(THINGS)
        assert await index.count(THINGS) == 1, "delete() with neither ids nor a filter deletes nothing"

    @pytest.mark.parametrize("batch_size", [1, 7, 50, 51, 1_000])
    async def test_scroll_gives_every_record_once(self, index: VectorAdapter, batch_size: int) -> None:
        """Whatever the batches."""
        await index.upsert(THINGS, [record(f"id-{number}", {"n": number}) for number in range(51)])
        found = [each async for each in index.scroll(THINGS, batch_size=batch_size)]
        assert sorted(each.payload["n"] for each in found) == list(range(51)), "scroll() gives every record once"
        assert all(same_direction(each.vector, vector_of(each.id)) for each in found), "with its vector"

    async def test_scroll_of_nothing_ends(self, index: VectorAdapter) -> None:
        """At once."""
        assert [each async for each in index.scroll(THINGS)] == [], "scroll() of an empty collection gives none"

    async def test_a_scroll_that_is_left_early_holds_nothing(self, index: VectorAdapter) -> None:
        """Thirty of them."""
        await index.upsert(THINGS, [record(f"id-{number}") for number in range(20)])
        async with asyncio.timeout(SOON):
            for _ in range(30):
                async with aclosing(index.scroll(THINGS, batch_size=3)) as records:
                    await anext(records)
            await index.drop_collection(THINGS)

    async def test_a_scroll_may_delete_what_it_meets(self, index: VectorAdapter) -> None:
        """And still gives each of the others once."""
        await index.upsert(THINGS, [record(f"id-{number}") for number in range(40)])
        seen: list[str] = []
        async with asyncio.timeout(SOON):
            async for each in index.scroll(THINGS, batch_size=5):
                seen.append(each.id)
                await index.delete(THINGS, [each.id])
        assert sorted(seen) == sorted(f"id-{number}" for number in range(40)), (
            "scroll() gives every record once, though those before it are deleted"
        )
        assert await index.count(THINGS) == 0, "and they are deleted"

    @pytest.mark.parametrize("batch_size", [0, -1, 1.5, True, None])
    async def test_a_batch_has_at_least_one_record(self, index: VectorAdapter, batch_size: Any) -> None:
        """InvalidRequest otherwise, not a scroll without an end."""
        with expect(InvalidRequest, f"a batch_size of {batch_size}"):
            await anext(index.scroll(THINGS, batch_size=batch_size))

    async def test_upserts_side_by_side_are_all_stored(self, index: VectorAdapter) -> None:
        """Forty tasks, each with its records and one that all of them write."""
        async with asyncio.timeout(SOON):
            await asyncio.gather(
                *(
                    index.upsert(THINGS, [record(f"{task}-{n}") for n in range(5)] + [record("same", {"task": task})])
                    for task in range(40)
                )
            )
        assert await index.count(THINGS) == 40 * 5 + 1, "upserts at the same time are all stored"
        assert len(await index.get(THINGS, ["same"])) == 1, "and an id is there once"
        assert len((await index.get(THINGS, ["same"]))[0].vector) == DIMENSION, "whole"
