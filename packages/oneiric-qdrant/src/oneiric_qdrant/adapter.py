"""The adapter."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from oneiric.adapters.base import Health
from oneiric.adapters.cancellation import undisturbed
from oneiric.adapters.event_loops import LoopLock, refuse_while_running
from oneiric.adapters.vector import Distance, Match, Record, VectorAdapter
from oneiric.adapters.vector.records import check_filter, check_limit, checked_collection, checked_vector
from oneiric.errors import DeadlineExceeded, InvalidRequest

from oneiric_qdrant.engine import chosen
from oneiric_qdrant.errors import translated
from oneiric_qdrant.points import id_of, ids_of, payload_of
from oneiric_qdrant.scaling import scaled
from oneiric_qdrant.server import seconds
from oneiric_qdrant.settings import QdrantSettings
from oneiric_qdrant.upload import CallersOwn, checked_points, fitting, uploaded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from oneiric.adapters.vector import Collection, Filter

    from oneiric_qdrant.engine import Engine
    from oneiric_qdrant.points import Found
    from oneiric_qdrant.store import Store

_HEALTH_WITHIN = 5.0
"""Seconds that a health check takes at most."""
_MANY = 10_000
"""A search for more than so many is one for all that there are, and first asks how many these are: a server makes room for
what it is asked for."""
_A_DAY = 86_400.0
_IDS = 1_000
"""How many ids go into one request."""


class QdrantAdapter(VectorAdapter):
    """Qdrant: a server, or embedded, in memory or in a folder."""

    settings_class: ClassVar[type[QdrantSettings]] = QdrantSettings
    settings: QdrantSettings

    _engine: Engine | None = None

    async def init(self) -> None:
        """Connect to the server, or open what is embedded.

        What another event loop left open is closed first; Unsupported where that loop is still running.
        """
        async with self._opening.here():
            await self._close_what_is_left()
            if self._engine is None:
                self._engine = await self._opened()

    async def health(self) -> Health:
        """Whether the server, or the embedded engine, answers; where it is busy for five seconds (or `timeout`), no."""
        engine = self._engine
        if engine is None:
            return Health(False, "Not initialised.")
        start = time.perf_counter()
        detail = ""
        try:
            async with asyncio.timeout(min(_HEALTH_WITHIN, self.settings.timeout)):
                await engine.run(lambda store: store.ask())
        except TimeoutError:
            detail = "No answer in time."
        except Exception as error:  # noqa: BLE001 - a health check never raises
            detail = str(translated(error, None))
        return Health(not detail, detail, round((time.perf_counter() - start) * 1000, 3))

    async def cleanup(self) -> None:
        """Close everything; a call that is running in the embedded engine gets a few seconds to finish."""
        async with self._opening.here():  # an init() that is under way would open what nobody closes
            engine, self._engine = self._engine, None
            if engine is not None:
                await undisturbed(engine.close())

    async def create_collection(
        self, name: str, dimension: int, *, distance: Distance = Distance.COSINE, timeout: float | None = None
    ) -> None:
        """Create a collection and the payload indexes of the settings; nothing where the same one is there."""
        async with self._calling(timeout) as (engine, within):
            new = checked_collection(name, dimension, distance, self.name)
            indexes = self.settings.indexes
            await engine.run(lambda store: store.create(new, indexes, within))

    async def drop_collection(self, name: str, *, timeout: float | None = None) -> None:
        """Drop a collection and all in it; nothing where there is none."""
        async with self._calling(timeout) as (engine, within):
            await engine.run(lambda store: store.drop(_name(name), within))

    async def list_collections(self, *, timeout: float | None = None) -> list[Collection]:
        """The collections, in the order of their names; not those of other programs that the contract can't express."""
        async with self._calling(timeout) as (engine, _):
            return await engine.run(lambda store: store.collections())

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        """Store records, each whole in place of one of the same id; of two with one id the later. Returns how many ids.

        All are checked before any is stored, in a thread: an iterable that is no list or tuple is iterated there. Where the
        server fails in the middle of many, some are stored; to upsert them all again does no harm.
        """
        async with self._calling(timeout) as (engine, within):
            about = await engine.run(lambda store: store.collection(_name(collection)))
            points = await checked_points(about, records, self.name)
            await uploaded(engine, about, points, self.settings.batch_size, within)
            return len(points)

    async def search(
        self,
        collection: str,
        vector: Sequence[float],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        with_vectors: bool = False,
        timeout: float | None = None,
    ) -> list[Match]:
        """The nearest records that meet the filter, the nearest first."""
        (found,) = await self.search_many(
            collection, [vector], limit=limit, filter=filter, with_vectors=with_vectors, timeout=timeout
        )
        return found

    async def search_many(
        self,
        collection: str,
        vectors: Sequence[Sequence[float]],
        *,
        limit: int = 10,
        filter: Filter | None = None,
        with_vectors: bool = False,
        timeout: float | None = None,
    ) -> list[list[Match]]:
        """A search for each of the vectors, in their order, in one round trip."""

        async def work(store: Store) -> list[list[Match]]:
            about = await store.collection(_name(collection))
            check_limit(limit, self.name)
            check_filter(filter, self.name)
            checked = [checked_vector(about, vector, self.name) for vector in vectors]
            wanted = scaled(checked) if about.distance is Distance.COSINE else checked
            most = limit
            if limit > _MANY:
                most = min(limit, await store.count(about.name, None, within))
            if not most or not wanted:
                return [[] for _ in wanted]
            found = await store.search(about, wanted, most, filter, with_vectors, within)
            return [[_match(each, with_vectors) for each in matches] for matches in found]

        async with self._calling(timeout) as (engine, within):
            return await engine.run(work)

    async def get(self, collection: str, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        """The records of these ids that there are, in the order of the ids, each once."""

        async def work(store: Store) -> list[Record]:
            about = await store.collection(_name(collection))
            wanted, size = [*ids_of(ids)], fitting(_IDS, about.dimension)
            found = [
                _record(each)
                for start in range(0, len(wanted), size)
                for each in await store.get(about.name, wanted[start : start + size], within)
            ]
            by_id = {record.id: record for record in found}
            return [by_id[id_] for id_ in dict.fromkeys(ids) if id_ in by_id]

        async with self._calling(timeout) as (engine, within):
            return await engine.run(work)

    async def delete(
        self,
        collection: str,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete by ids or by a filter, of which exactly one is given, and wait until it is done."""

        async def work(store: Store) -> None:
            about = await store.collection(_name(collection))
            check_filter(filter, self.name)
            if (ids is None) == (filter is None):
                raise InvalidRequest("Delete by ids or by a filter: give exactly one of them.")
            if filter is not None:
                await store.delete_by(about.name, filter, within)
            unwanted = [*ids_of(ids or ())]
            for start in range(0, len(unwanted), _IDS):
                await store.delete(about.name, unwanted[start : start + _IDS], within)

        async with self._calling(timeout) as (engine, within):
            await engine.run(work)

    async def count(self, collection: str, *, filter: Filter | None = None, timeout: float | None = None) -> int:
        """How many records meet the filter, exactly."""

        async def work(store: Store) -> int:
            about = await store.collection(_name(collection))
            check_filter(filter, self.name)
            return await store.count(about.name, filter, within)

        async with self._calling(timeout) as (engine, within):
            return await engine.run(work)

    async def scroll(
        self, collection: str, *, filter: Filter | None = None, batch_size: int = 256, timeout: float | None = None
    ) -> AsyncGenerator[Record]:
        """Every record that meets the filter, once, in no order; `timeout` bounds each batch."""
        start: str | int | None = None

        async def work(store: Store) -> tuple[list[Record], str | int | None]:
            about = await store.collection(_name(collection))
            check_limit(batch_size, self.name, least=1)
            check_filter(filter, self.name)
            size = fitting(batch_size, about.dimension)
            found, following = await store.page(about.name, filter, size, start, within)
            return [_record(each) for each in found], following

        while True:
            async with self._calling(timeout) as (engine, within):
                records, start = await engine.run(work)
            for record in records:
                yield record
            if start is None:
                return

    async def build_indexes(self, collection: str, *, timeout: float | None = None) -> None:
        """Build a collection's HNSW index by Edge, for what is stored by now; later records are in none until the next time.

        Until then a search compares with every record. Without a `timeout` it takes as long as it takes, and all other calls
        wait for it. Beyond the contract; Unsupported with a server, which does so by itself, and in local mode.
        """

        async def work(store: Store) -> None:
            await store.build_indexes((await store.collection(_name(collection))).name)

        async with self._calling(_A_DAY if timeout is None else timeout) as (engine, _):
            await engine.run(work)

    @property
    def raw(self) -> Any:
        """The `AsyncQdrantClient`; with Qdrant Edge, whose shards live in a process of their own, the store that asks it.

        An embedded client's calls block, and belong to the adapter's thread.
        """
        if self._engine is None:
            raise self.not_initialized()
        return self._engine.raw

    @asynccontextmanager
    async def _calling(self, timeout: float | None) -> AsyncIterator[tuple[Engine, int]]:
        """A call's deadline and errors; gives the engine, and the deadline as a server is told it."""
        engine = self._engine
        if engine is None:
            raise self.not_initialized()
        limit = self.settings.timeout if timeout is None else timeout
        scope = asyncio.timeout(limit)
        own: BaseException | None = None
        try:
            async with scope:
                yield engine, seconds(limit)
        except CallersOwn as error:
            own = error.original
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise self._too_late(limit) from error
        except Exception as error:
            ours = translated(error, self.name)
            if ours is error:
                raise
            raise ours from error
        if own is not None:
            raise own

    def _too_late(self, limit: float) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"The call took longer than its {limit:g} s; whether it was done is not known.",
            adapter=self.name,
            hint="Give it more time by `timeout`, or look whether Qdrant is busy.",
        )

    @cached_property
    def _opening(self) -> LoopLock:
        return LoopLock()

    async def _close_what_is_left(self) -> None:
        """Close what was opened in an event loop that is over."""
        engine = self._engine
        if engine is None or engine.is_at_home():
            return
        refuse_while_running(engine.loop, self.name)
        self._engine = None
        await undisturbed(engine.close())

    async def _opened(self) -> Engine:
        engine: Engine | None = None
        try:
            async with asyncio.timeout(self.settings.timeout):
                engine = chosen(self.settings)
                await engine.open()
        except BaseException as error:
            if engine is not None:
                await undisturbed(engine.close())
            if isinstance(error, TimeoutError):
                raise self._too_late(self.settings.timeout) from error
            ours = translated(error, self.name)
            if ours is error:
                raise
            raise ours from error
        return engine


def _name(collection: object) -> str:
    """What a collection is asked for by: of what is no name at all there is none."""
    return collection if isinstance(collection, str) else ""


def _match(found: Found, with_vectors: bool) -> Match:
    return Match(id_of(found), found.score, payload_of(found), found.vector if with_vectors else None)


def _record(found: Found) -> Record:
    return Record(id_of(found), found.vector or (), payload_of(found))
