"""Wrong vector indexes: names, limits, answers, and calls that are cancelled."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from oneiric.adapters.vector import Collection, Distance, Match, Record
from oneiric.testing.memory import MemoryVector
from oneiric.testing.vector import cancelling

from mutants.harness import Mutant
from mutants.vectors import TestRight

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

cancelling.SOON = 3.0  # what a mutant never does isn't waited for as long


class FoldsTheNamesOfCollections(MemoryVector):
    """As SQL does where they aren't quoted."""

    def _find(self, name: str) -> tuple[Collection, dict[str, Record]]:
        return super()._find(name.lower() if isinstance(name, str) else name)


class TrimsTheNamesOfCollections(MemoryVector):
    """To be kind."""

    def _find(self, name: str) -> tuple[Collection, dict[str, Record]]:
        return super()._find(name.strip(' "') if isinstance(name, str) else name)


class DropsByAPattern(MemoryVector):
    """It deletes the keys that begin so."""

    async def drop_collection(self, name: str, *, timeout: float | None = None) -> None:
        for each in [*self._ready()]:
            if isinstance(name, str) and fnmatchcase(each, name):
                await super().drop_collection(each)


class CreatesWhatIsNotThere(MemoryVector):
    """At the first upsert, with the dimension of its first vector."""

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        listed = [*records]
        if collection not in self._ready() and listed:
            await self.create_collection(collection, len(listed[0].vector))
        return await super().upsert(collection, listed)


class ListsInTheOrderOfCreation(MemoryVector):
    """As they are kept."""

    async def list_collections(self, *, timeout: float | None = None) -> list[Collection]:
        return [collection for collection, _ in self._ready().values()]


class CountsTheRecordsThatItIsGiven(MemoryVector):
    """And not their ids."""

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        listed = [*records]
        await super().upsert(collection, listed)
        return len(listed)


class KeepsTheFirstOfTwo(MemoryVector):
    """An id that is there already in the batch is passed over."""

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        return await super().upsert(collection, {each.id: each for each in reversed([*records])}.values())


class ScalesWhateverTheDistance(MemoryVector):
    """To length 1, which changes what a product or a distance is."""

    async def get(self, collection: str, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        found = await super().get(collection, ids)
        return [dataclasses.replace(each, vector=_scaled(each.vector)) for each in found]


class GivesOutThePayloadsOfItsMatches(MemoryVector):
    """Who changes one changes what is stored."""

    async def search(self, collection: str, vector: Sequence[float], **options: Any) -> list[Match]:
        found = await super().search(collection, vector, **options)
        stored = self._find(collection)[1]
        return [dataclasses.replace(match, payload=stored[match.id].payload) for match in found]


class SearchesForFiveUnlessTold(MemoryVector):
    """A default of its own, where many are searched for."""

    async def search_many(self, collection: str, vectors: Any, *, limit: int = 5, **options: Any) -> list[list[Match]]:
        return await super().search_many(collection, vectors, limit=limit, **options)


class TakesTrueForALimit(MemoryVector):
    """Of one."""

    async def search(self, collection: str, vector: Sequence[float], *, limit: Any = 10, **options: Any) -> list[Match]:
        return await super().search(collection, vector, limit=1 if limit is True else limit, **options)


class HoldsItsLockWhereItIsCancelled(MemoryVector):
    """It is released behind the work, and not in a `finally`."""

    lock: asyncio.Lock | None = None

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        self.lock = self.lock or asyncio.Lock()
        await self.lock.acquire()
        await asyncio.sleep(0)
        done = await super().upsert(collection, records)
        self.lock.release()
        return done


class SwallowsACancelOfASearch(MemoryVector):
    """And finds nothing."""

    async def search(self, collection: str, vector: Sequence[float], **options: Any) -> list[Match]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
            return await super().search(collection, vector, **options)
        return []


class GivesTheAnswerOfACancelledSearch(MemoryVector):
    """To whoever searches next, as with a connection that still has it to read."""

    unread: Any = None

    async def search(self, collection: str, vector: Sequence[float], **options: Any) -> list[Match]:
        if self.unread is not None:
            unread, self.unread = self.unread, None
            return unread
        found = await super().search(collection, vector, **options)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.unread = found
            raise
        return found


class DefaultsToTheProduct(MemoryVector):
    """Which is quicker."""

    async def create_collection(
        self, name: str, dimension: int, *, distance: Any = Distance.DOT, **options: Any
    ) -> None:
        await super().create_collection(name, dimension, distance=distance, **options)


def _scaled(vector: Sequence[float]) -> list[float]:
    length = sum(number * number for number in vector) ** 0.5 or 1.0
    return [number / length for number in vector]


USABLE = "test_a_call_that_is_cancelled_anywhere_leaves_the_adapter_usable"
MUTANTS = [
    Mutant(FoldsTheNamesOfCollections, TestRight, "test_a_name_that_is_almost_another_finds_nothing"),
    Mutant(TrimsTheNamesOfCollections, TestRight, "test_a_name_that_is_almost_another_finds_nothing"),
    Mutant(DropsByAPattern, TestRight, "test_dropping_a_name_that_is_almost_another_drops_nothing"),
    Mutant(CreatesWhatIsNotThere, TestRight, "test_a_collection_that_is_not_there_is_not_found"),
    Mutant(ListsInTheOrderOfCreation, TestRight, "test_collections_are_listed_by_name"),
    Mutant(CountsTheRecordsThatItIsGiven, TestRight, "test_of_two_records_with_one_id_the_later_is_stored"),
    Mutant(KeepsTheFirstOfTwo, TestRight, "test_of_two_records_with_one_id_the_later_is_stored"),
    Mutant(ScalesWhateverTheDistance, TestRight, "test_a_vector_is_not_scaled"),
    Mutant(GivesOutThePayloadsOfItsMatches, TestRight, "test_what_is_changed_in_a_match_is_not_stored"),
    Mutant(SearchesForFiveUnlessTold, TestRight, "test_a_search_has_a_limit_of_ten_unless_told"),
    Mutant(TakesTrueForALimit, TestRight, "test_a_limit_that_can_not_be_is_refused"),
    Mutant(HoldsItsLockWhereItIsCancelled, TestRight, USABLE),
    Mutant(SwallowsACancelOfASearch, TestRight, USABLE),
    Mutant(GivesTheAnswerOfACancelledSearch, TestRight, USABLE),
    Mutant(DefaultsToTheProduct, TestRight, "test_without_a_distance_it_is_cosine"),
]
