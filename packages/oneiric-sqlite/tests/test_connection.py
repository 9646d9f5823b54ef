"""Opening a connection, and not opening it after all."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from oneiric_sqlite import SqliteAdapter

if TYPE_CHECKING:
    import pytest


def threads() -> int:
    return sum("connection_worker" in thread.name for thread in threading.enumerate())


def test_an_init_that_runs_out_of_time_leaves_nothing_that_its_event_loop_misses(
    path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = threads()

    async def main(limit: float) -> None:
        db = SqliteAdapter({"path": path})
        with suppress(TimeoutError):
            await asyncio.wait_for(db.init(), limit)
        await db.cleanup()

    for number in range(80):
        asyncio.run(main(0.0003 * (number % 8 + 1)))
        assert threads() == before
    assert capfd.readouterr().err == ""


def test_an_init_that_waits_for_another_process_ends_soon_after_its_deadline(path: str) -> None:
    before = threads()

    async def main() -> None:
        db = SqliteAdapter({"path": path, "busy_timeout": 60})
        with suppress(TimeoutError):
            await asyncio.wait_for(db.init(), 0.1)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        start = time.monotonic()
        asyncio.run(main())
        assert time.monotonic() - start < 4
    assert threads() == before
