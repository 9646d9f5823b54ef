"""Random commands to the adapter and to the in-memory reference: the same answers, or errors of the same class."""

from __future__ import annotations

import math
from array import array
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from oneiric.adapters.vector.base import DURABLE, EXACT_SEARCH, FILTERED_SEARCH, Distance, Match, Record
from oneiric.errors import OneiricError
from oneiric.testing.driven import EXAMPLES, driven
from oneiric.testing.memory.vector import MemoryVector
from oneiric.testing.vector.strategies import FILTERS, PAYLOADS
from oneiric.testing.vector.things import VectorTests, near

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence, Set

    from oneiric.adapters.vector.base import VectorAdapter
    from oneiric.adapters.vector.filters import Filter

COLLECTIONS = {"by-cosine": Distance.COSINE, "by-dot": Distance.DOT, "by-distance": Distance.EUCLIDEAN}
NAMES = st.sampled_from([*COLLECTIONS, "by-cosine", "nowhere"])
IDS = st.sampled_from(["1", "01", "é", "a b", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "x" * 512])
VECTORS = st.sampled_from([(1, 0), (0, 1), (-1, 0), (0.5, 0.25), (3, -4), (1e-3, 2e3)])
RECORDS = st.builds(Record, IDS, VECTORS, PAYLOADS)
WRONG = st.sampled_from([Record("", (1, 0)), Record("a", (1, 0, 0)), Record("a", (math.nan, 0)), Record("a", (0, 0))])


class Comparison(RuleBasedStateMachine):
    """The adapter and the reference, each with its collections."""

    def __init__(
        self, adapter: VectorAdapter, reference: MemoryVector, run: Callable[..., Any], capabilities: Set[str]
    ) -> None:
        super().__init__()
        self._adapter = adapter
        self._reference = reference
        self._run = run
        self._capabilities = capabilities
        for each in (adapter, reference):
            run(_emptied(each))

    @rule(name=NAMES, wrong=st.booleans())
    def create(self, name: str, wrong: bool) -> None:
        """A collection that is there, or not, or another of its name."""
        distance = COLLECTIONS.get(name, Distance.COSINE)
        self._compare(lambda index: index.create_collection(name, 3 if wrong else 2, distance=distance))

    @rule(name=NAMES)
    def drop(self, name: str) -> None:
        """A collection, with what is in it."""
        self._compare(lambda index: index.drop_collection(name))

    @rule(name=NAMES, records=st.lists(RECORDS, max_size=6))
    def upsert(self, name: str, records: list[Record]) -> None:
        """Records, some of them there, some twice."""
        self._compare(lambda index: index.upsert(name, records))

    @rule(name=NAMES, records=st.lists(RECORDS, max_size=3), wrong=WRONG)
    def upsert_wrongly(self, name: str, records: list[Record], wrong: Record) -> None:
        """Records of which the last can't be."""
        self._compare(lambda index: index.upsert(name, [*records, wrong]))

    @rule(name=NAMES, ids=st.lists(IDS, max_size=4))
    def get(self, name: str, ids: list[str]) -> None:
        """Some that are there, some that aren't, some twice."""
        self._compare(lambda index: index.get(name, ids))

    @rule(name=NAMES, ids=st.lists(IDS, max_size=2))
    def delete(self, name: str, ids: list[str]) -> None:
        """By ids."""
        self._compare(lambda index: index.delete(name, ids))

    @precondition(lambda self: FILTERED_SEARCH in self._capabilities)
    @rule(name=NAMES, condition=FILTERS)
    def delete_by_filter(self, name: str, condition: Filter) -> None:
        """By a filter."""
        self._compare(lambda index: index.delete(name, filter=condition))

    @precondition(lambda self: FILTERED_SEARCH in self._capabilities)
    @rule(name=NAMES, condition=FILTERS)
    def count(self, name: str, condition: Filter) -> None:
        """What meets a filter."""
        self._compare(lambda index: index.count(name, filter=condition))

    @precondition(lambda self: EXACT_SEARCH in self._capabilities)
    @rule(name=NAMES, vector=VECTORS, limit=st.integers(0, 4))
    def search(self, name: str, vector: Sequence[float], limit: int) -> None:
        """The nearest; of equal ones the order is free, and so their scores are compared."""
        self._compare(lambda index: _scores(index, name, vector, limit, None))

    @precondition(lambda self: {EXACT_SEARCH, FILTERED_SEARCH} <= self._capabilities)
    @rule(name=NAMES, vector=VECTORS, limit=st.integers(0, 4), condition=FILTERS)
    def search_by_filter(self, name: str, vector: Sequence[float], limit: int, condition: Filter) -> None:
        """The nearest that meet a filter."""
        self._compare(lambda index: _scores(index, name, vector, limit, condition))

    @precondition(lambda self: DURABLE in self._capabilities)
    @rule()
    def reopen(self) -> None:
        """The adapter is cleaned up and initialised again."""
        self._run(self._adapter.cleanup())
        self._run(self._adapter.init())

    @invariant()
    def the_collections_are_the_same(self) -> None:
        """After every step, with all that is in them."""
        self._compare(lambda index: index.list_collections())
        for name in COLLECTIONS:
            self._compare(partial(_everything, name))

    def _compare(self, call: Callable[[VectorAdapter], Any]) -> None:
        ours, reference = (self._run(outcome(call, each)) for each in (self._adapter, self._reference))
        assert alike(ours, reference), f"the adapter gives {ours!r}, and the reference {reference!r}"


async def outcome(call: Callable[[VectorAdapter], Any], index: VectorAdapter) -> Any:
    """What a call gives, or the class of the error that it raises."""
    try:
        return await call(index)
    except OneiricError as error:
        return type(error).__name__


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same, but for rounding, and for the length of vectors that are for cosine."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, Record) and isinstance(other, Record):
        is_same = (one.id, one.payload) == (other.id, other.payload)
        return is_same and all(map(near, _unit(one.vector), _unit(other.vector)))
    if isinstance(one, float) and isinstance(other, float):
        return near(one, other)
    return bool(one == other)


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.hypot(*vector) or 1.0
    return [number / length for number in array("f", vector)]


async def _scores(
    index: VectorAdapter, name: str, vector: Sequence[float], limit: int, condition: Filter | None
) -> list[float]:
    found: list[Match] = await index.search(name, vector, limit=limit, filter=condition)
    return [match.score for match in found]


async def _everything(name: str, index: VectorAdapter) -> list[Record]:
    records: AsyncIterator[Record] = index.scroll(name, batch_size=2)
    return sorted([record async for record in records], key=lambda record: record.id)


async def _emptied(index: VectorAdapter) -> None:
    for name in [*COLLECTIONS, "nowhere"]:
        await index.drop_collection(name)
    for name, distance in COLLECTIONS.items():
        await index.create_collection(name, 2, distance=distance)


class VectorDifferentialTests(VectorTests):
    """The adapter against `MemoryVector`."""

    def test_random_commands_are_answered_as_by_the_reference(
        self, make: Callable[..., Any], capabilities: Set[str]
    ) -> None:
        """Collections, records, searches and filters, some of them wrong."""
        reference = MemoryVector()
        with driven(make, reference) as (adapter, run):
            run_state_machine_as_test(
                lambda: Comparison(adapter, reference, run, capabilities),  # type: ignore[arg-type]
                settings=EXAMPLES,
            )
