"""Declared capabilities are proved; undeclared ones are refused with Unsupported.

`EXACT_SEARCH` is proved among the searches, `FILTERED_SEARCH` among the filters.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.vector.base import DURABLE, FILTERED_SEARCH
from oneiric.adapters.vector.filters import F
from oneiric.errors import Unsupported
from oneiric.testing.child import kill_after
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip
from oneiric.testing.vector.things import QUERY, THINGS, VectorTests, record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Set

    from oneiric.adapters.vector.base import VectorAdapter
    from oneiric.spec import AdapterSpec

WRITE_AND_STAY = """
from oneiric.adapters.vector.base import Record
await adapter.create_collection("kept", 2)
await adapter.upsert("kept", [Record("a", [1.0, 0.0], {"v": 1}), Record("b", [0.0, 1.0]), Record("c", [1.0, 1.0])])
await adapter.upsert("kept", [Record("a", [1.0, 0.0], {"v": 2})])
await adapter.delete("kept", ["b"])
await adapter.create_collection("dropped", 2)
await adapter.drop_collection("dropped")
"""
FILTERED: dict[str, Callable[[Any], Any]] = {
    "search": lambda index: index.search(THINGS, QUERY, filter=F("n") == 1),
    "search_many": lambda index: index.search_many(THINGS, [QUERY], filter=F("n") == 1),
    "count": lambda index: index.count(THINGS, filter=F("n") == 1),
    "delete": lambda index: index.delete(THINGS, filter=F("n") == 1),
    "scroll": lambda index: anext(index.scroll(THINGS, filter=F("n") == 1)),
}


class VectorCapabilityTests(VectorTests):
    """`FILTERED_SEARCH` where it isn't declared, and `DURABLE`."""

    @pytest.mark.parametrize("call", FILTERED.values(), ids=FILTERED)
    async def test_filters_are_unsupported_where_they_are_not_declared(
        self, index: VectorAdapter, capabilities: Set[str], call: Callable[[Any], Any]
    ) -> None:
        """In every method that takes one, before anything is done."""
        if FILTERED_SEARCH in capabilities:
            skip(f"the adapter declares {FILTERED_SEARCH!r}")
        await index.upsert(THINGS, [record("a", {"n": 1})])
        with expect(Unsupported, f"a filter where {FILTERED_SEARCH!r} is not declared"):
            await call(index)
        assert await index.count(THINGS) == 1, "what is unsupported is refused before anything is done"

    async def test_what_was_written_survives_a_kill(
        self, make: Callable[..., Any], spec: AdapterSpec, config: Mapping[str, Any], capabilities: Set[str]
    ) -> None:
        """A process is killed (SIGKILL) after its writes have returned; another finds them."""
        if DURABLE not in capabilities:
            skip(f"the adapter doesn't declare {DURABLE!r}")
        await asyncio.to_thread(kill_after, WRITE_AND_STAY, spec, config)
        async with make() as adapter:
            names = [each.name for each in await adapter.list_collections()]
            found = await adapter.get("kept", ["a", "b", "c"])
        assert names == ["kept"], f"{DURABLE!r}: collections that were created and dropped survive as they are"
        assert [(each.id, each.payload) for each in found] == [("a", {"v": 2}), ("c", {})], (
            f"{DURABLE!r}: what an upsert or delete has done survives the end of the process"
        )
