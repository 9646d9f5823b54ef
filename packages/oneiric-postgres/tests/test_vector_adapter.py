"""The adapter: what another process has changed, a server that is killed, PgBouncer's mode, names and settings."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from oneiric.adapters.vector import DURABLE, Collection, Distance, F, Record
from oneiric.errors import CollectionExists, CollectionNotFound, ConfigError, InvalidRequest, OneiricError
from oneiric_postgres import PgVectorAdapter, PgVectorSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from server import Server

NAMES: list[Any] = [
    'a"b', "a'b", "a; DROP TABLE collections; --", "x" * 200, "🧪", "", "a\0b", "\ud800", None, 7, "A", "../a",
]  # fmt: skip


async def test_a_collection_that_another_has_made_anew_is_that_one(vector_config: dict[str, Any]) -> None:
    """What an adapter knows of it is of the old one: neither its vectors nor its distance are mixed up."""
    async with PgVectorAdapter(vector_config) as one, PgVectorAdapter(vector_config) as other:
        await one.create_collection("things", 2)
        await one.upsert("things", [Record("a", [1.0, 0.0])])
        assert len(await one.search("things", [1.0, 0.0])) == 1
        await other.drop_collection("things")
        await other.create_collection("things", 2, distance=Distance.EUCLIDEAN)
        await other.upsert("things", [Record("b", [3.0, 4.0])])
        assert [(match.id, match.score) for match in await one.search("things", [0.0, 0.0])] == [("b", -5.0)]
        await other.drop_collection("things")
        await other.create_collection("things", 3)
        assert await one.upsert("things", [Record(str(n), [1.0, 2.0, n]) for n in range(500)]) == 500
        assert await other.count("things") == 500
        await other.drop_collection("things")
        for call in (one.count("things"), one.search("things", [1.0, 2.0, 3.0]), one.upsert("things", [])):
            with pytest.raises(CollectionNotFound, match="There is no collection 'things'"):
                await call


async def test_the_distance_and_dimension_are_the_collections_own(index: PgVectorAdapter) -> None:
    await index.create_collection("things", 2, distance=Distance.DOT)
    with pytest.raises(CollectionExists, match="2 dimensions and the distance dot"):
        await index.create_collection("things", 2)
    with pytest.raises(CollectionExists):
        await index.create_collection("things", 3, distance=Distance.DOT)
    assert await index.list_collections() == [Collection("things", 2, Distance.DOT)]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_a_name_that_can_not_be_is_refused_before_any_write(index: PgVectorAdapter, name: Any) -> None:
    await index.create_collection("things", 2)
    with pytest.raises(InvalidRequest):
        await index.create_collection(name, 2)
    for call in (index.count(name), index.search(name, [1.0, 2.0]), index.upsert(name, [])):
        with pytest.raises(CollectionNotFound):
            await call
    await index.drop_collection(name)
    assert [each.name for each in await index.list_collections()] == ["things"]


async def test_two_names_that_begin_alike_are_two_tables(index: PgVectorAdapter) -> None:
    names = ["x" * 60, "x" * 59 + "y", "x" * 41]
    for name in names:
        await index.create_collection(name, 2)
        await index.upsert(name, [Record(name, [1.0, 2.0])])
        await index.build_indexes(name)
    for name in names:
        assert [match.id for match in await index.search(name, [1.0, 2.0])] == [name]


async def test_tasks_that_create_and_drop_the_same_do_not_trip(index: PgVectorAdapter) -> None:
    async def live() -> None:
        for _ in range(5):
            await index.create_collection("things", 2)
            with suppress(CollectionNotFound):  # another has dropped it
                await index.upsert("things", [Record("a", [1.0, 2.0])])
            await index.drop_collection("things")

    await asyncio.gather(*(live() for _ in range(6)))
    assert await index.list_collections() == []


async def test_behind_pgbouncer_searches_have_their_settings(vector_config: dict[str, Any]) -> None:
    async with PgVectorAdapter(vector_config) as direct:
        await direct.create_collection("things", 4)
        given = [Record(f"id-{n}", [n % 7, n % 11, n % 13, 1.0], {"n": n % 2}) for n in range(3_000)]
        await direct.upsert("things", given)
        await direct.build_indexes("things")
    async with PgVectorAdapter({**vector_config, "pgbouncer": True}) as index:
        for limit in (10, 150, 400):
            assert len(await index.search("things", [1.0] * 4, limit=limit, filter=F("n") == 1)) == limit
        assert await index.upsert("things", given) == 3_000
        async with index._ready().session(5) as session:  # nothing of it is left to the session's next user
            assert await session.connection.fetchval("SELECT current_setting('hnsw.iterative_scan', true)") in {
                "off",
                "",
            }
        with pytest.raises(OneiricError, match="PgBouncer"):
            await index.build_indexes("things")


async def test_no_session_is_left_changed(index: PgVectorAdapter) -> None:
    await index.create_collection("things", 2)
    await index.upsert("things", [Record(str(n), [1.0, n]) for n in range(1_000)])
    await index.build_indexes("things")
    await index.search("things", [1.0, 2.0], limit=400)
    async with index._ready().session(5) as session:
        ask = session.connection.fetchval
        assert await ask("SELECT current_setting('hnsw.ef_search')") == "100"
        assert await ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == 0
        assert await ask("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0


async def test_a_server_that_is_killed_under_32_tasks_loses_no_record(make_server: Callable[..., Server]) -> None:
    server = make_server()
    server.start()
    stored: set[str] = set()
    wrong: list[BaseException] = []
    is_over = asyncio.Event()

    async with PgVectorAdapter({"dsn": server.dsn, "timeout": 10, "connect_timeout": 5}) as index:
        await index.create_collection("things", 2)

        async def work(task: int) -> None:
            number = 0
            while not is_over.is_set():
                number += 1
                given = [Record(f"{task}-{number}-{n}", [1.0, n]) for n in range(150 if task % 8 == 0 else 3)]
                try:
                    await index.upsert("things", given)
                    stored.update(record.id for record in given)
                    await index.search("things", [1.0, 2.0])
                except OneiricError as error:
                    if not error.transient:
                        wrong.append(error)
                    await asyncio.sleep(0.02)

        tasks = [asyncio.create_task(work(task)) for task in range(32)]
        for _ in range(2):
            before = len(stored)
            async with asyncio.timeout(30):
                while len(stored) < before + 200:  # noqa: ASYNC110 - it is the tasks that make it so
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        is_over.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)
        assert wrong == []
        found = [record.id async for record in index.scroll("things")]
        assert len(found) == len(set(found))
        assert stored <= set(found)


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_a_search_with_vectors_gives_them(index: PgVectorAdapter, limit: int) -> None:
    await index.create_collection("things", 2, distance=Distance.EUCLIDEAN)
    await index.upsert("things", [Record(str(n), [n, 2.5]) for n in range(3)])
    for _ in range(2):
        found = await index.search("things", [0.0, 2.5], limit=limit, with_vectors=True)
        assert [match.vector for match in found] == [[n, 2.5] for n in range(limit)]
        await index.build_indexes("things")


def test_settings_say_what_an_embedded_server_lacks() -> None:
    assert PgVectorSettings(dsn="embedded://").lacks() == {DURABLE}
    assert PgVectorSettings(dsn="embedded:///somewhere").lacks() == frozenset()
    assert PgVectorSettings(dsn="postgresql://h/d").lacks() == frozenset()


@pytest.mark.parametrize(("key", "value"), [("m", 1), ("m", 101), ("ef_search", 0), ("ef_search", 1_001), ("m", "x")])
def test_a_setting_that_pgvector_refuses_is_refused_before(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=key):
        PgVectorAdapter({"dsn": "postgresql://h/d", key: value})


def test_an_index_is_built_from_twice_as_many_candidates_as_it_keeps() -> None:
    with pytest.raises(ConfigError, match="ef_construction"):
        PgVectorAdapter({"dsn": "postgresql://h/d", "m": 40})
    assert PgVectorSettings(dsn="postgresql://h/d", m=40, ef_construction=80).m == 40


async def test_an_error_of_the_server_is_a_vectors_and_repeats_no_value(
    index: PgVectorAdapter, vector_config: dict[str, Any]
) -> None:
    await index.create_collection("things", 2)
    connection = await asyncpg.connect(vector_config["dsn"])
    await connection.execute(
        f"ALTER TABLE {vector_config['schema_name']}.things_1 ADD CHECK (payload ->> 'a' <> 'a secret')"
    )
    await connection.close()
    for number in (1, 200):
        with pytest.raises(OneiricError) as raised:
            await index.upsert("things", [Record(str(n), [1.0, 2.0], {"a": "a secret"}) for n in range(number)])
        assert "a secret" not in str(raised.value)
        assert await index.count("things") == 0
