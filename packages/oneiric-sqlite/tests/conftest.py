"""What the tests share: adapters on a real file and in memory, and waiting for a condition."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from oneiric_sqlite import SqliteAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def endless() -> str:
    """A query that ends only when it is interrupted."""
    return ENDLESS


@pytest.fixture
def endless_write() -> str:
    """An INSERT into `t` that ends only when it is interrupted."""
    return f"INSERT INTO t(v) {ENDLESS}"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "test.db")


async def _adapter(path: str) -> AsyncIterator[SqliteAdapter]:
    async with SqliteAdapter({"path": path, "readers": 2, "timeout": 20}) as db:
        await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        yield db


@pytest.fixture
async def db(path: str) -> AsyncIterator[SqliteAdapter]:
    """An adapter on a file, with a table `t (id, v)`."""
    async for adapter in _adapter(path):
        yield adapter


@pytest.fixture
async def memory() -> AsyncIterator[SqliteAdapter]:
    """The same in memory."""
    async for adapter in _adapter(":memory:"):
        yield adapter


@pytest.fixture(params=["file", "memory"])
async def either(request: pytest.FixtureRequest, path: str) -> AsyncIterator[SqliteAdapter]:
    """Both, one after the other."""
    async for adapter in _adapter(path if request.param == "file" else ":memory:"):
        yield adapter


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait until a condition holds, ten seconds at most."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - it is a thread that makes it so
                await asyncio.sleep(0.001)

    return wait


@pytest.fixture
def is_writing() -> Callable[[SqliteAdapter], bool]:
    """Whether the writer is running a call's statement just now."""
    return lambda db: db._engine is not None and db._engine.writer.connection.current is not None


@pytest.fixture
def is_reading() -> Callable[[SqliteAdapter], bool]:
    """Whether any reader is running a call's statement just now."""

    def check(db: SqliteAdapter) -> bool:
        readers = db._engine.readers if db._engine else None
        return readers is not None and any(connection.current for connection in readers.connections)

    return check


@pytest.fixture
def waiting() -> Callable[[SqliteAdapter], int]:
    """How many calls wait for the writer."""
    return lambda db: len(db._engine.writer._queue) if db._engine else 0
