"""oneiric-postgres against asyncpg, encode/databases, SQLAlchemy's async core, psycopg 3's pool and sqlspec, on one server.

Each is used as its own documentation shows it, with its defaults, pools of ten, over the same socket. The server is the
wheel's, with its disk's waits switched off: what is compared is the client.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg_pool
from databases import Database
from oneiric.embedded import join
from oneiric_postgres import PostgresAdapter
from oneiric_postgres.embedded import PostgresEngine
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlspec import SQLSpec
from sqlspec.adapters.asyncpg import AsyncpgConfig

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

ITEMS = 10_000
READS = 2_000
TASKS = 16
POOL = 10
BULK = [(number, f"name {number}", number * 0.5) for number in range(20_000)]
CHANGED = [(number, f"new {number}", number * 0.25) for number in range(10_000, 30_000)]
"""Half of it is there already."""

_SELECT = "SELECT id, name FROM items WHERE id = $1"
_UPSERT = (
    "INSERT INTO bulk (id, name, price) VALUES ($1, $2, $3) "
    "ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, price = EXCLUDED.price"
)
_COLUMNS = ["id", "name", "price"]


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Start a server, open everything on it, and say what is compared."""
    member = await join("embedded://bench", PostgresEngine())
    try:
        async with AsyncExitStack() as stack:
            yield await _pairs(member.url, stack)
    finally:
        await member.leave()


async def _pairs(url: str, stack: AsyncExitStack) -> list[Pair]:
    ours = Ours(await stack.enter_async_context(PostgresAdapter({"dsn": url, "pool_max_size": POOL})))
    await _fill(ours.db)
    driver = Asyncpg(await stack.enter_async_context(asyncpg.create_pool(url, min_size=POOL, max_size=POOL)))
    encode = Encode(await stack.enter_async_context(Database(url, min_size=POOL, max_size=POOL)))
    core = Core(create_async_engine(url.replace("postgresql", "postgresql+asyncpg"), pool_size=POOL))
    stack.push_async_callback(core.engine.dispose)
    psycopg = Psycopg(
        await stack.enter_async_context(
            psycopg_pool.AsyncConnectionPool(url, min_size=POOL, max_size=POOL, open=False, kwargs={"autocommit": True})
        )
    )
    spec = Spec(url)
    stack.push_async_callback(spec.config.close_pool)
    peers: list[tuple[str, Any, float]] = [
        ("asyncpg.Pool.fetchrow", driver, 2.0),
        ("databases", encode, 2.4),
        ("SQLAlchemy's async core", core, 3.0),
        ("psycopg 3's pool", psycopg, 1.0),
        ("sqlspec", spec, 1.0),
    ]
    return [
        *(
            _pair(f"point query, {_tasks(tasks)}, vs {name}", ours.read, peer.read, tasks, at_least)
            for name, peer, at_least in peers
            for tasks in (1, TASKS)
        ),
        Pair(what="insert_many of 20,000 rows vs raw COPY", ours=ours.insert, theirs=driver.copy, at_least=0.9),
        Pair(
            what="upsert_many of 20,000 rows, half of them there, vs executemany",
            ours=ours.upsert,
            theirs=driver.upsert,
            at_least=1.4,
        ),
    ]


class Ours:
    """The adapter."""

    def __init__(self, db: PostgresAdapter) -> None:
        self.db = db

    async def read(self, key: int) -> Any:
        return await self.db.fetch_one(_SELECT, key)

    async def insert(self) -> float:
        await self.db.execute("TRUNCATE bulk")
        return await timed(self.db.insert_many("bulk", _COLUMNS, BULK))

    async def upsert(self) -> float:
        await self.db.execute("TRUNCATE bulk")
        await self.db.insert_many("bulk", _COLUMNS, BULK)
        return await timed(self.db.upsert_many("bulk", _COLUMNS, CHANGED, conflict=["id"]))


class Asyncpg:
    """The driver's own pool, with its own reset."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def read(self, key: int) -> Any:
        return await self.pool.fetchrow(_SELECT, key)

    async def copy(self) -> float:
        async with self.pool.acquire() as connection:
            await connection.execute("TRUNCATE bulk")
            return await timed(connection.copy_records_to_table("bulk", records=BULK, columns=_COLUMNS))

    async def upsert(self) -> float:
        async with self.pool.acquire() as connection:
            await connection.execute("TRUNCATE bulk")
            await connection.copy_records_to_table("bulk", records=BULK, columns=_COLUMNS)
            return await timed(connection.executemany(_UPSERT, CHANGED))


class Encode:
    """encode/databases, on asyncpg."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def read(self, key: int) -> Any:
        return await self.db.fetch_one("SELECT id, name FROM items WHERE id = :id", {"id": key})


class Core:
    """SQLAlchemy's async core, on asyncpg."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._select = text("SELECT id, name FROM items WHERE id = :id")

    async def read(self, key: int) -> Any:
        async with self.engine.connect() as connection:
            return (await connection.execute(self._select, {"id": key})).one()


class Psycopg:
    """psycopg 3's pool, in autocommit."""

    def __init__(self, pool: psycopg_pool.AsyncConnectionPool) -> None:
        self.pool = pool

    async def read(self, key: int) -> Any:
        async with self.pool.connection() as connection:
            cursor = await connection.execute("SELECT id, name FROM items WHERE id = %s", (key,))
            return await cursor.fetchone()


class Spec:
    """sqlspec, on asyncpg."""

    def __init__(self, url: str) -> None:
        self.spec = SQLSpec()
        self.config = self.spec.add_config(
            AsyncpgConfig(connection_config={"dsn": url, "min_size": POOL, "max_size": POOL})
        )

    async def read(self, key: int) -> Any:
        async with self.spec.provide_session(self.config) as session:
            return await session.select_one(_SELECT, key)


async def timed(call: Awaitable[Any]) -> float:
    """The seconds that a call takes."""
    start = time.perf_counter()
    await call
    return time.perf_counter() - start


def _pair(
    what: str,
    ours: Callable[[int], Awaitable[Any]],
    theirs: Callable[[int], Awaitable[Any]],
    tasks: int,
    at_least: float,
) -> Pair:
    return Pair(what=what, ours=lambda: _spread(ours, tasks), theirs=lambda: _spread(theirs, tasks), at_least=at_least)


async def _spread(call: Callable[[int], Awaitable[Any]], tasks: int) -> None:
    """Make the calls from that many tasks."""
    keys = count(1)

    async def one() -> None:
        for _ in range(READS // tasks):
            await call(next(keys) * 7 % ITEMS + 1)

    await asyncio.gather(*(one() for _ in range(tasks)))


def _tasks(tasks: int) -> str:
    return "alone" if tasks == 1 else f"{tasks} tasks"


async def _fill(db: PostgresAdapter) -> None:
    for table in ("items", "bulk"):
        await db.execute(f"DROP TABLE IF EXISTS {table}")
    await db.execute("CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT NOT NULL)")
    await db.execute("CREATE TABLE bulk (id BIGINT PRIMARY KEY, name TEXT NOT NULL, price DOUBLE PRECISION NOT NULL)")
    await db.insert_many("items", ["id", "name"], ((number, f"name {number}") for number in range(1, ITEMS + 1)))
    await db.execute("ANALYZE items")
