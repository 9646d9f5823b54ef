"""The schema: made once, by however many come at once; what is missing is said."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from oneiric.errors import AuthenticationFailed, ConfigError, Unsupported
from oneiric_postgres import PgVectorAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from server import Server

COME = """
import asyncio, sys
from oneiric.adapters.vector import Record
from oneiric_postgres import PgVectorAdapter

async def main():
    async with PgVectorAdapter({"dsn": sys.argv[1], "timeout": 60, "connect_timeout": 60}) as index:
        await index.create_collection("things", 2)
        await index.upsert("things", [Record(sys.argv[2], [1.0, 0.0])])

asyncio.run(main())
"""


@pytest.fixture
async def database(server: Server) -> AsyncIterator[str]:
    """The URL of a database of the test's own, without pgvector."""
    name = "without_pgvector"
    connection = await asyncpg.connect(server.dsn)
    await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {name}")
    yield server.dsn.replace("/postgres?", f"/{name}?")
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def _run(dsn: str, *statements: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            result = await connection.fetch(statement)
        return result
    finally:
        await connection.close()


async def test_processes_that_come_at_once_make_it_once(database: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", COME, database, str(number)) for number in range(6)
    ]
    assert [await process.wait() for process in processes] == [0] * 6
    async with PgVectorAdapter({"dsn": database}) as index:
        assert await index.count("things") == 6
        assert len(await index.list_collections()) == 1


async def test_tasks_that_come_at_once_make_it_once(database: str) -> None:
    indexes = [PgVectorAdapter({"dsn": database}) for _ in range(8)]
    await asyncio.gather(*(index.init() for index in indexes))
    await asyncio.gather(*(index.create_collection("things", 2) for index in indexes))
    assert [len(await index.list_collections()) for index in indexes] == [1] * 8
    await asyncio.gather(*(index.cleanup() for index in indexes))


async def test_a_newer_version_is_refused(database: str) -> None:
    async with PgVectorAdapter({"dsn": database}) as index:
        await index.create_collection("things", 2)
    await _run(database, "UPDATE oneiric.schema_version SET version = 99")
    with pytest.raises(Unsupported, match=r"version 99; this oneiric-postgres knows 1.*Upgrade"):
        await PgVectorAdapter({"dsn": database}).init()
    async with PgVectorAdapter({"dsn": database, "schema_name": "another"}) as index:
        assert await index.list_collections() == []


@pytest.mark.parametrize("name", ['a "quoted" name', "; drop table x; --", "größe 🧪", "select", "x" * 63, "A-b.c"])
async def test_a_schema_may_have_any_name(server: Server, name: str) -> None:
    async with PgVectorAdapter({"dsn": server.dsn, "schema_name": name}) as index:
        await index.create_collection("things", 2)
        assert [each.name for each in await index.list_collections()] == ["things"]
        await index.drop_collection("things")


@pytest.mark.parametrize("name", ["", " ", "a\0b", "x" * 64, "ü" * 32, "pg_mine"])
def test_a_schema_that_can_not_be_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="schema_name"):
        PgVectorAdapter({"dsn": "postgresql://h/d", "schema_name": name})


async def test_a_role_without_rights_is_told_what_to_do(database: str) -> None:
    await _run(database, "DROP ROLE IF EXISTS nobody_much", "CREATE ROLE nobody_much LOGIN")
    config = {"dsn": database.replace("postgres@", "nobody_much@")}
    with pytest.raises(AuthenticationFailed, match=r"CREATE EXTENSION vector.*GRANT"):
        await PgVectorAdapter(config).init()
    await _run(database, "CREATE EXTENSION vector")
    with pytest.raises(AuthenticationFailed, match="GRANT the role CREATE"):
        await PgVectorAdapter(config).init()
    await _run(database, "CREATE SCHEMA oneiric AUTHORIZATION nobody_much")
    async with PgVectorAdapter(config) as index:
        await index.create_collection("things", 2)


async def test_a_server_without_pgvector_is_said(make_server: Callable[..., Server]) -> None:
    server = make_server({"extension_control_path": "/nowhere"})
    server.start()
    with pytest.raises(Unsupported, match=r"has no pgvector.*Install"):
        await PgVectorAdapter({"dsn": server.dsn}).init()


async def test_a_pgvector_that_is_too_old_is_said(database: str) -> None:
    await _run(
        database, "CREATE EXTENSION vector", "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"
    )
    with pytest.raises(Unsupported, match=r"0\.7\.4.*ALTER EXTENSION"):
        await PgVectorAdapter({"dsn": database}).init()


async def test_the_extension_may_be_in_a_schema_of_its_own(database: str) -> None:
    await _run(database, 'CREATE SCHEMA "Ext"', 'CREATE EXTENSION vector SCHEMA "Ext"')
    async with PgVectorAdapter({"dsn": database}) as index:
        await index.create_collection("things", 2)
        await index.build_indexes("things")
        assert await index.search("things", [1.0, 0.0]) == []
        assert await index.search_many("things", [[1.0, 0.0]]) == [[]]


async def test_a_read_only_index_reads(database: str) -> None:
    async with PgVectorAdapter({"dsn": database}) as index:
        await index.create_collection("things", 2)
    async with PgVectorAdapter({"dsn": database, "read_only": True}) as index:
        assert await index.search("things", [1.0, 0.0]) == []
        with pytest.raises(Exception, match="read"):
            await index.drop_collection("things")
