"""Calls that are cancelled at each of their awaits, and the next one works."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.testing.cancelling import each_cancelled
from oneiric.testing.vector.things import DIMENSION, QUERY, SOON, THINGS, VectorTests, record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric.adapters.vector.base import VectorAdapter


async def _scroll(index: VectorAdapter) -> None:
    async with aclosing(index.scroll(THINGS, batch_size=1)) as records:
        async for _ in records:
            pass


CALLS: dict[str, Callable[[Any], Coroutine[Any, Any, Any]]] = {
    "create_collection": lambda index: index.create_collection("others", DIMENSION),
    "drop_collection": lambda index: index.drop_collection("others"),
    "upsert": lambda index: index.upsert(THINGS, [record("b"), record("c")]),
    "search": lambda index: index.search(THINGS, QUERY),
    "search_many": lambda index: index.search_many(THINGS, [QUERY, QUERY]),
    "get": lambda index: index.get(THINGS, ["a", "b"]),
    "delete": lambda index: index.delete(THINGS, ["b", "c"]),
    "count": lambda index: index.count(THINGS),
    "scroll": _scroll,
}


class CancelledCallTests(VectorTests):
    """Cancellation at the adapter's own awaits."""

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    async def test_a_call_that_is_cancelled_anywhere_leaves_the_adapter_usable(
        self, index: VectorAdapter, call: Callable[[Any], Coroutine[Any, Any, Any]]
    ) -> None:
        """It ends as cancelled, and holds nothing that others wait for."""
        await index.upsert(THINGS, [record("a", {"v": 1})])
        async for done in each_cancelled(lambda: call(index), "A call"):
            try:
                async with asyncio.timeout(SOON):
                    await index.upsert(THINGS, [record("z", {"v": 2})])
                    found = await index.get(THINGS, ["a", "z"])
                    (match,) = await index.search(THINGS, record("z").vector, limit=1)
                    await index.delete(THINGS, ["z"])
            except TimeoutError:
                pytest.fail(f"{done}, and the next calls do not end within {SOON:.0f} s.")
            assert [(each.id, each.payload) for each in found] == [("a", {"v": 1}), ("z", {"v": 2})], (
                f"{done}, and other records than those that were stored before and after it are found"
            )
            assert match.id == "z", f"{done}, and a search after it has the answer to another call"
