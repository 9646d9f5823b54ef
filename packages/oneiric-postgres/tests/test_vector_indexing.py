"""Indexes: built in the background once a collection is searched and large, by one at a time, in nobody's way."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from oneiric.adapters.vector import Distance, Record
from oneiric.errors import CollectionNotFound, OneiricError, Unsupported
from oneiric_postgres import PgVectorAdapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

INDEXES = """
SELECT x.relname, i.indisvalid, am.amname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am am ON am.oid = x.relam JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relnamespace = to_regnamespace($1) AND t.relname LIKE 'things%' AND NOT i.indisprimary ORDER BY x.relname
"""
WITHIN = 60.0


def records(number: int, dimension: int = 8) -> list[Record]:
    return [Record(f"id-{n}", [n % (d + 2) + d / 10 for d in range(dimension)], {"n": n}) for n in range(number)]


@pytest.fixture
async def connection(vector_config: dict[str, Any]) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(vector_config["dsn"])
    yield connection
    await connection.close()


async def kinds(connection: asyncpg.Connection, config: dict[str, Any]) -> list[str]:
    """The kinds of the indexes of `things` that are complete."""
    return [row["amname"] for row in await connection.fetch(INDEXES, config["schema_name"]) if row["indisvalid"]]


async def until_indexed(index: PgVectorAdapter, *others: PgVectorAdapter) -> None:
    """Search until each knows of the index."""
    async with asyncio.timeout(WITHIN):
        for each in (index, *others):
            while not (each._known.get("things") and each._known["things"].is_indexed):
                await each.search("things", [1.0] * 8)
                await asyncio.sleep(0.02)


async def test_a_large_collection_that_is_searched_is_indexed(
    index: PgVectorAdapter, connection: asyncpg.Connection, vector_config: dict[str, Any]
) -> None:
    await index.create_collection("things", 8)
    await index.upsert("things", records(5_000))
    assert await kinds(connection, vector_config) == []  # a load that goes on isn't slowed down
    await until_indexed(index)
    assert await kinds(connection, vector_config) == ["hnsw", "gin"]
    plan = await connection.fetch(f"EXPLAIN SELECT id FROM {index._known['things'].table} ORDER BY embedding <=> "
                                  f"'{[1] * 8}' LIMIT 10")  # fmt: skip
    assert "_hnsw" in plan[1][0]


async def test_a_small_collection_is_not_indexed(
    index: PgVectorAdapter, connection: asyncpg.Connection, vector_config: dict[str, Any]
) -> None:
    await index.create_collection("things", 8)
    await index.upsert("things", records(1_999))
    await index.search("things", [1.0] * 8)
    assert index._builds is not None
    await asyncio.gather(*index._builds._tasks.values())
    assert await kinds(connection, vector_config) == []


async def test_writers_and_searches_go_on_while_it_is_built(index: PgVectorAdapter) -> None:
    await index.create_collection("things", 8)
    given = records(10_000)
    await index.upsert("things", given)
    building = asyncio.create_task(index.build_indexes("things"))
    written = 0
    while not building.done():
        await index.upsert("things", [Record(f"new-{written}", [1.0] * 8, {"n": -1})], timeout=10)
        written += 1
        assert len(await index.search("things", [1.0] * 8, timeout=10)) == 10
    await building
    assert written > 1
    assert await index.count("things") == 10_000 + written


async def test_adapters_that_build_at_once_build_one(
    vector_config: dict[str, Any], connection: asyncpg.Connection
) -> None:
    indexes = [PgVectorAdapter(vector_config) for _ in range(4)]
    await asyncio.gather(*(each.init() for each in indexes))
    await indexes[0].create_collection("things", 8)
    await indexes[0].upsert("things", records(3_000))
    await asyncio.gather(*(each.build_indexes("things", timeout=WITHIN) for each in indexes))
    assert await kinds(connection, vector_config) == ["hnsw", "gin"]
    await until_indexed(*indexes)
    await asyncio.gather(*(each.cleanup() for each in indexes))


async def test_a_build_that_was_broken_off_is_begun_anew(
    index: PgVectorAdapter, connection: asyncpg.Connection, vector_config: dict[str, Any]
) -> None:
    await index.create_collection("things", 8)
    await index.upsert("things", records(3_000))
    await index.build_indexes("things")
    # What is left of a build that was killed: an index that writes keep up and searches can't use.
    await connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = "
        f"'{vector_config['schema_name']}.things_1_hnsw'::regclass"
    )
    assert await kinds(connection, vector_config) == ["gin"]
    await index.build_indexes("things")
    assert await kinds(connection, vector_config) == ["hnsw", "gin"]
    assert len(await connection.fetch(INDEXES, vector_config["schema_name"])) == 2


async def test_a_cleanup_ends_a_build(vector_config: dict[str, Any], connection: asyncpg.Connection) -> None:
    async with PgVectorAdapter(vector_config) as index:
        await index.create_collection("things", 64)
        await index.upsert("things", records(20_000, 64))
        await index.search("things", [1.0] * 64)
        await until(lambda: _is_building(connection))
    await until(lambda: _is_not_building(connection))


async def test_a_collection_is_dropped_while_it_is_indexed(
    index: PgVectorAdapter, vector_config: dict[str, Any], connection: asyncpg.Connection
) -> None:
    """By another adapter; who builds is stopped, and not waited for."""
    await index.create_collection("things", 64)
    await index.upsert("things", records(20_000, 64))
    building = asyncio.create_task(index.build_indexes("things"))
    await until(lambda: _is_building(connection))
    async with PgVectorAdapter(vector_config) as another:
        await another.drop_collection("things", timeout=10)
        assert await another.list_collections() == []
    with pytest.raises(OneiricError):
        await building
    with pytest.raises(CollectionNotFound):
        await index.search("things", [1.0] * 64)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(WITHIN):
        while not await holds():  # noqa: ASYNC110 - it is the server that makes it so
            await asyncio.sleep(0.005)


async def _says(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return text in caplog.text


async def _is_not_building(connection: asyncpg.Connection) -> bool:
    return not await _is_building(connection)


async def _is_building(connection: asyncpg.Connection) -> bool:
    found = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%hnsw%' AND state = 'active'"
    )
    return bool(found)


@pytest.mark.parametrize(("is_half", "dimension", "is_indexed"), [(False, 2_001, False), (True, 2_001, True)])
async def test_more_dimensions_than_an_index_takes_are_searched_exactly(
    vector_config: dict[str, Any], caplog: pytest.LogCaptureFixture, is_half: bool, dimension: int, is_indexed: bool
) -> None:
    async with PgVectorAdapter({**vector_config, "halfvec": is_half}) as index:
        with caplog.at_level(logging.WARNING, "oneiric_postgres"):
            await index.create_collection("things", dimension)
        assert ("2,001 dimensions" in caplog.text) is not is_indexed
        await index.upsert("things", records(20, dimension))
        await index.build_indexes("things")
        assert len(await index.search("things", [1.0] * dimension)) == 10
        assert index._known["things"].is_indexed is is_indexed


async def test_more_dimensions_than_pgvector_keeps_are_unsupported(index: PgVectorAdapter) -> None:
    await index.create_collection("large", 16_000)
    await index.upsert("large", [Record("a", [1.0] * 16_000)])
    assert len(await index.search("large", [1.0] * 16_000)) == 1
    with pytest.raises(Unsupported, match="16,000"):
        await index.create_collection("larger", 16_001)


async def test_a_role_that_may_not_build_searches_exactly(
    index: PgVectorAdapter,
    vector_config: dict[str, Any],
    connection: asyncpg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await index.create_collection("things", 8, distance=Distance.EUCLIDEAN)
    await index.upsert("things", records(3_000))
    schema, role = vector_config["schema_name"], f"reader_{vector_config['schema_name']}"
    await connection.execute(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
    )
    config = {**vector_config, "dsn": vector_config["dsn"].replace("postgres@", f"{role}@")}
    async with PgVectorAdapter(config) as reader:
        assert len(await reader.search("things", [1.0] * 8)) == 10
        await until(lambda: _says(caplog, "can't be built"))
        assert len(await reader.search("things", [1.0] * 8)) == 10
