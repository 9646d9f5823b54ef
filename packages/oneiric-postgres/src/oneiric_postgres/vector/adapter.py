"""The adapter."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import asyncpg
from oneiric.adapters.vector import Distance, Match, Record, VectorAdapter
from oneiric.adapters.vector.records import check_filter, check_limit, checked_collection
from oneiric.errors import CollectionExists, CollectionNotFound, InvalidRecord, InvalidRequest, Unsupported

from oneiric_postgres.server_adapter import ServerAdapter
from oneiric_postgres.vector.collection import MAX_DIMENSION, Stored, most_indexed
from oneiric_postgres.vector.encoding import is_text, payloads_of, register
from oneiric_postgres.vector.errors import translated
from oneiric_postgres.vector.filters import where
from oneiric_postgres.vector.indexing import LARGE, Builds
from oneiric_postgres.vector.loading import FEW, Batch, load, upsert
from oneiric_postgres.vector.registry import Registry
from oneiric_postgres.vector.schema import prepare
from oneiric_postgres.vector.searching import Question, Searches, session
from oneiric_postgres.vector.settings import PgVectorSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

    from asyncpg import Connection
    from oneiric.adapters.vector import Collection, Filter

    from oneiric_postgres.pool import Pool

logger = logging.getLogger("oneiric_postgres")

_MOST = 2**31 - 1
"""The largest limit that makes a difference."""
_AT_ONCE = 100
"""How many rows are converted between two looks at what else the event loop has to do."""

_T = TypeVar("_T")


class PgVectorAdapter(ServerAdapter, VectorAdapter):
    """A vector index in PostgreSQL, on pgvector."""

    settings_class: ClassVar[type[PgVectorSettings]] = PgVectorSettings
    settings: PgVectorSettings

    _registry: Registry | None = None
    _builds: Builds | None = None
    _raw: asyncpg.Pool | None = None

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._known: dict[str, Stored] = {}
        self._searches = Searches(self.settings.ef_search, keeps_session=not self.settings.pgbouncer)

    async def create_collection(
        self, name: str, dimension: int, *, distance: Distance = Distance.COSINE, timeout: float | None = None
    ) -> None:
        """Create a collection; nothing where the same one is there. Raises CollectionExists where another of its name is.

        pgvector keeps up to 16,000 dimensions (Unsupported beyond), and indexes 2,000 of them, or 4,000 with `halfvec`.
        """
        self._ready()
        wanted, is_half = checked_collection(name, dimension, distance, self.name), self.settings.halfvec
        if dimension > MAX_DIMENSION:
            raise Unsupported(f"pgvector keeps up to {MAX_DIMENSION:,} dimensions.", adapter=self.name)

        async def create(connection: Connection) -> Collection:
            return await self._collections.create(connection, wanted, is_half=is_half)

        found = await self._call(timeout, create)
        if dimension > most_indexed(is_half):
            logger.warning(
                "No index takes the %s dimensions of the collection %s: each search looks at all of it.",
                f"{dimension:,}",
                name,
            )
        if found != wanted:
            raise CollectionExists(
                f"There is another collection {name!r}, of {found.dimension} dimensions and the distance {found.distance}.",
                adapter=self.name,
                hint="Choose another name, or drop it first.",
            )

    async def drop_collection(self, name: str, *, timeout: float | None = None) -> None:
        """Drop a collection and all in it; nothing where there is none."""
        self._ready()
        self._known.pop(name, None)
        if is_text(name):
            await self._call(timeout, lambda connection: self._collections.drop(connection, name))

    async def list_collections(self, *, timeout: float | None = None) -> list[Collection]:
        """The collections, in the order of their names."""
        return await self._call(timeout, lambda connection: self._collections.list(connection))

    async def upsert(self, collection: str, records: Iterable[Record], *, timeout: float | None = None) -> int:
        """Store records, each whole in place of one of the same id; of two with one id the later. Returns how many ids.

        All are stored in one transaction. Many go by COPY: straight into the table where none of them is there.
        """
        self._ready()
        batch = await Batch.of(records)

        async def store(connection: Connection, stored: Stored) -> int:
            if len(batch) > FEW:
                await load(connection, stored, batch)
            elif rows := batch.encoded(stored.encoder):
                await upsert(connection, stored, rows)
            return batch.size

        if not batch.size:
            self._known.pop(collection, None)  # nothing is written to a table that could be missing
        return await self._in(collection, timeout, store)

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
        """The nearest records that meet the filter, the nearest first; equal ones in no order. A limit of 0 gives none."""

        async def search(connection: Connection, stored: Stored) -> list[Match]:
            question = self._question(stored, limit, filter, with_vectors)
            asked = stored.encoder.vector(vector)
            return await _matches(stored, await self._searches.one(connection, question, asked)) if limit else []

        if limit == 0:
            self._known.pop(collection, None)  # nothing is searched that could be missing
        return await self._in(collection, timeout, search)

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

        async def search(connection: Connection, stored: Stored) -> list[list[Match]]:
            question = self._question(stored, limit, filter, with_vectors)
            asked = [stored.encoder.vector(vector) for vector in vectors]
            found: list[list[asyncpg.Record]] = [[] for _ in asked]
            if asked and limit:
                for row in await self._searches.many(connection, question, asked):
                    found[row["number"] - 1].append(row)
            return [await _matches(stored, rows) for rows in found]

        return await self._in(collection, timeout, search)

    async def get(self, collection: str, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        """The records of these ids that there are, in the order of the ids, each once."""
        wanted = [id_ for id_ in dict.fromkeys(ids) if is_text(id_)]

        async def get(connection: Connection, stored: Stored) -> list[Record]:
            sql = f"SELECT id, payload, embedding FROM {stored.table} WHERE id = ANY($1::text[])"  # noqa: S608
            found = {row["id"]: row for row in await connection.fetch(sql, wanted)}
            return await _records(stored, [found[id_] for id_ in wanted if id_ in found])

        return await self._in(collection, timeout, get)

    async def delete(
        self,
        collection: str,
        ids: Sequence[str] | None = None,
        *,
        filter: Filter | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete by ids or by a filter, of which exactly one is given; ids that aren't there are no error."""

        async def delete(connection: Connection, stored: Stored) -> None:
            if (ids is None) == (filter is None):
                raise InvalidRequest("Delete by ids or by a filter: give exactly one of them.")
            values: list[Any] = []
            if ids is not None:
                values.append([id_ for id_ in ids if is_text(id_)])
            check_filter(filter)
            condition = where(filter, values) or "WHERE id = ANY($1::text[])"
            await connection.execute(f"DELETE FROM {stored.table} {condition}", *values)  # noqa: S608

        await self._in(collection, timeout, delete)

    async def count(self, collection: str, *, filter: Filter | None = None, timeout: float | None = None) -> int:
        """How many records meet the filter, exactly."""

        async def count(connection: Connection, stored: Stored) -> int:
            check_filter(filter)
            values: list[Any] = []
            sql = f"SELECT count(*) FROM {stored.table} {where(filter, values)}"  # noqa: S608
            return int(await connection.fetchval(sql, *values))

        return await self._in(collection, timeout, count)

    async def scroll(
        self, collection: str, *, filter: Filter | None = None, batch_size: int = 256, timeout: float | None = None
    ) -> AsyncGenerator[Record]:
        """Every record that meets the filter, once, in the order of the ids; nothing is held between two batches."""
        last = ""  # which is no id, and before all

        async def batch(connection: Connection, stored: Stored) -> list[Record]:
            check_limit(batch_size, least=1)
            check_filter(filter)
            values: list[Any] = [last]
            rows = await connection.fetch(
                f"SELECT id, payload, embedding FROM {stored.table} "  # noqa: S608
                f"{where(filter, values) or 'WHERE TRUE'} AND id > $1 ORDER BY id LIMIT {min(batch_size, _MOST)}",
                *values,
            )
            return await _records(stored, rows)

        while records := await self._in(collection, timeout, batch):
            for record in records:
                yield record
            if len(records) < batch_size:
                return
            last = records[-1].id

    async def build_indexes(self, collection: str, *, timeout: float | None = None) -> None:
        """Build a collection's indexes now, rather than when it is searched and large; wait for who is at it already.

        Without a `timeout` it takes as long as it takes. Unsupported behind PgBouncer.
        """
        self._ready()
        stored = await self._in(collection, timeout, _itself)
        if self._builds is None:
            raise Unsupported(
                "Behind PgBouncer no indexes are built.",
                adapter=self.name,
                hint="Build them through an instance that connects to the server itself, without `pgbouncer`.",
            )
        try:
            async with asyncio.timeout(timeout):
                await self._builds.build(stored, wait=True)
        except Exception as error:
            raise self._ours(error) from error

    @property
    def raw(self) -> asyncpg.Pool:
        """An `asyncpg.Pool` on the same server, for what the contract doesn't cover; its connections are its own."""
        self._ready()
        return self._raw

    def _in(
        self, collection: str, timeout: float | None, work: Callable[[Connection, Stored], Awaitable[_T]]
    ) -> Awaitable[_T]:
        """Do what is to be done in a collection. What is known of it may be of one that another process has dropped, and made
        anew: where that can be why it fails, it is looked up and done again.
        """

        async def do(connection: Connection) -> _T:
            stored = self._known.get(collection) or await self._find(connection, collection)
            while True:
                try:
                    return await work(connection, stored)
                except (asyncpg.UndefinedTableError, InvalidRecord):
                    failed, stored = stored, await self._find(connection, collection)
                    if stored.number == failed.number:
                        raise

        return self._call(timeout, do)

    async def _call(self, timeout: float | None, work: Callable[[Connection], Awaitable[_T]]) -> _T:
        """Do something on a connection. It leaves no trace there: what needs one of its own is in a transaction."""
        pool = self._ready()
        within = self.settings.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(within):
                lent = pool.take() or await pool.acquire(min(within, self.settings.acquire_timeout))
                try:
                    return await work(lent.connection)
                finally:
                    pool.release(lent)
        except Exception as error:
            ours = self._ours(error)
            if ours is error:
                raise
            raise ours from error

    def _ours(self, error: BaseException) -> BaseException:
        return translated(error, self.name)

    async def _find(self, connection: Connection, name: str) -> Stored:
        """Look a collection up. Raises CollectionNotFound."""
        self._known.pop(name, None)
        found = await self._collections.find(connection, name) if is_text(name) else None
        if found is None:
            hint = "Create it with `create_collection`, or check its name."
            raise CollectionNotFound(f"There is no collection {str(name)[:60]!r}.", hint=hint)
        self._known[name] = found
        return found

    def _question(self, stored: Stored, limit: int, filter: Filter | None, with_vectors: bool) -> Question:
        check_limit(limit)
        check_filter(filter)
        if not stored.is_indexed and self._builds is not None:
            self._builds.consider(stored)
        return Question(stored, min(limit, _MOST), filter, with_vectors)

    @property
    def _collections(self) -> Registry:
        if self._registry is None:  # each connection is prepared before it is used
            raise self.not_initialized()
        return self._registry

    async def _open(self) -> Pool:
        self._registry, self._known = None, {}  # it may be another server that the settings mean by now
        return await super()._open()

    async def _opened(self, _pool: Pool, given: dict[str, Any], /) -> None:
        # Our own connections are not handed out: nobody could tell afterwards what was done to them.
        self._raw = await asyncpg.create_pool(**given, min_size=0, max_size=self.settings.pool_max_size)
        if not (self.settings.pgbouncer or self.settings.read_only):
            self._builds = Builds(self.settings, lambda: self._connect(given), self._is_large, self._forget)

    async def _closing(self) -> None:
        builds, self._builds = self._builds, None
        if builds is not None:
            await builds.close()
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.terminate()

    async def _connect(self, given: dict[str, Any]) -> Connection:
        if not self.settings.pgbouncer:
            given = given | {"server_settings": given["server_settings"] | session(self.settings.ef_search)}
        return await super()._connect(given)

    async def _prepare(self, connection: Connection) -> None:
        if self._registry is None:
            schema = self.settings.schema_name
            self._registry = Registry(schema, await prepare(connection, schema))
        await register(connection, self._registry.extension)

    async def _is_large(self, stored: Stored) -> bool:
        """Whether it is worth an index. Raises CollectionNotFound where it is gone."""

        async def count(connection: Connection, stored: Stored) -> bool:
            sql = f"SELECT count(*) FROM (SELECT FROM {stored.table} LIMIT {LARGE}) AS first"  # noqa: S608
            return bool(await connection.fetchval(sql) == LARGE)

        return await self._in(stored.about.name, None, count)

    def _forget(self, stored: Stored) -> None:
        """A collection has changed: it is looked up again when it is used next."""
        if self._known.get(stored.about.name) is stored:
            del self._known[stored.about.name]


