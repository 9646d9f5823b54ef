"""The adapter's life: init, health, cleanup, deadlines and cancellation, and what is left behind."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import ConnectionFailed, DeadlineExceeded, NotInitialized, OneiricError, Unsupported
from oneiric_sqlite import SqliteAdapter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Until = Callable[[Callable[[], object]], Awaitable[None]]


def descriptors(path: str) -> int:
    """How many file descriptors of this process are on the database's files."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(str(entry.readlink()))
    return sum(link.startswith(path) for link in links)


def threads() -> int:
    return sum("connection_worker" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.execute("SELECT 1"),
        lambda db: db.fetch_all("SELECT 1"),
        lambda db: db.insert_many("t", ["id"], []),
        lambda db: db.transaction().__aenter__(),
        lambda db: anext(db.stream("SELECT 1")),
    ],
)
async def test_before_init_and_after_cleanup_a_call_says_what_to_call(path: str, call: Any) -> None:
    db = SqliteAdapter({"path": path})
    with pytest.raises(NotInitialized, match="init"):
        await call(db)
    async with db:
        pass
    with pytest.raises(NotInitialized):
        await call(db)
    with pytest.raises(NotInitialized):
        _ = db.raw


async def test_init_and_cleanup_may_be_called_again_and_at_once(path: str) -> None:
    db = SqliteAdapter({"path": path, "readers": 2})
    await db.cleanup()
    before = threads()
    await asyncio.gather(*(db.init() for _ in range(20)))
    assert threads() == before + 3
    await db.init()
    assert await db.fetch_value("SELECT 1") == 1
    await asyncio.gather(*(db.cleanup() for _ in range(20)))
    await db.cleanup()
    assert (threads(), descriptors(path)) == (before, 0)
    async with db:
        assert await db.fetch_value("SELECT 1") == 1


def test_an_adapter_lives_again_in_another_event_loop(path: str) -> None:
    db = SqliteAdapter({"path": path})

    async def use() -> None:
        await asyncio.gather(*(db.init() for _ in range(5)))
        assert await db.fetch_value("SELECT 1") == 1
        await db.cleanup()

    for _ in range(3):
        asyncio.run(use())


def count(path: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


async def begin(db: SqliteAdapter) -> None:
    async with db.transaction():
        pass


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.execute("INSERT INTO t(v) VALUES (1)"),
        lambda db: db.fetch_all("SELECT 1"),
        lambda db: db.insert_many("t", ["v"], [(1,)]),
        begin,
        lambda db: anext(db.stream("SELECT 1")),
    ],
)
def test_a_call_in_another_event_loop_says_what_to_call_and_does_nothing(path: str, call: Any) -> None:
    db = SqliteAdapter({"path": path})
    db.name = "orders"

    async def first() -> None:
        await db.init()
        await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")

    async def second() -> None:
        with pytest.raises(NotInitialized, match="another event loop") as caught:
            await call(db)
        assert caught.value.adapter == "orders"
        assert "init()" in str(caught.value.hint)
        health = await db.health()
        assert not health
        assert "another event loop" in health.detail
        await db.cleanup()

    before = threads()
    asyncio.run(first())
    asyncio.run(second())
    assert (threads(), descriptors(path), count(path)) == (before, 0, 0)


async def test_a_transaction_s_handle_in_another_event_loop_does_nothing(db: SqliteAdapter) -> None:
    async with db.transaction() as tx:

        async def foreign() -> None:
            with pytest.raises(NotInitialized):
                await tx.execute("INSERT INTO t(v) VALUES (1)")

        await asyncio.to_thread(asyncio.run, foreign())
    assert await db.fetch_value("SELECT count(*) FROM t") == 0


def is_running(db: SqliteAdapter) -> bool:
    """Whether a thread has taken up a statement."""
    engine = db._engine
    assert engine
    connection = engine.readers.connections[0] if engine.readers else engine.writer.connection
    return connection.current is not None


