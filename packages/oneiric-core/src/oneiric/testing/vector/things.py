"""The collection that the tests of the suite use."""

from __future__ import annotations

import math
import random
from array import array
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from oneiric.adapters.vector.base import FILTERED_SEARCH, Distance, Record, VectorAdapter
from oneiric.testing.guard import skip
from oneiric.testing.under_test import AdapterUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence, Set

THINGS = "things"
DIMENSION = 4
QUERY = (1.0, 2.0, 3.0, 4.0)

SOON = 30.0
"""Seconds within which everything here has to be over."""

TOLERANCE = 1e-4
"""How far a score may be from plain arithmetic: it is of 32-bit floats, and some backends compute in them."""


class VectorTests(AdapterUnderTest):
    """Base of the themes of the suite."""

    contract = VectorAdapter

    async def probe(self, adapter: Any) -> None:
        """One cheap call that reaches the backend."""
        await adapter.list_collections()

    @pytest_asyncio.fixture(loop_scope="function")
    async def index(self, adapter: VectorAdapter) -> AsyncIterator[VectorAdapter]:
        """The adapter, with an empty collection `things` of dimension 4 and by cosine."""
        await adapter.create_collection(THINGS, DIMENSION)
        yield adapter

    @pytest.fixture
    def filtering(self, index: VectorAdapter, capabilities: Set[str]) -> VectorAdapter:
        """The same, where it takes filters."""
        if FILTERED_SEARCH not in capabilities:
            skip(f"the adapter doesn't declare {FILTERED_SEARCH!r}")
        return index


def record(id_: str, payload: dict[str, Any] | None = None, vector: Sequence[float] | None = None) -> Record:
    """A record of `things`; its vector is made from its id where none is given."""
    return Record(id_, vector_of(id_) if vector is None else vector, payload or {})


def vector_of(seed: object, dimension: int = DIMENSION) -> list[float]:
    """A vector that is the same for the same seed in every run."""
    numbers = random.Random(str(seed))  # noqa: S311 - no secret
    return [numbers.uniform(-1, 1) for _ in range(dimension)]


def score(distance: Distance, one: Sequence[float], other: Sequence[float]) -> float:
    """What the contract says that a score is, in plain arithmetic on 32-bit floats."""
    a, b = array("f", one), array("f", other)
    inner = math.fsum(x * y for x, y in zip(a, b, strict=True))
    if distance is Distance.COSINE:
        return inner / (math.hypot(*a) * math.hypot(*b))
    return inner if distance is Distance.DOT else -math.dist(a, b)


def near(one: float, other: float) -> bool:
    """Whether two scores, or numbers of vectors, are the same but for the rounding of 32-bit floats."""
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def same_direction(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether a vector is another, or that scaled."""
    return len(one) == len(other) and near(score(Distance.COSINE, one, other), 1.0)
