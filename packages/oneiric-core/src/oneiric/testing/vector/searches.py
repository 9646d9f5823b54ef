"""Searches: what a score means, in which order, and how many."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.vector.base import EXACT_SEARCH, Distance
from oneiric.errors import InvalidRecord, InvalidRequest
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip
from oneiric.testing.vector.records import BAD_VECTORS
from oneiric.testing.vector.things import (
    QUERY,
    SOON,
    THINGS,
    VectorTests,
    near,
    record,
    same_direction,
    score,
    vector_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from oneiric.adapters.vector.base import Match, VectorAdapter

DISTANCES = pytest.mark.parametrize("distance", Distance)


class SearchTests(VectorTests):
    """`search` and `search_many`, without filters."""

    @DISTANCES
    async def test_a_score_is_what_the_contract_says(self, adapter: VectorAdapter, distance: Distance) -> None:
        """Plain arithmetic, for each distance: on the same point, near, opposite, longer, at a right angle."""
        vectors = {
            "same": [1.0, 2.0, 2.0],
            "longer": [10.0, 20.0, 20.0],
            "opposite": [-1.0, -2.0, -2.0],
            "right-angle": [2.0, -1.0, 0.0],
            "near": [1.0, 2.0, 2.1],
            "tiny": [1e-3, 0.0, 0.0],
            "large": [1e4, -1e4, 3e4],
        }
        await adapter.create_collection("others", 3, distance=distance)
        await adapter.upsert("others", [record(name, {}, vector) for name, vector in vectors.items()])
        found = await adapter.search("others", vectors["same"], limit=10)
        assert {match.id for match in found} == vectors.keys(), (
            "a search gives all where there are fewer than its limit"
        )
        for match in found:
            expected = score(distance, vectors["same"], vectors[match.id])
            assert near(match.score, expected), f"the {distance} score of {match.id!r} is {expected}, not {match.score}"

    @DISTANCES
    async def test_a_higher_score_comes_first(self, adapter: VectorAdapter, distance: Distance) -> None:
        """The nearest first, whatever the distance."""
        await fill(adapter, distance, 60)
        scores = [match.score for match in await adapter.search("others", QUERY, limit=20)]
        assert scores == sorted(scores, reverse=True), "the nearest come first, and a higher score is nearer"

    async def test_a_euclidean_score_is_the_distance_with_its_sign_turned(self, adapter: VectorAdapter) -> None:
        """-5 at a distance of 5; not 25, not 1/6."""
        await adapter.create_collection("others", 2, distance=Distance.EUCLIDEAN)
        await adapter.upsert("others", [record("far", {}, [3.0, 4.0]), record("here", {}, [0.0, 0.0])])
        found = await adapter.search("others", [0.0, 0.0])
        assert [match.id for match in found] == ["here", "far"], "the nearest comes first"
        assert near(found[0].score, 0.0), "the score of the same point is 0"
        assert near(found[1].score, -5.0), "the score at a distance of 5 is -5"

    @DISTANCES
    async def test_a_search_finds_the_true_nearest(
        self, adapter: VectorAdapter, capabilities: Set[str], distance: Distance
    ) -> None:
        """Of 500, by twenty questions, where searches are exact."""
        if EXACT_SEARCH not in capabilities:
            skip(f"the adapter doesn't declare {EXACT_SEARCH!r}")
        await fill(adapter, distance, 500)
        async with asyncio.timeout(SOON):
            for number in range(20):
                query = vector_of(f"query-{number}")
                true = sorted((score(distance, query, vector_of(f"id-{each}")) for each in range(500)), reverse=True)
                found = await adapter.search("others", query, limit=10)
                assert len(found) == 10, "a search gives as many as its limit where there are so many"
                assert all(near(match.score, best) for match, best in zip(found, true, strict=False)), (
                    f"{EXACT_SEARCH!r}: a search finds the true nearest; here are {[match.score for match in found]}, "
                    f"and the nearest are {true[:10]}"
                )

    @pytest.mark.parametrize("limit", [0, 1, 9, 10, 11, 5_000])
    async def test_a_search_gives_as_many_as_its_limit(self, index: VectorAdapter, limit: int) -> None:
        """Or all, where there are fewer; none, where it is 0."""
        await index.upsert(THINGS, [record(f"id-{number}") for number in range(10)])
        found = await index.search(THINGS, QUERY, limit=limit)
        assert len(found) == min(limit, 10), "a search gives as many as its limit, or all where there are fewer"
        assert len({match.id for match in found}) == len(found), "each once"

    async def test_a_search_has_a_limit_of_ten_unless_told(self, index: VectorAdapter) -> None:
        """The default, of `search` and of `search_many`."""
        await index.upsert(THINGS, [record(f"id-{number}") for number in range(30)])
        assert len(await index.search(THINGS, QUERY)) == 10, "the default limit is 10"
        assert [len(each) for each in await index.search_many(THINGS, [QUERY] * 2)] == [10] * 2, (
            "the default limit is 10"
        )

    async def test_what_is_changed_in_a_match_is_not_stored(self, index: VectorAdapter) -> None:
        """Nor is it what another search gives."""
        await index.upsert(THINGS, [record("a", {"tags": ["a"]})])
        for call in (index.search(THINGS, QUERY), index.search(THINGS, QUERY, with_vectors=True)):
            (match,) = await call
            match.payload["tags"].append("b")
        (match,) = await index.search(THINGS, QUERY)
        assert match.payload == {"tags": ["a"]}, "an answer is a copy"

    async def test_a_search_of_nothing_finds_nothing(self, index: VectorAdapter) -> None:
        """An empty list."""
        assert await index.search(THINGS, QUERY) == [], "a search in an empty collection finds nothing"

    async def test_a_search_gives_vectors_where_they_are_asked_for(self, index: VectorAdapter) -> None:
        """And None where not."""
        await index.upsert(THINGS, [record("a", {"v": 1})])
        (without,) = await index.search(THINGS, QUERY)
        assert without.vector is None, "a match has no vector unless it is asked for"
        (match,) = await index.search(THINGS, QUERY, with_vectors=True)
        assert match.vector is not None, "with_vectors=True gives the vectors"
        assert same_direction(match.vector, vector_of("a")), "with_vectors=True gives the record's own vector"
        assert match.payload == {"v": 1}, "and the payload"

    async def test_what_was_deleted_is_not_found(self, index: VectorAdapter) -> None:
        """Nor what was replaced, at its old place."""
        await index.upsert(THINGS, [record("a", {}, [1, 0, 0, 0]), record("b", {}, [0, 1, 0, 0])])
        await index.upsert(THINGS, [record("a", {}, [0, 0, 0, 1])])
        await index.delete(THINGS, ["b"])
        found = await index.search(THINGS, [1, 0, 0, 0])
        assert [match.id for match in found] == ["a"], "what was deleted is not found"
        assert near(found[0].score, 0.0), "what was replaced is found at its new place only"

    @pytest.mark.parametrize("limit", [-1, 1.5, None, "3", True])
    async def test_a_limit_that_can_not_be_is_refused(self, index: VectorAdapter, limit: Any) -> None:
        """InvalidRequest."""
        with expect(InvalidRequest, f"the limit {limit!r}"):
            await index.search(THINGS, QUERY, limit=limit)
        with expect(InvalidRequest, f"the limit {limit!r} of search_many()"):
            await index.search_many(THINGS, [QUERY], limit=limit)

    @pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=BAD_VECTORS)
    async def test_a_vector_that_can_not_be_is_not_searched_for(self, index: VectorAdapter, vector: Any) -> None:
        """InvalidRecord, as for one that can't be stored."""
        await index.upsert(THINGS, [record("a")])
        with expect(InvalidRecord, "a search for a vector that can't be"):
            await index.search(THINGS, vector)
        with expect(InvalidRecord, "a search for several vectors of which one can't be"):
            await index.search_many(THINGS, [QUERY, vector])

    async def test_search_many_is_many_searches(self, index: VectorAdapter, capabilities: Set[str]) -> None:
        """In the order of the vectors."""
        await index.upsert(THINGS, [record(f"id-{number}", {"n": number}) for number in range(100)])
        queries = [vector_of(f"query-{number}") for number in range(12)]
        together = await index.search_many(THINGS, queries, limit=5, with_vectors=True)
        apart = [await index.search(THINGS, query, limit=5, with_vectors=True) for query in queries]
        assert [len(matches) for matches in together] == [5] * 12, "search_many() gives as many for each vector"
        for query, matches, others in zip(queries, together, apart, strict=True):
            hold(query, matches)
            if EXACT_SEARCH in capabilities:
                assert is_same(matches, others), "search_many() gives what a search for each vector gives"

    async def test_search_many_of_none_gives_none(self, index: VectorAdapter) -> None:
        """And for an empty collection, a list of empty ones."""
        assert await index.search_many(THINGS, []) == [], "search_many() of no vectors gives no lists"
        assert await index.search_many(THINGS, [QUERY, QUERY]) == [[], []], "a list for each vector, though empty"

    async def test_searches_side_by_side_do_not_mix(self, index: VectorAdapter) -> None:
        """Sixty, each with its own answer."""
        names = [f"id-{number}" for number in range(60)]
        await index.upsert(THINGS, [record(name, {"name": name}) for name in names])
        async with asyncio.timeout(SOON):
            found = await asyncio.gather(*(index.search(THINGS, vector_of(name), limit=1) for name in names))
        assert [matches[0].payload["name"] for matches in found] == names, "each search has its own answer"


async def fill(adapter: VectorAdapter, distance: Distance, number: int) -> None:
    """Make a collection `others` with so many records."""
    await adapter.create_collection("others", 4, distance=distance)
    await adapter.upsert("others", [record(f"id-{each}") for each in range(number)])


def hold(query: Sequence[float], matches: list[Match]) -> None:
    """See that the matches of a search by cosine have the scores of what they are."""
    for match in matches:
        assert near(match.score, score(Distance.COSINE, query, vector_of(match.id))), (
            "a match of search_many() has the score of its own vector and its own record"
        )
        assert match.payload == {"n": int(match.id.removeprefix("id-"))}, "and its payload"


def is_same(some: list[Match], others: list[Match]) -> bool:
    """Whether the scores are the same; of equal ones the order is free."""
    return len(some) == len(others) and all(near(a.score, b.score) for a, b in zip(some, others, strict=True))