@pytest.mark.parametrize("is_in_memory", [False, True])
def test_init_in_another_event_loop_closes_what_the_first_left_and_opens_anew(
    path: str, is_in_memory: bool, endless: str, endless_write: str, until: Until
) -> None:
    db = SqliteAdapter({"path": ":memory:" if is_in_memory else path, "readers": 1})
    left: list[Any] = []

    async def first() -> None:
        await db.init()
        await db.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)")
        calls = (db.fetch_all(endless), db.fetch_all("SELECT 1"), db.execute(endless_write), db.execute("SELECT 1"))
        left.extend(asyncio.ensure_future(call) for call in calls)
        await until(lambda: is_running(db))

    async def second() -> None:
        await asyncio.gather(*(db.init() for _ in range(3)))
        await db.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v)")
        assert await db.execute("INSERT INTO t(v) VALUES (1)") == 1
        assert await db.fetch_value("SELECT count(*) FROM t") == 1
        assert await db.health()
        await db.cleanup()

    before = threads()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(first())
    for task in left:  # nobody tells them: their loop is gone, as after an error that nobody caught
        task._log_destroy_pending = False
    loop.close()
    asyncio.run(second())
    assert (threads(), descriptors(path)) == (before, 0)


def test_what_waits_in_a_loop_that_stands_still_is_refused_there_once_it_runs_again(
    path: str, endless: str, until: Until
) -> None:
    db = SqliteAdapter({"path": path, "readers": 1})
    loop = asyncio.new_event_loop()

    async def wait() -> list[asyncio.Future[Any]]:
        await db.init()
        tasks = [asyncio.ensure_future(db.fetch_all(sql)) for sql in (endless, "SELECT 1")]
        await until(lambda: is_running(db))
        return tasks

    tasks = loop.run_until_complete(wait())
    asyncio.run(db.cleanup())
    outcomes = loop.run_until_complete(asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10))
    assert [type(outcome) for outcome in outcomes] == [ConnectionFailed, ConnectionFailed]
    loop.close()


async def test_init_beside_another_event_loop_that_runs_is_refused(db: SqliteAdapter) -> None:
    with pytest.raises(Unsupported, match="another event loop"):
        await asyncio.to_thread(asyncio.run, db.init())
    assert await db.fetch_value("SELECT 1") == 1


async def test_after_everything_no_thread_and_no_file_is_left(path: str, endless: str) -> None:
    before = threads()
    async with SqliteAdapter({"path": path}) as db:
        await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        await asyncio.gather(*(db.execute("INSERT INTO t(v) VALUES ($1)", n) for n in range(50)))
        await asyncio.gather(*(db.fetch_all("SELECT * FROM t") for _ in range(50)))
        _ = [row async for row in db.stream("SELECT * FROM t", batch_size=3)]
        rows = db.stream("SELECT * FROM t", batch_size=3)
        await anext(rows)
        with pytest.raises(DeadlineExceeded):
            await db.fetch_all(endless, timeout=0.02)
        assert threads() > before
    await rows.aclose()
    assert (threads(), descriptors(path)) == (before, 0)
    assert not Path(f"{path}-wal").exists()  # noqa: ASYNC240 - a test's loop may wait


async def test_an_init_that_fails_leaves_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"this is no database at all" * 100)
    db = SqliteAdapter({"path": str(path)})
    before = threads()
    for _ in range(3):
        with pytest.raises(OneiricError):
            await db.init()
    await db.cleanup()
    assert (threads(), descriptors(str(path))) == (before, 0)
    path.unlink()
    async with db:
        assert await db.fetch_value("SELECT 1") == 1


async def test_an_init_that_is_cancelled_at_any_point_leaves_nothing(path: str, until: Callable[..., Any]) -> None:
    before = threads()
    for point in range(40):
        db = SqliteAdapter({"path": path, "readers": 2})
        opening = asyncio.create_task(db.init())
        for _ in range(point):
            await asyncio.sleep(0)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening
        await db.cleanup()
    await until(lambda: (threads(), descriptors(path)) == (before, 0))


async def test_health_says_whether_it_works_and_how_long_that_took(either: SqliteAdapter) -> None:
    health = await either.health()
    assert health
    assert health.latency_ms is not None
    assert health.latency_ms > 0
    await either.cleanup()
    assert not await either.health()


async def test_health_is_good_while_a_transaction_holds_the_writer(either: SqliteAdapter) -> None:
    async with either.transaction():
        assert await either.health()


