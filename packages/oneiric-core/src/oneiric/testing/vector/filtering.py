"""Filters: each means what `oneiric.adapters.vector.filters.matches` says, in every method that takes one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import given

from oneiric.adapters.vector.base import FILTERED_SEARCH, Distance
from oneiric.adapters.vector.filters import And, Equals, F, Filter, In, Not, Or, matches, to_json
from oneiric.errors import InvalidFilter, InvalidRequest
from oneiric.testing.driven import EXAMPLES, driven
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.guard import skip
from oneiric.testing.hostile import KEYS, TEXTS
from oneiric.testing.vector.strategies import ALIKE, payloads_and_filters
from oneiric.testing.vector.things import DIMENSION, QUERY, SOON, THINGS, VectorTests, near, record, score, vector_of

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from oneiric.adapters.vector.base import VectorAdapter

PAYLOADS_BY_ID: dict[str, dict[str, Any]] = {
    "missing": {},
    "null": {"a": None},
    "one": {"a": 1},
    "one-as-a-float": {"a": 1.0},
    "one-as-text": {"a": "1"},
    "one-and-a-half": {"a": 1.5},
    "true": {"a": True},
    "false": {"a": False},
    "zero": {"a": 0},
    "negative": {"a": -5},
    "red": {"a": "red"},
    "capital-red": {"a": "RED"},
    "empty-text": {"a": ""},
    "empty-array": {"a": []},
    "empty-object": {"a": {}},
    "array": {"a": ["red", 3, 30]},
    "array-of-null": {"a": [None]},
    "array-of-array": {"a": [["red", 1]]},
    "array-of-one": {"a": [1]},
    "object": {"a": {"b": 1}},
    "dotted": {"a.b": 1},
    "large": {"a": 2**53},
    "other-field": {"b": 1, "c": "red"},
    "both-fields": {"a": 1, "b": 1},
    "date-as-text": {"a": "2026-01-01"},
}
CASES: dict[str, Filter] = {
    "integer": F("a") == 1,
    "float": F("a") == 1.0,
    "fraction": F("a") == 1.5,
    "text": F("a") == "red",
    "number-as-text": F("a") == "1",
    "empty-text": F("a") == "",
    "true": F("a") == True,  # noqa: E712 - a filter
    "false": F("a") == False,  # noqa: E712
    "zero": F("a") == 0,
    "large": F("a") == 2**53,
    "not-equal-includes-missing": F("a") != "red",
    "not-equal-number": F("a") != 1,
    "not-equal-boolean": F("a") != True,  # noqa: E712
    "in": F("a").is_in(["red", 1, True]),
    "in-none": F("a").is_in([]),
    "not-in-none": ~F("a").is_in([]),
    "not-in": ~F("a").is_in(["red", 1]),
    "greater": F("a") > 1,
    "greater-or-equal": F("a") >= 1,
    "less": F("a") < 1,
    "less-or-equal": F("a") <= 1,
    "between-is-by-one-element": F("a").between(4, 29),
    "between": F("a").between(1, 3),
    "not-greater": ~(F("a") > 1),
    "null": F("a").is_null(),
    "not-null": ~F("a").is_null(),
    "empty": F("a").is_empty(),
    "not-empty": ~F("a").is_empty(),
    "a-dot-is-no-path": F("a.b") == 1,
    "a-path-is-no-field": F("a.b").is_empty(),
    "a-field-that-nobody-has": F("nobody") == 1,
    "and": (F("a") == 1) & (F("b") == 1),
    "or": (F("a") == 1) | (F("b") == 1),
    "not-and": ~((F("a") == 1) & (F("b") == 1)),
    "not-or": ~((F("a") == 1) | (F("b") == 1)),
    "not-not": ~~(F("a") == 1),
    "and-of-none": And(()),
    "or-of-none": Or(()),
    "not-and-of-none": Not(And(())),
    "and-or": ((F("a") == 1) | (F("a") == "red")) & ~(F("b") == 1),
    "or-and": (F("a") == "red") | ((F("a") == 1) & (F("b") != 1)),
    "contradiction": (F("a") == "red") & (F("a") == 3),
    "a-tenant-leak": (F("tenant") == "x") & (F("a") != 1),
}


class FilterTests(VectorTests):
    """`search`, `search_many`, `count`, `delete` and `scroll` with a filter."""

    @by_name(CASES)
    async def test_a_filter_means_what_the_contract_says(self, filtering: VectorAdapter, case: Filter) -> None:
        """Each node, over payloads that tell what it is apart from what it is nearly."""
        await filtering.upsert(THINGS, [record(id_, payload) for id_, payload in PAYLOADS_BY_ID.items()])
        expected = sorted(id_ for id_, payload in PAYLOADS_BY_ID.items() if matches(case, payload))
        found = await filtering.search(THINGS, QUERY, limit=100, filter=case)
        assert sorted(match.id for match in found) == expected, "a search finds what meets its filter, and nothing else"
        assert await filtering.count(THINGS, filter=case) == len(expected), "count() counts what meets its filter"

    def test_random_filters_mean_what_matches_says(self, make: Callable[..., Any], capabilities: Set[str]) -> None:
        """Random filters over random payloads, in `search`, `search_many`, `count`, `scroll` and at last `delete`."""
        if FILTERED_SEARCH not in capabilities:
            skip(f"the adapter doesn't declare {FILTERED_SEARCH!r}")
        with driven(make) as (adapter, run):

            @EXAMPLES
            @given(payloads_and_filters())
            def hold(case: tuple[list[dict[str, Any]], list[Filter]]) -> None:
                run(agree(adapter, *case))

            hold()

    async def test_each_value_is_held_against_each_other(self, filtering: VectorAdapter) -> None:
        """Numbers, texts and booleans that look alike, by themselves and in arrays: equal, or within a bound, or not."""
        values: list[Any] = [*ALIKE, None, [], {}]
        payloads = {f"id-{n}": {"a": value} for n, value in enumerate([*values, *([value] for value in values)])}
        await filtering.upsert(THINGS, [record(id_, payload) for id_, payload in payloads.items()])
        conditions: list[Filter] = [Equals("a", value) for value in ALIKE]
        numbers = [value for value in ALIKE if isinstance(value, int | float) and not isinstance(value, bool)]
        for number in numbers:
            conditions += [F("a") > number, F("a") >= number, F("a") < number, F("a") <= number]
        for condition in conditions:
            expected = sorted(id_ for id_, payload in payloads.items() if matches(condition, payload))
            found = sorted([each.id async for each in filtering.scroll(THINGS, filter=condition)])
            assert [payloads[id_] for id_ in found] == [payloads[id_] for id_ in expected], (
                f"{to_json(condition)} finds what is equal or within its bounds, and nothing that only looks like it"
            )
            assert found == expected, f"{to_json(condition)} finds what meets it"

    @by_name({name: key for name, key in KEYS.items() if key})
    async def test_a_field_may_have_any_name(self, filtering: VectorAdapter, case: str) -> None:
        """It is a key of the payload, whatever it looks like: no path, no pattern, and never a piece of a query."""
        await filtering.upsert(THINGS, [record(f"id-{n}", {key: "x"}) for n, key in enumerate(KEYS.values())])
        await filtering.upsert(THINGS, [record("none", {}), record("nested", {"a": {"b": "x"}, "b": "x"})])
        found = [each.payload async for each in filtering.scroll(THINGS, filter=F(case) == "x")]
        assert found == [{case: "x"}], "a field is a key of the payload, by its whole name"
        assert await filtering.count(THINGS, filter=F(case) != "x") == len(KEYS) + 1, "and so it is where it is negated"

    @by_name({name: text for name, text in TEXTS.items() if name != "huge"})
    async def test_a_filters_text_may_be_any(self, filtering: VectorAdapter, case: str) -> None:
        """It is compared as it is."""
        texts = [text for name, text in TEXTS.items() if name != "huge"]
        await filtering.upsert(THINGS, [record(f"id-{n}", {"s": text}) for n, text in enumerate(texts)])
        for each in (F("s") == case, F("s").is_in([case])):
            found = [each.payload["s"] async for each in filtering.scroll(THINGS, filter=each)]
            assert found == [case], "a text is compared as it is"

    async def test_a_filtered_search_gives_as_many_as_its_limit(self, filtering: VectorAdapter) -> None:
        """Though one in a hundred meets the filter, and all of these are far away."""
        near_ones = [record(f"near-{n}", {"rare": False}, [1.0, n / 1e4, 0.0, 0.0]) for n in range(990)]
        far_ones = [record(f"far-{n}", {"rare": True}, [-1.0, n / 1e4, 0.0, 0.0]) for n in range(10)]
        async with asyncio.timeout(SOON):
            await filtering.upsert(THINGS, near_ones + far_ones)
            rare = F("rare") == True  # noqa: E712 - a filter
            found = await filtering.search(THINGS, [1.0, 0.0, 0.0, 0.0], limit=10, filter=rare)
        assert sorted(match.id for match in found) == sorted(each.id for each in far_ones), (
            "a filtered search gives `limit` records where so many meet the filter: filter first, or search on"
        )

    async def test_a_filtered_search_gives_the_nearest_first(self, filtering: VectorAdapter) -> None:
        """Of those that meet the filter, with the scores that they have."""
        await filtering.upsert(THINGS, [record(f"id-{n}", {"n": n}) for n in range(100)])
        found = await filtering.search(THINGS, QUERY, limit=5, filter=F("n") >= 50)
        scores = [match.score for match in found]
        assert scores == sorted(scores, reverse=True), "the nearest come first, with a filter too"
        for match in found:
            assert near(match.score, score(Distance.COSINE, QUERY, vector_of(match.id))), "a filter changes no score"
            assert match.payload["n"] >= 50, "what is found meets the filter"

    async def test_search_many_filters_each_of_its_searches(self, filtering: VectorAdapter) -> None:
        """By the one filter that it is given."""
        await filtering.upsert(THINGS, [record(f"id-{n}", {"n": n}) for n in range(30)])
        found = await filtering.search_many(THINGS, [QUERY, vector_of("q")], limit=50, filter=F("n") < 3)
        assert [sorted(match.id for match in each) for each in found] == [["id-0", "id-1", "id-2"]] * 2, (
            "search_many() filters each of its searches"
        )

    async def test_delete_by_a_filter(self, filtering: VectorAdapter) -> None:
        """What meets it goes, all else stays."""
        await filtering.upsert(THINGS, [record(f"id-{n}", {"n": n}) for n in range(300)])
        await filtering.delete(THINGS, filter=F("n") >= 5)
        assert await filtering.count(THINGS) == 5, "delete() deletes all that meets its filter, and nothing else"
        await filtering.delete(THINGS, filter=F("n") == 77)
        assert await filtering.count(THINGS) == 5, "delete() by a filter that nothing meets deletes nothing"

    async def test_delete_by_both_is_refused(self, filtering: VectorAdapter) -> None:
        """Ids and a filter: InvalidRequest, and nothing is deleted."""
        await filtering.upsert(THINGS, [record("a", {"n": 1}), record("b", {"n": 2})])
        with expect(InvalidRequest, "delete() with both ids and a filter"):
            await filtering.delete(THINGS, ["a"], filter=F("n") == 2)
        assert await filtering.count(THINGS) == 2, "delete() with both deletes nothing"

    async def test_what_is_no_filter_is_refused(self, filtering: VectorAdapter) -> None:
        """InvalidFilter: a filter that is passed over gives one the others' records."""
        await filtering.upsert(THINGS, [record("a", {"n": 1})])
        wrong: list[Any] = [{"field": "n", "eq": 2}, "n = 2", [F("n") == 2], F("n"), {}]
        for each in wrong:
            for call in (
                lambda f: filtering.search(THINGS, QUERY, filter=f),
                lambda f: filtering.search_many(THINGS, [QUERY], filter=f),
                lambda f: filtering.count(THINGS, filter=f),
                lambda f: filtering.delete(THINGS, filter=f),
                lambda f: anext(filtering.scroll(THINGS, filter=f)),
            ):
                with expect(InvalidFilter, f"a {type(each).__name__} in place of a Filter"):
                    await call(each)
        assert await filtering.count(THINGS) == 1, "nothing is deleted by what is no filter"

    async def test_a_filter_may_be_large(self, filtering: VectorAdapter) -> None:
        """Up to the contract's limits: 900 values, and nested 30 levels deep."""
        await filtering.upsert(THINGS, [record(f"id-{n}", {"n": n}) for n in range(20)])
        many = In("n", tuple(range(10, 910)))
        deep: Filter = Equals("n", 3)
        for _ in range(14):
            deep = Not(And((deep,)))
        assert await filtering.count(THINGS, filter=many) == 10, "a filter may have 1,000 parts"
        assert await filtering.count(THINGS, filter=deep) == 1, "a filter may be nested 32 levels deep"


