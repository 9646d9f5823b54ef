"""What the AdapterManager costs: to get a ready adapter, and to call it through what `get` gives."""

from __future__ import annotations

import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oneiric import AdapterManager, ConfigStore
from oneiric.adapters.database import DatabaseAdapter
from oneiric_sqlite import SqliteAdapter

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

GETS = 50_000
READS = 3_000
BUDGET = 2e-6
"""Seconds that `get` of a ready adapter may add to a call."""


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Open one database twice, by the manager and without, and say what is compared."""
    async with AsyncExitStack() as stack:
        path = str(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bench.db")
        config = ConfigStore.load(overrides={"sqlite": {"path": path}}, environ={})
        adapters = await stack.enter_async_context(AdapterManager(config))
        handle = await adapters.get("sqlite", DatabaseAdapter)
        await handle.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)")
        await handle.insert_many("items", ("id", "name"), [(number, f"name {number}") for number in range(READS)])
        bare = await stack.enter_async_context(SqliteAdapter({"path": path}))
        yield [
            Pair(
                what="get of a ready adapter, against a budget of 2 µs",
                ours=lambda: _added(lambda: adapters.get("sqlite")),
                theirs=lambda: BUDGET,
                at_most=1.0,
            ),
            Pair(
                what="get of a ready adapter with its contract, against 2 µs",
                ours=lambda: _added(lambda: adapters.get("sqlite", DatabaseAdapter)),
                theirs=lambda: BUDGET,
                at_most=1.0,
            ),
            Pair(
                what="point reads through the manager vs on the adapter",
                ours=lambda: _read(handle),
                theirs=lambda: _read(bare),
                at_most=1.05,
            ),
        ]


async def _added(get: Callable[[], Awaitable[object]]) -> float:
    """Seconds that one `get` takes, less what the loop itself does."""
    start = time.perf_counter()
    for _ in range(GETS):
        await get()
    middle = time.perf_counter()
    for _ in range(GETS):
        await _nothing()
    return (2 * middle - start - time.perf_counter()) / GETS


async def _nothing() -> None: ...


async def _read(database: DatabaseAdapter) -> None:
    for key in range(READS):
        await database.fetch_one("SELECT id, name FROM items WHERE id = $1", key)
