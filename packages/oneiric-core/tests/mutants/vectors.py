"""Wrong vector indexes, each a small change to the one in memory."""

from __future__ import annotations

import dataclasses
import pickle
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.base import AdapterSettings
from oneiric.adapters.vector import DURABLE, EXACT_SEARCH, Distance, Match, Record
from oneiric.adapters.vector.filters import And, Equals, Filter, In, IsEmpty, Not, Range
from oneiric.errors import Unsupported
from oneiric.testing import VectorSuite
from oneiric.testing.memory import MemoryVector
from oneiric.testing.memory.vector import SPEC

from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence

    from oneiric.spec import AdapterSpec


class TestRight(VectorSuite):
    adapter_name = "memory-vector"

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {}


class FileSettings(AdapterSettings):
    path: str


class OnFile(MemoryVector):
    """The same on a file, written whole after each change: right, and durable."""

    settings_class = FileSettings

    async def init(self) -> None:
        await super().init()
        self._read()

    async def create_collection(self, name: str, dimension: int, **options: Any) -> None:
        await super().create_collection(name, dimension, **options)
        self._write()

    async def drop_collection(self, name: str, **options: Any) -> None:
        await super().drop_collection(name, **options)
        self._write()

    async def upsert(self, collection: str, records: Iterable[Record], **options: Any) -> int:
        count = await super().upsert(collection, records, **options)
        self._write()
        return count

    async def delete(self, collection: str, ids: Any = None, **options: Any) -> None:
        await super().delete(collection, ids, **options)
        self._write()

    def _read(self) -> None:
        with suppress(FileNotFoundError):
            self._collections = pickle.loads(Path(self.settings.path).read_bytes())

    def _write(self) -> None:
        Path(self.settings.path).write_bytes(pickle.dumps(self._collections))


class TestDurable(TestRight):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        capabilities = SPEC.capabilities | {DURABLE}
        path = f"{__name__}:OnFile"
        return dataclasses.replace(SPEC, adapter=path, settings=FileSettings, capabilities=capabilities)

    @pytest.fixture
    def config(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"path": str(tmp_path / "vectors")}


class Unfiltered(MemoryVector):
    """Without filters: right, where it doesn't declare them."""

    def _meeting(self, collection: str, filter: Filter | None) -> list[Record]:
        if filter is not None:
            raise Unsupported("There are no filters here.", adapter=self.name)
        return super()._meeting(collection, None)


class TestUnfiltered(TestRight):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return dataclasses.replace(SPEC, adapter=f"{__name__}:Unfiltered", capabilities=frozenset({EXACT_SEARCH}))


def changed(condition: Filter, change: Callable[[Filter], Filter]) -> Filter:
    """A filter with each of its parts changed."""
    if isinstance(condition, Not):
        return change(Not(changed(condition.filter, change)))
    if hasattr(condition, "filters"):
        return change(type(condition)(tuple(changed(each, change) for each in condition.filters)))
    return change(condition)


class _Filtering(MemoryVector):
    """Changes each filter before it is looked at."""

    def change(self, part: Filter) -> Filter:
        raise NotImplementedError

    def _meeting(self, collection: str, filter: Filter | None) -> list[Record]:
        return super()._meeting(collection, changed(filter, self.change) if isinstance(filter, Filter) else filter)


class DropsAClauseOfAnd(_Filtering):
    """The last of several: somebody else's records are given out."""

    def change(self, part: Filter) -> Filter:
        return And(part.filters[:-1]) if isinstance(part, And) and len(part.filters) > 1 else part


class NegatesFlatly(_Filtering):
    """De Morgan's mistake: not (a and b) is taken as (not a) and (not b)."""

    def change(self, part: Filter) -> Filter:
        if isinstance(part, Not) and isinstance(part.filter, And):
            return And(tuple(Not(each) for each in part.filter.filters))
        return part


class NotEqualNeedsTheField(_Filtering):
    """As SQL has it: what is missing is neither equal nor unequal."""

    def change(self, part: Filter) -> Filter:
        if isinstance(part, Not) and isinstance(part.filter, Equals):
            return And((part, Not(IsEmpty(part.filter.field))))
        return part


class _Matching(MemoryVector):
    """Has its own idea of what equals what."""

    def is_equal(self, element: Any, value: Any) -> bool:
        raise NotImplementedError

    def _meeting(self, collection: str, filter: Filter | None) -> list[Record]:
        if not isinstance(filter, Equals):
            return super()._meeting(collection, filter)
        found = []
        for record in super()._meeting(collection, None):
            held = record.payload.get(filter.field)
            elements = held if isinstance(held, list) else [held]
            if filter.field in record.payload and any(self.is_equal(each, filter.value) for each in elements):
                found.append(record)
        return found


