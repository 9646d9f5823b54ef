"""The suite that `oneiric conformance postgres` runs: on an embedded server, with a schema for each test."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from oneiric.embedded import join
from oneiric.testing import DatabaseSuite

from oneiric_postgres.bulk import quoted
from oneiric_postgres.embedded import PostgresEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

_URL = "embedded://conformance"
_numbers = count(1)


class PostgresSuite(DatabaseSuite):
    """What holds for every database, on PostgreSQL. `config` is of a schema that is empty, as is quicker than a database."""

    adapter_name = "postgres"

    @pytest.fixture(scope="session")
    def runner(self) -> Iterator[asyncio.Runner]:
        """Runs what prepares a test, outside of its event loop; meanwhile the server runs on."""
        with asyncio.Runner() as runner:
            member = runner.run(join(_URL, PostgresEngine()))
            runner.run(_clear(member.url))
            yield runner
            runner.run(member.leave())

    @pytest.fixture
    def config(self, runner: asyncio.Runner) -> dict[str, Any]:
        """Settings whose tables are in a schema of this test's own."""
        name = f"conformance_{next(_numbers)}"
        runner.run(_make(name))
        type(self).schema = name
        return {"dsn": _URL, "search_path": name}


async def _make(schema: str) -> None:
    member = await join(_URL, PostgresEngine())
    try:
        await _execute(member.url, f"CREATE SCHEMA {quoted(schema)}")
    finally:
        await member.leave()


async def _clear(url: str) -> None:
    """Drop what an earlier run has left, whose server somebody else keeps alive."""
    await _execute(
        url,
        "SET client_min_messages = error; DO $$DECLARE name text; BEGIN FOR name IN SELECT nspname FROM pg_namespace "
        "WHERE nspname LIKE 'conformance\\_%' LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP; END$$",
    )


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url, ssl=False, password="")
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
