"""What the demo does with a database: load the files of every installed Python package, and ask which package is largest."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import distributions
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneiric.adapters.database import DatabaseAdapter


async def use_database(database: DatabaseAdapter) -> str:
    """Bulk-insert, query, and roll a transaction back; returns what came of it. Raises where an answer is wrong."""
    rows = await asyncio.to_thread(_installed_files)
    await database.execute("drop table if exists oneiric_demo_files")
    await database.execute(
        "create table oneiric_demo_files (package text not null, file text not null, bytes bigint not null)"
    )
    started = time.perf_counter()
    inserted = await database.insert_many("oneiric_demo_files", ("package", "file", "bytes"), rows)
    ms = (time.perf_counter() - started) * 1000
    packages = await database.fetch_value("select count(distinct package) from oneiric_demo_files")
    largest = await database.fetch_one(
        "select package, cast(sum(bytes) as bigint) as total from oneiric_demo_files where bytes > $1"
        " group by package order by total desc",
        0,
    )
    await _roll_back(database)
    kept = await database.fetch_value("select count(*) from oneiric_demo_files")
    await database.execute("drop table oneiric_demo_files")
    if largest is None or not inserted == kept == len(rows):
        raise AssertionError(f"inserted {inserted} of {len(rows)} rows, found {kept}")
    return (
        f"inserted {inserted:,} rows, a file of an installed package each, in {ms:.0f} ms; of {packages} packages the "
        f"largest is {largest['package']} with {largest['total'] / 1e6:.1f} MB; rolled a delete back"
    )


async def _roll_back(database: DatabaseAdapter) -> None:
    class _Undo(Exception):
        pass

    with suppress(_Undo):
        async with database.transaction() as transaction:
            await transaction.execute("delete from oneiric_demo_files")
            raise _Undo


@cache
def _installed_files() -> list[tuple[str, str, int]]:
    return [(each.name, str(file), file.size or 0) for each in distributions() for file in each.files or ()]