async def _itself(_: Connection, stored: Stored) -> Stored:
    return stored


async def _converted(rows: list[asyncpg.Record], convert: Callable[[list[asyncpg.Record]], list[_T]]) -> list[_T]:
    """Convert rows, with room for others in between where they are many."""
    if len(rows) <= _AT_ONCE:
        return convert(rows)
    converted: list[_T] = []
    for start in range(0, len(rows), _AT_ONCE):
        converted += convert(rows[start : start + _AT_ONCE])
        await asyncio.sleep(0)
    return converted


async def _matches(stored: Stored, rows: list[asyncpg.Record]) -> list[Match]:
    """The matches of rows, the nearest first."""
    nearest = 1.0 if stored.is_cosine else 0.0  # the score at no distance
    numbers = stored.encoder.numbers if rows and "embedding" in rows[0] else None

    def convert(rows: list[asyncpg.Record]) -> list[Match]:
        payloads = payloads_of([row["payload"] for row in rows])
        matches = [
            Match(row["id"], nearest - row["distance"], payload) for row, payload in zip(rows, payloads, strict=True)
        ]
        if numbers is None:
            return matches
        return [replace(match, vector=numbers(row["embedding"])) for row, match in zip(rows, matches, strict=True)]

    matches = await _converted(rows, convert)
    matches.sort(key=_score, reverse=True)
    return matches


_score = attrgetter("score")


async def _records(stored: Stored, rows: list[asyncpg.Record]) -> list[Record]:
    numbers = stored.encoder.numbers

    def convert(rows: list[asyncpg.Record]) -> list[Record]:
        payloads = payloads_of([row["payload"] for row in rows])
        return [
            Record(row["id"], numbers(row["embedding"]), payload) for row, payload in zip(rows, payloads, strict=True)
        ]

    return await _converted(rows, convert)
