"""Filters: on local mode and on Qdrant Edge, with and without indexes, each means what `matches` says."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oneiric.adapters.vector import F, Record
from oneiric.adapters.vector.filters import And, Equals, Filter, In, IsEmpty, IsNull, Not, Or, matches, to_json
from oneiric.errors import Unsupported
from oneiric.testing.driven import driven
from oneiric.testing.vector.filtering import agree
from oneiric.testing.vector.strategies import ALIKE, payloads_and_filters
from oneiric_qdrant import QdrantAdapter
from oneiric_qdrant.client import ClientDialect
from oneiric_qdrant.conditions import translated
from oneiric_qdrant.edge.store import EdgeDialect
from qdrant_client.http.api.points_api import jsonable_encoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

INDEXES = {"a": "keyword", "b": "number", "it's": "bool", "a.b": "number", 'qu"ote': "keyword", "größe": "bool"}
ODD: list[Any] = [
    *ALIKE,
    None,
    [],
    {},
    [None],
    [[]],
    [[None]],
    [None, 1],
    [True, 1],
    [[True]],
    {"a": None},
    2**53,
    -(2**53),
    2**53 - 1,
    0.1 + 0.2,
    1e23,
    5e-324,
    1.7976931348623157e308,
]


def adapter_of(kind: str, path: Path) -> QdrantAdapter:
    if kind == "memory":
        return QdrantAdapter({"url": "embedded://"})
    indexes = INDEXES if kind == "edge-indexed" else {}
    return QdrantAdapter({"url": f"embedded://{path}/index", "engine": "edge", "indexes": indexes})


EXAMPLES = {"memory": 100, "edge": 25, "edge-indexed": 10}
"""How many random cases, of some six filters each: a collection of Edge's takes a while to make, on a disk that is slow."""
KINDS = pytest.mark.parametrize("kind", EXAMPLES)


@asynccontextmanager
async def filled(kind: str, path: Path, payloads: list[dict[str, Any]]) -> AsyncIterator[QdrantAdapter]:
    async with adapter_of(kind, path) as index:
        await index.create_collection("c", 2)
        await index.upsert("c", [Record(str(number), [1, number], each) for number, each in enumerate(payloads)])
        yield index


@pytest.mark.timeout(400)  # Edge syncs a collection's files as it makes it, and each case makes one
@KINDS
def test_random_filters_mean_what_matches_says(kind: str, tmp_path: Path) -> None:
    with driven(lambda: adapter_of(kind, tmp_path)) as (index, run):

        @settings(max_examples=EXAMPLES[kind], deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(payloads_and_filters())
        def hold(case: tuple[list[dict[str, Any]], list[Filter]]) -> None:
            run(agree(index, *case))

        hold()


@KINDS
async def test_each_form_is_held_against_each_odd_value(kind: str, tmp_path: Path) -> None:
    payloads = [{}, *({"a": value} for value in ODD), *({"a": [value]} for value in ODD), {"A": 1}, {"a ": 1}]
    conditions: list[Filter] = [IsNull("a"), IsEmpty("a"), In("a", ()), In("a", tuple(ALIKE)), And(()), Or(())]
    numbers = [value for value in ODD if isinstance(value, int | float) and not isinstance(value, bool)]
    conditions += [Equals("a", value) for value in ODD if isinstance(value, str | int | float)]
    conditions += [make(number) for number in numbers for make in (F("a").__gt__, F("a").__ge__, F("a").__lt__)]
    async with filled(kind, tmp_path, payloads) as index:
        for condition in [*conditions, *map(Not, conditions)]:
            expected = {number for number, payload in enumerate(payloads) if matches(condition, payload)}
            found = {int(each.id) async for each in index.scroll("c", filter=condition)}
            assert [payloads[number] for number in sorted(found ^ expected)] == [], f"wrongly for {to_json(condition)}"


@KINDS
async def test_what_no_record_can_hold_is_equal_to_none(kind: str, tmp_path: Path) -> None:
    async with filled(kind, tmp_path, [{"a": "x"}, {}]) as index:
        for nothing in (F("a") == "\ud800", F("\ud800") == "x", F("\ud800") > 1, F("\ud800").is_null()):
            assert await index.count("c", filter=nothing) == 0
            assert await index.count("c", filter=~nothing) == 2
        assert await index.count("c", filter=F("a").is_in(["\ud800", "x"])) == 1
        assert await index.count("c", filter=F("\ud800").is_empty()) == 2


def test_a_filter_of_another_kind_is_refused_and_not_left_out() -> None:
    class Like(Filter):
        """A form that a later version may have."""

    for dialect in (ClientDialect(), EdgeDialect()):
        with pytest.raises(Unsupported, match="Like"):
            translated((F("a") == 1) & ~Like(), dialect)


@given(
    st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False), st.lists, max_leaves=4)
)
def test_a_server_is_sent_the_payload_whole(value: Any) -> None:
    """The client leaves None out of its own models' JSON; a payload's are data."""
    from qdrant_client import models

    point = models.PointStruct.model_construct(id="a", vector=[1.0], payload={"a": value, "b": {"c": None}})
    sent = jsonable_encoder(models.PointsList(points=[point]))
    assert models.PointsList.model_validate_json(sent).points[0].payload == {"a": value, "b": {"c": None}}


def test_edge_still_takes_true_for_one(tmp_path: Path) -> None:
    """Where this fails, Edge is mended: `with_booleans` and EdgeDialect.boolean can go, once nobody has older folders."""
    edge = pytest.importorskip("qdrant_edge", reason="the extra oneiric-qdrant[edge] is not installed")
    config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=1, distance=edge.Distance.Dot))
    shard = edge.EdgeShard.create(str(tmp_path / "shard"), config)
    points = [edge.Point(id=number, vector=[1.0], payload={"a": value}) for number, value in enumerate([True, 1])]
    shard.update(edge.UpdateOperation.upsert_points(points))
    is_true = edge.Filter(must=[edge.FieldCondition("a", match=edge.MatchValue(True))])
    found, _ = shard.scroll(edge.ScrollRequest(limit=10, filter=is_true, with_payload=True, with_vector=False))
    shard.close()
    assert [record.payload["a"] for record in found] == [1]
    assert [type(record.payload["a"]) for record in found] == [int]


@KINDS
async def test_a_number_that_is_indexed_is_found_whether_it_is_whole_or_not(kind: str, tmp_path: Path) -> None:
    """Qdrant's index of integers serves ranges, and has no fractions in it: numbers are indexed as floats."""
    payloads = [{"b": value} for value in (1, 1.0, 1.5, -2.5, 1e300, 2**53, [0, 2.5], "1", True)]
    async with filled(kind, tmp_path, payloads) as index:
        for condition in (
            F("b") == 1,
            F("b") == 1.5,
            F("b") == 2.5,
            F("b") == 1e300,
            F("b") == 2**53,
            F("b") < 0,
            F("b") != 1.5,
        ):
            expected = {str(number) for number, payload in enumerate(payloads) if matches(condition, payload)}
            assert {each.id async for each in index.scroll("c", filter=condition)} == expected
