"""What the tests share: a server for each process of tests, with a schema for each test."""

from __future__ import annotations

import importlib.util
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric_postgres import PgVectorAdapter, PostgresAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from server import Server as Server

_SCHEMAS = 200
"""How many are made at once: a schema for each test is much faster than a database."""


def _neighbour(name: str) -> Any:
    """A module beside this one; tests are imported by their paths, and so find no neighbours by name."""
    full = f"oneiric_postgres_test_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)
    return sys.modules[full]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that is running."""
    server: Server = _neighbour("server").Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def make_server() -> Iterator[Callable[..., Server]]:
    """Make a server of the test's own, not started."""
    made: list[Server] = []

    def make(settings: dict[str, str] | None = None) -> Server:
        made.append(_neighbour("server").Server(settings))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that asks for passwords."""
    server: Server = _neighbour("server").Server({"max_connections": "12"})
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def tls_front() -> Any:
    """The class of what puts TLS in front of a server."""
    return _neighbour("tls_front").TlsFront


@pytest.fixture(scope="session")
def schemas(server: Server) -> Iterator[str]:
    """Names of schemas that are empty, without end."""

    def names() -> Iterator[str]:
        for number in count():
            if number % _SCHEMAS == 0:
                server.psql(
                    f"DO $$BEGIN FOR n IN {number}..{number + _SCHEMAS - 1} LOOP "
                    "EXECUTE format('CREATE SCHEMA test_%s', n); END LOOP; END$$"
                )
            yield f"test_{number}"

    return names()


@pytest.fixture
def schema(schemas: Iterator[str]) -> str:
    """An empty schema."""
    return next(schemas)


@pytest.fixture
def config(server: Server, schema: str) -> dict[str, Any]:
    """Settings of an adapter whose tables are in a schema of this test's own."""
    return {"dsn": server.dsn, "search_path": schema}


@pytest.fixture
async def db(config: dict[str, Any]) -> AsyncIterator[PostgresAdapter]:
    """An adapter, with a table `t (id, v)`."""
    async with PostgresAdapter(config) as adapter:
        await adapter.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)")
        yield adapter


@pytest.fixture
def vector_config(server: Server, schema: str) -> dict[str, Any]:
    """Settings of a vector index whose collections are this test's own."""
    return {"dsn": server.dsn, "schema_name": schema}


@pytest.fixture
async def index(vector_config: dict[str, Any]) -> AsyncIterator[PgVectorAdapter]:
    """A vector index without collections."""
    async with PgVectorAdapter(vector_config) as adapter:
        yield adapter
