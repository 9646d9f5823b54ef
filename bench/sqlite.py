"""oneiric-sqlite against aiosqlite, Python's sqlite3 and encode/databases, all on one file in WAL mode, synchronous=FULL."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager, closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosqlite
from databases import Database
from oneiric_sqlite import SqliteAdapter

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

ITEMS = 10_000
READS = 2_000
WRITES = 1_600
TASKS = 16
BULK = [(number, f"name {number}", number * 0.5) for number in range(20_000)]

_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")
_SELECT = "SELECT id, name FROM items WHERE id = ?"
_INSERT = "INSERT INTO log (body) VALUES (?)"
_BULK = "INSERT INTO bulk (id, name, price) VALUES (?, ?, ?)"


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Open everything on one file, and say what is compared."""
    async with AsyncExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bench.db"
        _fill(path)
        ours = Ours(await stack.enter_async_context(SqliteAdapter({"path": str(path)})))
        plain = Aiosqlite(await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None)))
        shared = Shared(await stack.enter_async_context(aiosqlite.connect(path)))
        for pragma in _PRAGMAS:
            await plain.connection.execute(pragma)
            await shared.connection.execute(pragma)
        encode = Encode(await stack.enter_async_context(Database(f"sqlite+aiosqlite:///{path}")))
        stdlib = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        for pragma in _PRAGMAS:
            stdlib.execute(pragma)
        yield _pairs(ours, plain, shared, encode, stdlib)


def _pairs(ours: Ours, plain: Aiosqlite, shared: Shared, encode: Encode, stdlib: sqlite3.Connection) -> list[Pair]:
    return [
        _pair("point reads, alone, vs aiosqlite", ours.read, plain.read, READS, 1, 2.2),
        _pair("point reads, 16 tasks, vs aiosqlite", ours.read, plain.read, READS, TASKS, 2.2),
        _pair("single writes, 16 tasks, vs aiosqlite, a commit each", ours.write, plain.write, WRITES, TASKS, 5.0),
        _pair("single writes, 16 tasks, vs aiosqlite, commits mixed up", ours.write, shared.write, WRITES, TASKS, 1.0),
        Pair(
            what="insert_many of 20,000 rows vs sqlite3's executemany",
            ours=ours.bulk,
            theirs=lambda: _executemany(stdlib),
            at_least=0.9,
        ),
        _pair("point reads, alone, vs databases", ours.read, encode.read, READS // 4, 1, 1.0),
        _pair("point reads, 16 tasks, vs databases", ours.read, encode.read, READS // 4, TASKS, 1.0),
        _pair("single writes, 16 tasks, vs databases", ours.write, encode.write, WRITES // 4, TASKS, 1.0),
        Pair(what="insert_many of 20,000 rows vs databases", ours=ours.bulk, theirs=encode.bulk, at_least=1.0),
    ]


class Ours:
    """The adapter."""

    def __init__(self, db: SqliteAdapter) -> None:
        self.db = db

    async def read(self, key: int) -> Any:
        return await self.db.fetch_one("SELECT id, name FROM items WHERE id = $1", key)

    async def write(self, key: int) -> None:
        await self.db.execute("INSERT INTO log (body) VALUES ($1)", f"body {key}")

    async def bulk(self) -> float:
        await self.db.execute("DELETE FROM bulk")
        start = time.perf_counter()
        await self.db.insert_many("bulk", ["id", "name", "price"], BULK)
        return time.perf_counter() - start


class Aiosqlite:
    """One connection of aiosqlite's, as its documentation uses it; in autocommit, so that each write is one commit."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection

    async def read(self, key: int) -> Any:
        async with self.connection.execute(_SELECT, (key,)) as cursor:
            return await cursor.fetchone()

    async def write(self, key: int) -> None:
        await self.connection.execute(_INSERT, (f"body {key}",))


class Shared(Aiosqlite):
    """One connection of aiosqlite's with sqlite3's implicit transactions, used by all tasks at once.

    Whichever task commits first takes the others' work with it: fast, by accident, and only right where no task ever rolls
    back. An application that gets its writes grouped so has no transactions.
    """

    async def write(self, key: int) -> None:
        await self.connection.execute(_INSERT, (f"body {key}",))
        await self.connection.commit()


class Encode:
    """encode/databases, on aiosqlite."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def read(self, key: int) -> Any:
        return await self.db.fetch_one("SELECT id, name FROM items WHERE id = :id", {"id": key})

    async def write(self, key: int) -> None:
        await self.db.execute("INSERT INTO log (body) VALUES (:body)", {"body": f"body {key}"})

    async def bulk(self) -> float:
        await self.db.execute("DELETE FROM bulk")
        rows = [{"id": number, "name": name, "price": price} for number, name, price in BULK]
        start = time.perf_counter()
        async with self.db.transaction():
            await self.db.execute_many("INSERT INTO bulk (id, name, price) VALUES (:id, :name, :price)", rows)
        return time.perf_counter() - start


def _executemany(connection: sqlite3.Connection) -> float:
    connection.execute("DELETE FROM bulk")
    start = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_BULK, BULK)
    connection.execute("COMMIT")
    return time.perf_counter() - start


def _pair(
    what: str,
    ours: Callable[[int], Awaitable[Any]],
    theirs: Callable[[int], Awaitable[Any]],
    calls: int,
    tasks: int,
    at_least: float,
) -> Pair:
    return Pair(
        what=what,
        ours=lambda: _spread(ours, calls, tasks),
        theirs=lambda: _spread(theirs, calls, tasks),
        at_least=at_least,
    )


async def _spread(call: Callable[[int], Awaitable[Any]], calls: int, tasks: int) -> None:
    """Make that many calls from that many tasks."""
    keys = count(1)

    async def one() -> None:
        for _ in range(calls // tasks):
            await call(next(keys) * 7 % ITEMS + 1)

    await asyncio.gather(*(one() for _ in range(tasks)))


def _fill(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        connection.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        connection.execute("CREATE TABLE bulk (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL NOT NULL)")
        rows = [(number, f"name {number}") for number in range(1, ITEMS + 1)]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO items VALUES (?, ?)", rows)
        connection.execute("COMMIT")