async def agree(adapter: VectorAdapter, payloads: list[dict[str, Any]], filters: list[Filter]) -> None:
    """See that the adapter agrees with `matches`, for each filter."""
    await adapter.drop_collection("random")
    await adapter.create_collection("random", DIMENSION)
    stored = {f"id-{number}": payload for number, payload in enumerate(payloads)}
    await adapter.upsert("random", [record(id_, payload) for id_, payload in stored.items()])
    for each in filters:
        expected = sorted(id_ for id_, payload in stored.items() if matches(each, payload))
        said = f"for {to_json(each)} over {stored}"
        found = await adapter.search("random", QUERY, limit=50, filter=each)
        assert sorted(match.id for match in found) == expected, f"search() {said}"
        (several,) = await adapter.search_many("random", [QUERY], limit=50, filter=each)
        assert sorted(match.id for match in several) == expected, f"search_many() {said}"
        assert await adapter.count("random", filter=each) == len(expected), f"count() {said}"
        scrolled = sorted([found.id async for found in adapter.scroll("random", filter=each, batch_size=5)])
        assert scrolled == expected, f"scroll() {said}"
    await adapter.delete("random", filter=filters[0])
    left = sorted([each.id async for each in adapter.scroll("random")])
    kept = sorted(id_ for id_, payload in stored.items() if not matches(filters[0], payload))
    assert left == kept, f"delete() for {to_json(filters[0])} over {stored}"
