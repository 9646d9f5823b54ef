"""Waiting for results: the broker says when there is one, and who waits looks now and then besides."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import Task
from oneiric.errors import DeadlineExceeded, NotInitialized, TaskCancelled, TaskFailed
from oneiric.testing.patience import PATIENCE, until
from oneiric_rq import adapter as module
from oneiric_rq import waiting as waiting_module
from oneiric_rq.conformance import RqWorker, kit
from rq.job import Job
from rq.results import Result

if TYPE_CHECKING:
    from oneiric.testing.valkey import ValkeyServer
    from oneiric_rq import RedisQueueAdapter
    from redis import Redis
    from rq import Queue


@pytest.fixture
def server(own_server: ValkeyServer) -> ValkeyServer:
    """One that nobody else waits on."""
    return own_server


def finish(queue: Queue, task_id: str, value: Any) -> None:
    """What a worker does at the end of a task."""
    job = Job.fetch(task_id, connection=queue.connection, serializer="json")
    job._result = value
    with queue.connection.pipeline() as pipeline:
        job._handle_success(500, pipeline)
        pipeline.execute()


async def test_a_result_is_told_of_and_not_found_by_looking(
    adapter: RedisQueueAdapter, plain: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the wait began before another one, or while the broker was being asked for others."""
    monkeypatch.setattr(module, "_LOOK_AGAIN", 1000.0)
    monkeypatch.setattr(waiting_module, "_BLOCK", 20.0)
    ids = [await adapter.submit_task("f") for _ in range(20)]
    waiting = []
    for task_id in ids:
        waiting.append(asyncio.create_task(adapter.wait_for_result(task_id, timeout=PATIENCE)))
        await asyncio.sleep(0.02)
    start = time.monotonic()
    for number in reversed(range(20)):  # the first one is what the broker was asked for all along
        finish(plain, ids[number], number)
        await waiting[number]
    assert await asyncio.gather(*waiting) == list(range(20))
    assert time.monotonic() - start < 10


async def test_hundreds_wait_on_one_connection(adapter: RedisQueueAdapter, plain: Queue, client: Redis) -> None:
    ids = await adapter.submit_many([Task(name="f")] * 300)
    waiting = [asyncio.create_task(adapter.wait_for_result(task_id, timeout=PATIENCE)) for task_id in ids]

    def readers() -> int:
        return sum(each["cmd"] == "xread" for each in client.client_list())

    await until(lambda: readers() == 1, "Somebody waits on the broker.")
    for task_id in ids:
        finish(plain, task_id, task_id)
    assert await asyncio.gather(*waiting) == ids
    assert readers() <= 1


async def test_nobody_reads_when_nobody_waits(adapter: RedisQueueAdapter, plain: Queue, client: Redis) -> None:
    task_id = await adapter.submit_task("f")
    with pytest.raises(DeadlineExceeded):
        await adapter.wait_for_result(task_id, timeout=0.3)
    await until(lambda: not any(each["cmd"] == "xread" for each in client.client_list()), "The connection is closed.")
    waiting = asyncio.create_task(adapter.wait_for_result(task_id, timeout=PATIENCE))
    await asyncio.sleep(0.05)
    finish(plain, task_id, "again")
    assert await waiting == "again"


async def test_a_task_that_is_cancelled_by_another_is_seen_within_seconds(
    adapter: RedisQueueAdapter, plain: Queue
) -> None:
    """RQ leaves no result of it, so nobody is told."""
    task_id = await adapter.submit_task("f")
    waiting = asyncio.create_task(adapter.wait_for_result(task_id, timeout=PATIENCE))
    await asyncio.sleep(0.05)
    Job.fetch(task_id, connection=plain.connection, serializer="json").cancel()
    with pytest.raises(TaskCancelled):
        await asyncio.wait_for(waiting, 5)


async def test_the_end_of_an_earlier_run_is_not_the_end(
    adapter: RedisQueueAdapter, plain: Queue, client: Redis
) -> None:
    """A task that asks to be run again leaves an entry, and goes on."""
    task_id = await adapter.submit_task("f")
    client.xadd(Result.get_key(task_id), {"type": Result.Type.RETRIED.value, "worker_name": "w"})
    waiting = asyncio.create_task(adapter.wait_for_result(task_id, timeout=PATIENCE))
    await asyncio.sleep(0.1)
    before = client.info("stats")["total_commands_processed"]
    await asyncio.sleep(0.5)
    assert client.info("stats")["total_commands_processed"] - before < 50, "The same entry is read again and again."
    assert not waiting.done()
    finish(plain, task_id, "the end")
    assert await waiting == "the end"


async def test_waits_go_on_when_the_connection_that_tells_of_results_is_cut(
    adapter: RedisQueueAdapter, plain: Queue, client: Redis
) -> None:
    task_id = await adapter.submit_task("f")
    waiting = asyncio.create_task(adapter.wait_for_result(task_id, timeout=PATIENCE))
    for _ in range(2):

        def reader() -> Any:
            return next((each for each in client.client_list() if each["cmd"] == "xread"), None)

        await until(lambda: reader() is not None, "Somebody waits on the broker.")
        client.client_kill_filter(_id=reader()["id"])
        await asyncio.sleep(0.05)
    finish(plain, task_id, 1)
    assert await waiting == 1


async def test_a_wait_ends_when_the_adapter_is_cleaned_up(adapter: RedisQueueAdapter) -> None:
    waiting = asyncio.create_task(adapter.wait_for_result(await adapter.submit_task("f"), timeout=PATIENCE))
    await asyncio.sleep(0.05)
    await adapter.cleanup()
    with pytest.raises(NotInitialized):
        await asyncio.wait_for(waiting, 5)
    await adapter.init()


async def test_results_of_a_real_worker_come_at_once(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str
) -> None:
    worker = RqWorker(server.url, name)
    try:
        await adapter.wait_for_result(await adapter.submit_task(kit("nothing")), timeout=PATIENCE)
        ids = await adapter.submit_many([Task(name=kit("add"), args=[n, n]) for n in range(20)])
        results = await asyncio.gather(*(adapter.wait_for_result(task_id, timeout=PATIENCE) for task_id in ids))
        assert results == [2 * n for n in range(20)]
        with pytest.raises(TaskFailed, match="luck"):
            await adapter.wait_for_result(await adapter.submit_task(kit("fail"), ["no such luck"]))
    finally:
        worker.stop()
