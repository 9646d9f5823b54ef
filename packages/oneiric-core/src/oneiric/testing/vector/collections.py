"""Collections: made, listed, dropped."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.vector.base import Collection, Distance
from oneiric.errors import CollectionExists, CollectionNotFound, InvalidRequest, NotInitialized
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.vector.things import QUERY, THINGS, VectorTests, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.vector.base import VectorAdapter

CALLS: dict[str, Callable[[Any], Any]] = {
    "upsert": lambda index: index.upsert("nowhere", [record("a")]),
    "upsert-nothing": lambda index: index.upsert("nowhere", []),
    "search": lambda index: index.search("nowhere", QUERY),
    "search_many": lambda index: index.search_many("nowhere", [QUERY]),
    "get": lambda index: index.get("nowhere", ["a"]),
    "delete": lambda index: index.delete("nowhere", ["a"]),
    "count": lambda index: index.count("nowhere"),
    "scroll": lambda index: anext(index.scroll("nowhere")),
}
CALLS_BY_NAME: dict[str, Callable[[Any, str], Any]] = {
    "upsert": lambda index, name: index.upsert(name, [record("b")]),
    "search": lambda index, name: index.search(name, QUERY),
    "get": lambda index, name: index.get(name, ["a"]),
    "delete": lambda index, name: index.delete(name, ["a"]),
    "count": lambda index, name: index.count(name),
    "scroll": lambda index, name: anext(index.scroll(name), None),
}
ALMOST = {"capitals": "THINGS", "a-prefix": "thing", "longer": "things2", "star": "thing*", "percent": "thing%"}
ALMOST |= {"quoted": '"things"', "blank": "things ", "underscore": "thing_"}
"""Names that are not `things`."""
OF_COLLECTIONS: dict[str, Callable[[Any], Any]] = {
    "create_collection": lambda index: index.create_collection("new", 4),
    "drop_collection": lambda index: index.drop_collection("new"),
    "list_collections": lambda index: index.list_collections(),
}
NAMES = ["a", "a1", "a-b", "a_b", "table", "select", "a--b", "z9-_", "x" * 60]
BAD_NAMES: dict[str, Any] = {
    "empty": "",
    "too-long": "x" * 61,
    "capital": "Things",
    "digit-first": "1a",
    "hyphen-first": "-a",
    "space": "a b",
    "dot": "a.b",
    "slash": "../a",
    "quote": 'a"b',
    "injection": "a; DROP TABLE things",
    "umlaut": "größe",
    "digit-of-another-script": "a\u0663",
    "line-break": "a\n",
    "nul": "a\0",
    "no-string": 7,
    "none": None,
}


class CollectionTests(VectorTests):
    """`create_collection`, `drop_collection`, `list_collections`."""

    @pytest.mark.parametrize("distance", Distance)
    async def test_a_collection_is_listed_as_it_was_created(self, adapter: VectorAdapter, distance: Distance) -> None:
        """With its dimension and distance."""
        await adapter.create_collection("a", 3, distance=distance)
        assert await adapter.list_collections() == [Collection("a", 3, distance)], (
            "list_collections() gives each collection with its dimension and distance"
        )

    async def test_without_a_distance_it_is_cosine(self, adapter: VectorAdapter) -> None:
        """The default."""
        await adapter.create_collection("a", 3)
        assert await adapter.list_collections() == [Collection("a", 3, Distance.COSINE)], "the default is cosine"

    async def test_collections_are_listed_by_name(self, adapter: VectorAdapter) -> None:
        """In the order of Python's strings; none where there are none."""
        assert await adapter.list_collections() == [], "no collections are an empty list"
        for name in NAMES:
            await adapter.create_collection(name, 2)
        assert [each.name for each in await adapter.list_collections()] == sorted(NAMES), (
            "list_collections() is in the order of the names"
        )

    async def test_creating_the_same_again_changes_nothing(self, index: VectorAdapter) -> None:
        """And is no error: what is in it stays."""
        await index.upsert(THINGS, [record("a")])
        await index.create_collection(THINGS, 4)
        assert await index.count(THINGS) == 1, "creating a collection that is there changes nothing"
        assert len(await index.list_collections()) == 1, "creating a collection that is there adds none"

    @pytest.mark.parametrize(
        ("dimension", "distance"), [(5, Distance.COSINE), (4, Distance.DOT)], ids=["dimension", "distance"]
    )
    async def test_creating_another_of_its_name_is_an_error(
        self, index: VectorAdapter, dimension: int, distance: Distance
    ) -> None:
        """And what is there stays."""
        await index.upsert(THINGS, [record("a")])
        with expect(CollectionExists, "another collection of that name"):
            await index.create_collection(THINGS, dimension, distance=distance)
        assert await index.list_collections() == [Collection(THINGS, 4, Distance.COSINE)], "what is there stays"
        assert await index.count(THINGS) == 1, "what is there stays"

    async def test_a_dropped_collection_is_gone(self, index: VectorAdapter) -> None:
        """With all in it: another of its name is empty."""
        await index.upsert(THINGS, [record("a")])
        await index.drop_collection(THINGS)
        assert await index.list_collections() == [], "a dropped collection is not listed"
        with expect(CollectionNotFound, "a collection that was dropped"):
            await index.count(THINGS)
        await index.create_collection(THINGS, 7, distance=Distance.DOT)
        assert await index.count(THINGS) == 0, "a dropped collection leaves nothing to another of its name"

    async def test_dropping_what_is_not_there_is_no_error(self, index: VectorAdapter) -> None:
        """And drops nothing else."""
        await index.drop_collection("nowhere")
        assert [each.name for each in await index.list_collections()] == [THINGS], "dropping drops nothing else"

    async def test_collections_are_apart(self, index: VectorAdapter) -> None:
        """The same id in two of them is two records."""
        await index.create_collection("others", 2, distance=Distance.DOT)
        await index.upsert(THINGS, [record("a", {"in": "things"})])
        await index.upsert("others", [record("a", {"in": "others"}, [1, 0]), record("b", {}, [0, 1])])
        assert (await index.count(THINGS), await index.count("others")) == (1, 2), "collections are apart"
        assert (await index.get(THINGS, ["a"]))[0].payload == {"in": "things"}, "collections are apart"
        await index.delete("others", ["a"])
        assert await index.count(THINGS) == 1, "deleting in one collection leaves another alone"

    @pytest.mark.parametrize("name", NAMES)
    async def test_a_collection_may_have_any_name_of_the_contract(self, adapter: VectorAdapter, name: str) -> None:
        """And works by it."""
        await adapter.create_collection(name, 4)
        await adapter.upsert(name, [record("a")])
        assert [match.id for match in await adapter.search(name, QUERY)] == ["a"], "a collection works by its name"

    @pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
    async def test_another_name_is_refused(self, index: VectorAdapter, name: Any) -> None:
        """InvalidRequest, before anything is done."""
        with expect(InvalidRequest, f"the collection's name {name!r}"):
            await index.create_collection(name, 4)
        assert [each.name for each in await index.list_collections()] == [THINGS], "nothing is made, and nothing lost"

    @pytest.mark.parametrize("dimension", [0, -1, 65_537, 1.5, True, "4", None])
    async def test_another_dimension_is_refused(self, adapter: VectorAdapter, dimension: Any) -> None:
        """It is a whole number from 1 to 65,536."""
        with expect(InvalidRequest, f"the dimension {dimension!r}"):
            await adapter.create_collection("a", dimension)
        assert await adapter.list_collections() == [], "nothing is made"

    async def test_another_distance_is_refused(self, adapter: VectorAdapter) -> None:
        """There are three."""
        distance: Any = "manhattan"
        with expect(InvalidRequest, "a distance that there is not"):
            await adapter.create_collection("a", 3, distance=distance)
        assert await adapter.list_collections() == [], "nothing is made"

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    async def test_a_collection_that_is_not_there_is_not_found(
        self, index: VectorAdapter, call: Callable[[Any], Any]
    ) -> None:
        """By any method; and none makes it."""
        with expect(CollectionNotFound, "a collection that isn't there") as expected:
            await call(index)
        assert expected.error.adapter == index.name, "`.adapter` of an error is the adapter's name"
        assert not expected.error.transient, "the same call would fail again: `.transient` is False"
        assert [each.name for each in await index.list_collections()] == [THINGS], "no method but create makes one"

    @by_name({**ALMOST, **{what: name for what, name in BAD_NAMES.items() if isinstance(name, str)}})
    async def test_a_name_that_is_almost_another_finds_nothing(self, index: VectorAdapter, case: str) -> None:
        """A name is compared as it is, and never a piece of a query, a pattern or a path."""
        await index.upsert(THINGS, [record("a")])
        for method, call in CALLS_BY_NAME.items():
            with expect(
                (CollectionNotFound, InvalidRequest), f"{method}() in the collection {case!r}, which isn't there"
            ):
                await call(index, case)
        assert await index.count(THINGS) == 1, "the collection that is there is left alone"
        assert [each.name for each in await index.list_collections()] == [THINGS], "and so are the others"

    @by_name({**ALMOST, **{what: name for what, name in BAD_NAMES.items() if isinstance(name, str)}})
    async def test_dropping_a_name_that_is_almost_another_drops_nothing(self, index: VectorAdapter, case: str) -> None:
        """There is no such collection, and so it is no error; InvalidRequest where there can't be one."""
        await index.upsert(THINGS, [record("a")])
        with suppress(InvalidRequest):
            await index.drop_collection(case)
        assert await index.count(THINGS) == 1, "the collection that is there is left alone"

    @pytest.mark.parametrize("call", [*CALLS.values(), *OF_COLLECTIONS.values()], ids=[*CALLS, *OF_COLLECTIONS])
    @pytest.mark.parametrize("when", ["before-init", "after-cleanup"])
    async def test_a_call_without_init_is_refused(
        self, make: Callable[..., Any], call: Callable[[Any], Any], when: str
    ) -> None:
        """Each method, before `init()` and after `cleanup()`."""
        adapter = make()
        if when == "after-cleanup":
            await adapter.init()
            await adapter.cleanup()
        with expect(NotInitialized, f"a call {when.replace('-', ' ')}() is called"):
            await call(adapter)

    async def test_raw_needs_init(self, make: Callable[..., Any]) -> None:
        """And gives the driver's object afterwards."""
        adapter = make()
        with expect(NotInitialized, "`raw` before init()"):
            assert adapter.raw, "it is not reached"
        async with adapter:
            assert adapter.raw is not None, "`raw` is the driver's own object"
