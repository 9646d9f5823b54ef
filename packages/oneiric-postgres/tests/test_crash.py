"""A server that is killed and started again under load: nothing that was acknowledged is lost, and nothing is there twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oneiric.errors import ConnectionFailed, DeadlineExceeded, OneiricError
from oneiric_postgres import PostgresAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from server import Server

TASKS = 32
KILLS = 3


async def test_a_server_that_is_killed_under_thirty_two_tasks(make_server: Callable[..., Server]) -> None:
    server = make_server({"fsync": "on", "full_page_writes": "on"})
    server.start()
    acknowledged: set[int] = set()
    unknown: set[int] = set()
    errors: list[OneiricError] = []
    is_over = False
    slowest = 0.0

    async def work(db: PostgresAdapter, number: int) -> None:
        nonlocal slowest
        loop = asyncio.get_running_loop()
        key = number
        while not is_over:
            key += TASKS
            start = loop.time()
            try:
                if number % 2:
                    async with db.transaction() as tx:
                        await tx.execute("INSERT INTO kept (id) VALUES ($1)", key)
                else:
                    await db.execute("INSERT INTO kept (id) VALUES ($1)", key)
            except OneiricError as error:
                errors.append(error)
                unknown.add(key)  # it may have been committed, its answer lost
                await asyncio.sleep(0.01)
            else:
                acknowledged.add(key)
            slowest = max(slowest, loop.time() - start)

    settings = {"dsn": server.dsn, "timeout": 5, "connect_timeout": 5, "acquire_timeout": 5}
    async with PostgresAdapter(settings) as db:
        await db.execute("CREATE TABLE kept (id bigint)")  # no key: what is there twice would be seen
        tasks = [asyncio.create_task(work(db, number)) for number in range(TASKS)]
        for _ in range(KILLS):
            before = len(acknowledged)
            await until(lambda before=before: len(acknowledged) > before + 200)  # type: ignore[misc]
            failed = len(errors)
            await asyncio.to_thread(server.kill)
            await until(lambda failed=failed: len(errors) > failed + TASKS)  # type: ignore[misc]
            assert not await db.health()
            await asyncio.to_thread(server.start)
        before = len(acknowledged)
        await until(lambda: len(acknowledged) > before + 200)
        is_over = True
        await asyncio.gather(*tasks)
        assert await db.health()
        rows = [row[0] for row in await db.fetch_all("SELECT id FROM kept")]
    wrong = {type(error).__name__ for error in errors if not isinstance(error, ConnectionFailed | DeadlineExceeded)}
    assert wrong == set()
    assert all(error.transient for error in errors)
    assert len(rows) == len(set(rows)), "no row is there twice"
    assert acknowledged <= set(rows), "no row is lost that was acknowledged"
    assert set(rows) <= acknowledged | unknown
    assert slowest < 5 + 3, "each call ends by its deadline"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it is other tasks that make it so
            await asyncio.sleep(0.01)
