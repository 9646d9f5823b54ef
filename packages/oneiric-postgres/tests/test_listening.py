"""LISTEN and NOTIFY."""

# ruff: noqa: PT012 - an error has to leave the block of a transaction

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConnectionFailed, NotInitialized, QueryError, Unsupported
from oneiric.testing.proxy import Fault, FaultProxy
from oneiric_postgres import Gap, Notification, PostgresAdapter

if TYPE_CHECKING:
    from server import Server

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND application_name = $1"
SOON = 20.0


@pytest.fixture
def config(config: dict[str, Any], schema: str) -> dict[str, Any]:
    return {**config, "application_name": schema}


async def test_notifications_come_in_order(db: PostgresAdapter) -> None:
    async with asyncio.timeout(SOON), db.listen("a", 'b "quoted"; --') as events:
        for number in range(100):
            await db.notify("a", str(number))
        await db.notify('b "quoted"; --', "ümlaut 🙂")
        await db.notify("a")
        found = [await anext(events) for _ in range(102)]
    assert [(event.channel, event.payload) for event in found if isinstance(event, Notification)] == [
        *(("a", str(number)) for number in range(100)),
        ('b "quoted"; --', "ümlaut 🙂"),
        ("a", ""),
    ]


async def test_a_notification_in_a_transaction_comes_with_its_commit(db: PostgresAdapter) -> None:
    async with asyncio.timeout(SOON), db.listen("a") as events:
        with pytest.raises(ZeroDivisionError):
            async with db.transaction() as tx:
                await tx.notify("a", "undone")
                raise ZeroDivisionError
        async with db.transaction() as tx:
            await tx.notify("a", "done")
        event = await anext(events)
    assert isinstance(event, Notification)
    assert event.payload == "done"


async def test_without_a_block_it_begins_with_the_first_event(db: PostgresAdapter) -> None:
    events = db.listen("a")
    waiting = asyncio.ensure_future(anext(events))
    async with asyncio.timeout(SOON):
        while not waiting.done():
            await db.notify("a", "x")
            await asyncio.sleep(0.01)
    assert isinstance(waiting.result(), Notification)
    await events.aclose()
    async with asyncio.timeout(SOON):
        async for _ in events:
            pass


async def test_a_connection_that_is_lost_is_replaced_and_that_is_said(db: PostgresAdapter, schema: str) -> None:
    async with asyncio.timeout(SOON), db.listen("a") as events:
        for _ in range(3):
            (row,) = await db.fetch_all(LISTENERS, schema)
            await db.fetch_value("SELECT pg_terminate_backend($1)", row[0])
            assert isinstance(await anext(events), Gap)
            await db.notify("a", "again")
            event = await anext(events)
            assert isinstance(event, Notification)
            assert event.payload == "again"


async def test_a_connection_that_went_quiet_is_noticed(server: Server, config: dict[str, Any]) -> None:
    """Nothing comes over it, and nobody says that it is gone."""
    async with asyncio.timeout(SOON), FaultProxy("127.0.0.1", server.port) as proxy:
        through = config["dsn"].replace(str(server.port), str(proxy.port))
        settings = {**config, "dsn": through, "connect_timeout": 1}
        async with (
            PostgresAdapter(config) as direct,
            PostgresAdapter(settings) as db,
            db.listen("a", probe=0.2) as events,
        ):
            await proxy.fail(Fault.BLACKHOLE)
            waiting = asyncio.ensure_future(anext(events))
            await direct.notify("a", "lost")
            await asyncio.wait({waiting}, timeout=1)
            assert not waiting.done()
            await proxy.fail(Fault.NONE)
            assert isinstance(await waiting, Gap)
            await direct.notify("a", "seen")
            event = await anext(events)
    assert isinstance(event, Notification)
    assert event.payload == "seen"


async def test_more_than_can_wait_are_counted(db: PostgresAdapter) -> None:
    async with asyncio.timeout(SOON), db.listen("a", queued=5) as events:
        for number in range(12):
            await db.notify("a", str(number))
        await _until(lambda: events._lost == 7)
        found = [await anext(events) for _ in range(6)]
        await db.notify("a", "after")
        after = await anext(events)
    assert [event.payload for event in found[:5] if isinstance(event, Notification)] == list("01234")
    assert isinstance(found[5], Gap)
    assert found[5].lost == 7
    assert isinstance(after, Notification)


async def test_leaving_closes_the_connection(db: PostgresAdapter, schema: str) -> None:
    async with db.listen("a"):
        assert len(await db.fetch_all(LISTENERS, schema)) == 1
    async with asyncio.timeout(SOON):
        while await db.fetch_all(LISTENERS, schema):  # noqa: ASYNC110 - it is the server that makes it so
            await asyncio.sleep(0.01)


async def test_cleanup_ends_who_waits(config: dict[str, Any]) -> None:
    db = PostgresAdapter(config)
    await db.init()
    async with db.listen("a") as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        await db.cleanup()
        async with asyncio.timeout(SOON):
            with pytest.raises(ConnectionFailed):
                await waiting
    with pytest.raises(NotInitialized):
        db.listen("a")


async def test_a_wait_that_is_cancelled_loses_nothing(db: PostgresAdapter) -> None:
    async with asyncio.timeout(SOON), db.listen("a") as events:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(events)
        await db.notify("a", "x")
        assert isinstance(await anext(events), Notification)


@pytest.mark.parametrize(
    "channels", [(), ("",), ("x" * 64,), (7,), ("a\0",)], ids=["none", "empty", "long", "int", "nul"]
)
async def test_what_is_no_channel_is_refused(db: PostgresAdapter, channels: Any) -> None:
    with pytest.raises(QueryError):
        db.listen(*channels)
    if channels:
        with pytest.raises(QueryError):
            await db.notify(*channels)


async def test_a_payload_that_is_too_long_is_a_query_error(db: PostgresAdapter) -> None:
    with pytest.raises(QueryError):
        await db.notify("a", "x" * 8_000)


async def test_behind_pgbouncer_there_is_no_listening(config: dict[str, Any]) -> None:
    async with PostgresAdapter({**config, "pgbouncer": True}) as db:
        with pytest.raises(Unsupported):
            db.listen("a")
        await db.notify("a", "x")


async def _until(condition: Any) -> None:
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - it is the driver's callback that makes it so
            await asyncio.sleep(0.001)