async def test_health_gives_up_where_no_connection_answers(
    path: str, endless: str, is_reading: Callable[[SqliteAdapter], bool], until: Callable[..., Any]
) -> None:
    async with SqliteAdapter({"path": path, "readers": 1, "timeout": 0.1}) as db:
        slow = asyncio.create_task(db.fetch_all(endless, timeout=30))
        await until(lambda: is_reading(db))
        health = await db.health()
        assert not health
        assert "No answer in time" in health.detail
        slow.cancel()
        await asyncio.wait({slow})
        assert await db.health()


async def test_cleanup_with_calls_under_way_ends_each_of_them_typed(
    path: str, endless: str, endless_write: str
) -> None:
    db = SqliteAdapter({"path": path, "readers": 1})
    await db.init()
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    calls = [
        *(db.fetch_all(endless) for _ in range(3)),
        db.execute(endless_write),
        *(db.execute("INSERT INTO t(v) VALUES (1)") for _ in range(5)),
        db.fetch_value("SELECT 1"),
    ]
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await db.cleanup()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, int | OneiricError) for outcome in outcomes)
    acknowledged = sum(outcome == 1 for outcome in outcomes[4:9])
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM t").fetchone()[0] >= acknowledged
    connection.close()


async def test_cleanup_inside_a_transaction_rolls_it_back(path: str) -> None:
    db = SqliteAdapter({"path": path})
    await db.init()
    await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    with pytest.raises(OneiricError):  # noqa: PT012 - the block is the subject
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO t VALUES (1, 0)")
            await db.cleanup()
    async with db:
        assert await db.fetch_value("SELECT count(*) FROM t") == 0


async def test_a_read_past_its_deadline_is_interrupted_and_its_reader_is_free_again(path: str, endless: str) -> None:
    async with SqliteAdapter({"path": path, "readers": 1, "timeout": 0.5}) as db:
        for _ in range(5):
            with pytest.raises(DeadlineExceeded) as caught:
                await db.fetch_all(endless)
            assert caught.value.transient
            assert await db.fetch_value("SELECT 1", timeout=10) == 1


async def test_a_deadline_of_nothing_is_a_deadline(either: SqliteAdapter, endless: str) -> None:
    with pytest.raises(DeadlineExceeded):
        await either.fetch_all(endless, timeout=0)


async def test_calls_cancelled_at_any_point_leave_the_adapter_usable(
    either: SqliteAdapter, endless: str, until: Callable[..., Any]
) -> None:
    async def read_stream() -> None:
        async for _ in either.stream("SELECT * FROM t", batch_size=2):
            await asyncio.sleep(0)

    async def transact() -> None:
        async with either.transaction() as tx:
            await tx.execute("INSERT INTO t(v) VALUES ('pair')")
            await tx.execute("INSERT INTO t(v) VALUES ('pair')")

    makers: list[Callable[[], Any]] = [
        lambda: either.execute("INSERT INTO t(v) VALUES ('single')"),
        lambda: either.fetch_value("INSERT INTO t(v) VALUES ('single') RETURNING id"),
        lambda: either.fetch_all("SELECT * FROM t"),
        lambda: either.fetch_all(endless),
        lambda: either.insert_many("t", ["v"], [("many",)] * 10),
        lambda: either.insert_many("t", ["v"], (("many",) for _ in range(10))),
        read_stream,
        transact,
    ]
    for point in range(30):
        tasks = [asyncio.ensure_future(make()) for make in makers]
        for _ in range(point):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(20):
        assert await either.fetch_value("SELECT count(*) % 2 FROM t WHERE v = 'pair'") == 0
        assert await either.fetch_value("SELECT count(*) % 10 FROM t WHERE v = 'many'") == 0
        assert await asyncio.gather(*(either.execute("INSERT INTO t(v) VALUES (1)") for _ in range(20))) == [1] * 20
        async with either.transaction() as tx:
            await tx.execute("DELETE FROM t")
    assert await either.health()


async def test_an_error_says_which_instance_it_is_of(either: SqliteAdapter) -> None:
    either.name = "orders"
    with pytest.raises(DeadlineExceeded) as caught:
        await either.fetch_all(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT * FROM n", timeout=0.02
        )
    assert caught.value.adapter == "orders"
    assert str(caught.value).startswith("orders: ")


async def test_raw_is_the_writer_s_own_connection(db: SqliteAdapter) -> None:
    await db.raw.execute("INSERT INTO t VALUES (1, 'raw')")
    assert await db.fetch_value("SELECT v FROM t WHERE id = 1") == "raw"