class OneIsNotOnePointZero(_Matching):
    """Numbers are compared by their types."""

    def is_equal(self, element: Any, value: Any) -> bool:
        return type(element) is type(value) and element == value


class TrueIsOne(_Matching):
    """As Python has it."""

    def is_equal(self, element: Any, value: Any) -> bool:
        return element == value


class ComparesTextWithNumbers(_Matching):
    """By their text."""

    def is_equal(self, element: Any, value: Any) -> bool:
        return isinstance(element, bool) == isinstance(value, bool) and str(element) == str(value)


class RangesMissArrays(_Filtering):
    """A bound holds for one element, the other for another: here each bound is a range of its own."""

    def change(self, part: Filter) -> Filter:
        if not isinstance(part, Range):
            return part
        bounds = {name: getattr(part, name) for name in ("gt", "gte", "lt", "lte")}
        return And(tuple(Range(part.field, **{name: bound}) for name, bound in bounds.items() if bound is not None))


class InOfNoneIsEverything(_Filtering):
    """A condition without values is left out."""

    def change(self, part: Filter) -> Filter:
        return And(()) if isinstance(part, In) and not part.values else part


class FieldsArePaths(_Filtering):
    """A dot leads into an object."""

    def change(self, part: Filter) -> Filter:
        if isinstance(part, Equals) and "." in part.field.strip("."):
            return Equals(part.field.partition(".")[0], part.value)
        return part


class PassesOverWhatIsNoFilter(MemoryVector):
    """And so gives out everything."""

    def _meeting(self, collection: str, filter: Filter | None) -> list[Record]:
        return super()._meeting(collection, filter if isinstance(filter, Filter) else None)


class FiltersAfterTheSearch(MemoryVector):
    """Of the hundred nearest; where few meet the filter, too few are found."""

    async def search(self, collection: str, vector: Sequence[float], **options: Any) -> list[Match]:
        condition, limit = options.pop("filter", None), options.pop("limit", 10)
        found = await super().search(collection, vector, limit=100, **options)
        kept = {record.id for record in self._meeting(collection, condition)}
        return [match for match in found if match.id in kept][:limit]


class CountIgnoresTheFilter(MemoryVector):
    """It is quicker so."""

    async def count(self, collection: str, *, filter: Filter | None = None, timeout: float | None = None) -> int:
        return await super().count(collection)


class DeletesAllForNoIds(MemoryVector):
    """An empty list of ids is taken for none given."""

    async def delete(
        self, collection: str, ids: Any = None, *, filter: Filter | None = None, timeout: float | None = None
    ) -> None:
        await super().delete(collection, ids or None, filter=And(()) if not ids and filter is None else filter)


class TheScoreIsADistance(MemoryVector):
    """Lower is nearer; the order is right."""

    async def search(self, collection: str, vector: Sequence[float], **options: Any) -> list[Match]:
        found = await super().search(collection, vector, **options)
        return [dataclasses.replace(match, score=1 - match.score) for match in found]


class TheDistanceIsSquared(MemoryVector):
    """The root is left out: the order is right."""

    async def search(self, collection: str, vector: Sequence[float], **options: Any) -> list[Match]:
        found = await super().search(collection, vector, **options)
        if self._find(collection)[0].distance is not Distance.EUCLIDEAN:
            return found
        return [dataclasses.replace(match, score=-(match.score**2)) for match in found]


class MissesSomeOfTheNearest(MemoryVector):
    """As an approximate index does, though it declares to be exact."""

    async def search(self, collection: str, vector: Sequence[float], **options: Any) -> list[Match]:
        limit = options.pop("limit", 10)
        found = await super().search(collection, vector, limit=limit + 1, **options)
        return found[1:] if len(found) > limit > 1 else found[:limit]


class MergesPayloads(MemoryVector):
    """An upsert keeps what the new payload doesn't have."""

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        stored = self._find(collection)[1]
        merged = []
        for record in records:
            old = stored[record.id].payload if record.id in stored else {}
            merged.append(dataclasses.replace(record, payload={**old, **record.payload}))
        return await super().upsert(collection, merged)


