"""A swap of real databases under load, and the end of a process under load: no call is lost."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from oneiric import AdapterManager, ConfigStore, OneiricError, State
from oneiric.adapters.database import DatabaseAdapter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("is_healthy", [True, False])
async def test_64_tasks_lose_no_query_to_a_swap_of_sqlite_files(tmp_path: Path, is_healthy: bool):
    paths = {name: str(tmp_path / f"{name}.db") for name in ("old", "new")}
    for name, path in paths.items():
        config = ConfigStore.load(overrides={"sqlite": {"path": path}}, environ={})
        async with AdapterManager(config) as adapters:
            database = await adapters.get("sqlite", DatabaseAdapter)
            await database.execute("CREATE TABLE names (name TEXT)")
            await database.execute("INSERT INTO names VALUES ($1)", name)
    if not is_healthy:
        (tmp_path / "new.db").write_bytes(b"this is no database " * 500)
    seen: list[str] = []
    written = 0
    is_over = asyncio.Event()
    config = ConfigStore.load(overrides={"sqlite": {"path": paths["old"]}}, environ={})
    async with AdapterManager(config) as adapters:
        kept = await adapters.get("sqlite", DatabaseAdapter)

        async def work(number: int) -> None:
            nonlocal written
            while not is_over.is_set():
                database = kept if number % 2 else await adapters.get("sqlite", DatabaseAdapter)
                if number % 8 == 0:
                    async with database.transaction() as transaction:
                        seen.append(await transaction.fetch_value("SELECT name FROM names LIMIT 1"))
                        await transaction.execute("INSERT INTO names VALUES ($1)", str(number))
                        written += 1
                else:
                    seen.append(await database.fetch_value("SELECT name FROM names LIMIT 1"))

        async with asyncio.TaskGroup() as tasks:
            for number in range(64):
                tasks.create_task(work(number))
            async with asyncio.timeout(60):
                await _until(lambda: len(seen) > 500)
                if is_healthy:
                    await adapters.swap("sqlite", {"path": paths["new"]})
                else:
                    with pytest.raises(OneiricError):
                        await adapters.swap("sqlite", {"path": paths["new"]})
                at_the_swap = len(seen)
                await _until(lambda: len(seen) > at_the_swap + 500)
                is_over.set()
        assert set(seen[:500]) == {"old"}
        assert set(seen[at_the_swap:]) == {"new" if is_healthy else "old"}
        assert adapters.state("sqlite") is State.READY
    rows = 0
    for path in paths.values():
        config = ConfigStore.load(overrides={"sqlite": {"path": path}}, environ={})
        async with AdapterManager(config) as adapters:
            if is_healthy or path == paths["old"]:
                database = await adapters.get("sqlite", DatabaseAdapter)
                rows += await database.fetch_value("SELECT count(*) - 1 FROM names")
    assert rows == written


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


PROGRAM = """
import asyncio, sys
from oneiric import AdapterManager, ConfigStore, ShuttingDown
from oneiric.adapters.database import DatabaseAdapter

written = 0

async def work(adapters):
    global written
    while True:
        try:
            database = await adapters.get("sqlite", DatabaseAdapter)
            await database.execute("INSERT INTO names VALUES ($1)", "x")
        except ShuttingDown:
            return
        written += 1
        if written == 200:
            print("ready", flush=True)

async def main():
    config = ConfigStore.load(overrides={"sqlite": {"path": sys.argv[1]}}, environ={})
    async with AdapterManager(config) as adapters, adapters.until_signalled():
        database = await adapters.get("sqlite", DatabaseAdapter)
        await database.execute("CREATE TABLE names (name TEXT)")
        async with asyncio.TaskGroup() as tasks:
            for _ in range(32):
                tasks.create_task(work(adapters))
    print(f"written {written} state {adapters.state('sqlite')}", flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM to send there")
async def test_sigterm_under_load_loses_no_write_and_closes_the_database(tmp_path: Path):
    path = tmp_path / "load.db"
    command = [sys.executable, "-c", PROGRAM, str(path)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(30):
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGTERM)
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, errors
    _, written, _, state = out.decode().split()
    assert state == "stopped"
    assert not (tmp_path / "load.db-wal").exists()
    config = ConfigStore.load(overrides={"sqlite": {"path": str(path)}}, environ={})
    async with AdapterManager(config) as adapters:
        database = await adapters.get("sqlite", DatabaseAdapter)
        assert await database.fetch_value("SELECT count(*) FROM names") == int(written)