class StoresAsItGoes(MemoryVector):
    """The records before one that can't be are kept."""

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        return sum([await super(StoresAsItGoes, self).upsert(collection, [record]) for record in records])


class NormalisesIds(MemoryVector):
    """A UUID is a UUID, however it is written; the record's own id is lost."""

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        return await super().upsert(collection, [dataclasses.replace(each, id=each.id.lower()) for each in records])


class GivesOutWhatItHolds(MemoryVector):
    """Who changes an answer changes what is stored."""

    async def get(self, collection: str, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        stored = self._find(collection)[1]
        return [stored[each] for each in dict.fromkeys(ids) if each in stored]


class ScrollsByOffset(MemoryVector):
    """Each batch is a query of its own: what is deleted meanwhile moves the rest."""

    async def scroll(
        self, collection: str, *, filter: Filter | None = None, batch_size: int = 256, timeout: float | None = None
    ) -> AsyncGenerator[Record]:
        offset = 0
        while batch := self._meeting(collection, filter)[offset : offset + batch_size]:
            for record in batch:
                yield record
            offset += batch_size


class ForgetsTheOrderOfIds(MemoryVector):
    """`get` gives them as they are stored."""

    async def get(self, collection: str, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        return sorted(await super().get(collection, ids), key=lambda record: record.id)


class ReplacesACollection(MemoryVector):
    """Creating one that is there makes it anew."""

    async def create_collection(self, name: str, dimension: int, **options: Any) -> None:
        if isinstance(name, str):
            await self.drop_collection(name)
        await super().create_collection(name, dimension, **options)


class ClaimsToBeDurable(MemoryVector):
    """In memory."""

    settings_class = FileSettings


class FiltersUndeclared(MemoryVector):
    """What isn't declared must fail."""


MUTANTS = [
    Mutant(DropsAClauseOfAnd, TestRight, "test_a_filter_means_what_the_contract_says"),
    Mutant(NegatesFlatly, TestRight, "test_random_filters_mean_what_matches_says"),
    Mutant(NotEqualNeedsTheField, TestRight, "test_random_filters_mean_what_matches_says"),
    Mutant(OneIsNotOnePointZero, TestRight, "test_a_filter_means_what_the_contract_says"),
    Mutant(TrueIsOne, TestRight, "test_each_value_is_held_against_each_other"),
    Mutant(ComparesTextWithNumbers, TestRight, "test_each_value_is_held_against_each_other"),
    Mutant(RangesMissArrays, TestRight, "test_a_filter_means_what_the_contract_says"),
    Mutant(InOfNoneIsEverything, TestRight, "test_a_filter_means_what_the_contract_says"),
    Mutant(FieldsArePaths, TestRight, "test_a_field_may_have_any_name"),
    Mutant(PassesOverWhatIsNoFilter, TestRight, "test_what_is_no_filter_is_refused"),
    Mutant(FiltersAfterTheSearch, TestRight, "test_a_filtered_search_gives_as_many_as_its_limit"),
    Mutant(CountIgnoresTheFilter, TestRight, "test_a_filter_means_what_the_contract_says"),
    Mutant(DeletesAllForNoIds, TestRight, "test_delete_by_ids"),
    Mutant(TheScoreIsADistance, TestRight, "test_a_score_is_what_the_contract_says"),
    Mutant(TheDistanceIsSquared, TestRight, "test_a_euclidean_score_is_the_distance_with_its_sign_turned"),
    Mutant(MissesSomeOfTheNearest, TestRight, "test_a_search_finds_the_true_nearest"),
    Mutant(MergesPayloads, TestRight, "test_an_upsert_replaces_wholly"),
    Mutant(StoresAsItGoes, TestRight, "test_a_vector_that_can_not_be_is_refused"),
    Mutant(NormalisesIds, TestRight, "test_an_id_may_be_any_text"),
    Mutant(GivesOutWhatItHolds, TestRight, "test_what_the_caller_changes_later_is_not_stored"),
    Mutant(ScrollsByOffset, TestRight, "test_a_scroll_may_delete_what_it_meets"),
    Mutant(ForgetsTheOrderOfIds, TestRight, "test_get_gives_the_records_in_the_order_of_the_ids"),
    Mutant(ReplacesACollection, TestRight, "test_creating_the_same_again_changes_nothing"),
    Mutant(ClaimsToBeDurable, TestDurable, "test_what_was_written_survives_a_kill"),
    Mutant(FiltersUndeclared, TestUnfiltered, "test_filters_are_unsupported_where_they_are_not_declared"),
]
