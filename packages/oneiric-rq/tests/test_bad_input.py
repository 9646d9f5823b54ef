"""What bad input gets: a typed error, or an honest state, and nothing half submitted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import Task, TaskState
from oneiric.errors import InvalidTask, TaskFailed, UnknownTask, Unsupported
from oneiric.testing.patience import until
from oneiric_rq import RedisQueueAdapter
from oneiric_rq.conformance import RqWorker, kit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.testing.valkey import ValkeyServer
    from redis import Redis
    from rq import Queue

RECURSIVE: list[Any] = []
RECURSIVE.append(RECURSIVE)
NO_JSON: dict[str, Any] = {
    "a set": {1},
    "bytes": b"hunter2",
    "an object": object(),
    "NaN": float("nan"),
    "a recursive list": RECURSIVE,
    "half a surrogate pair": "\ud800",
    "a date": datetime(2026, 1, 1, tzinfo=UTC),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "an illegal id": {"task_id": "a/b"},
    "an id with a colon": {"task_id": "a:b"},
    "an id that ends a line": {"task_id": "a\n"},
    "an expiry that is over": {"expires": datetime(2001, 1, 1, tzinfo=UTC)},
    "an expiry before the eta": {"delay": 10, "expires": 5},
    "a naive eta": {"eta": datetime(2100, 1, 1)},
    "two times": {"eta": datetime(2100, 1, 1, tzinfo=UTC), "delay": 1},
    "half a retry": {"max_retries": 0.5},
    "a queue with a blank": {"queue": "a b"},
}


@pytest.fixture
def worker(server: ValkeyServer, name: str) -> Iterator[None]:
    worker = RqWorker(server.url, name)
    yield
    worker.stop()


async def untouched(adapter: RedisQueueAdapter, client: Redis) -> bool:
    return await adapter.queue_depth() == 0 and not client.keys(f"*{adapter.settings.queue}*")


@pytest.mark.parametrize("which", NO_JSON)
async def test_an_argument_that_is_no_json_is_refused(adapter: RedisQueueAdapter, client: Redis, which: str) -> None:
    for args, kwargs in ([[NO_JSON[which]], {}], [[], {"x": [NO_JSON[which]]}]):
        with pytest.raises(InvalidTask) as caught:
            await adapter.submit_task("f", args, kwargs)
        assert "hunter2" not in str(caught.value)
        with pytest.raises(InvalidTask):
            await adapter.submit_many([Task(name="f"), Task(name="f", args=args, kwargs=kwargs)])
    assert await untouched(adapter, client)


@pytest.mark.parametrize("which", OPTIONS)
async def test_an_option_that_can_not_be_is_refused(adapter: RedisQueueAdapter, client: Redis, which: str) -> None:
    with pytest.raises(InvalidTask):
        await adapter.submit_task("f", **OPTIONS[which])
    assert await untouched(adapter, client)


async def test_a_priority_is_unsupported_as_rq_has_none(adapter: RedisQueueAdapter, client: Redis) -> None:
    with pytest.raises(Unsupported, match="priority"):
        await adapter.submit_task("f", priority=9)
    assert await untouched(adapter, client)


async def test_an_eta_in_the_past_is_now(adapter: RedisQueueAdapter) -> None:
    task_id = await adapter.submit_task("f", eta=datetime.now(UTC) - timedelta(days=1))
    assert (await adapter.get_task_status(task_id))["state"] is TaskState.QUEUED
    assert await adapter.queue_depth() == 1


@pytest.mark.usefixtures("worker")
async def test_ten_megabytes_arrive_and_come_back(adapter: RedisQueueAdapter) -> None:
    text = "0123456789" * 1_000_000
    assert (await adapter.wait_for_result(await adapter.submit_task(kit("echo"), [text])))["args"] == [text]


@pytest.mark.usefixtures("worker")
async def test_tasks_that_fail_strangely_have_failed_with_what_can_be_said(adapter: RedisQueueAdapter) -> None:
    wanted = {
        "no_such_task": ([], "UnlistedTask"),
        "fail_strangely": ([], "StrangeError: strange"),
        "fail_at_length": ([1_000_000], "ValueError: xxx"),
        "return_a_set": ([], "set, which JSON can't hold"),
        "add": (["too few"], "TypeError: add() missing 1 required positional argument"),
    }
    ids = {name: await adapter.submit_task(kit(name), args) for name, (args, _) in wanted.items()}
    ids["os.system"] = await adapter.submit_task("os.system", ["true"])
    wanted["os.system"] = ([], "This worker runs no task of the name 'os.system'")
    for name, task_id in ids.items():
        with pytest.raises(TaskFailed) as caught:
            await adapter.wait_for_result(task_id)
        assert wanted[name][1] in (caught.value.error or "")
        assert len(caught.value.error or "") < 11_000
        status = await adapter.get_task_status(task_id)
        assert (status["state"], status["error"]) == (TaskState.FAILED, caught.value.error)
    assert len((await adapter.get_task_status(ids["fail_at_length"]))["traceback"]) > 1_000_000


@pytest.mark.usefixtures("worker")
async def test_a_result_that_has_expired_is_unknown(server: ValkeyServer, name: str) -> None:
    async with RedisQueueAdapter({"url": server.url, "queue": name, "result_ttl": 1}) as adapter:
        task_id = await adapter.submit_task(kit("add"), [1, 2])
        assert await adapter.wait_for_result(task_id) == 3

        async def is_forgotten() -> bool:
            return (await adapter.get_task_status(task_id))["state"] is TaskState.UNKNOWN

        await until(is_forgotten, "A result is to be kept for a second, and is still there.")
        with pytest.raises(UnknownTask):
            await adapter.wait_for_result(task_id)


@pytest.mark.usefixtures("worker")
async def test_a_task_whose_result_alone_is_gone_has_succeeded_without_one(
    adapter: RedisQueueAdapter, client: Redis
) -> None:
    task_id = await adapter.submit_task(kit("add"), [1, 2])
    await adapter.wait_for_result(task_id)
    client.delete(f"rq:results:{task_id}")
    status = await adapter.get_task_status(task_id)
    assert status["state"] is TaskState.SUCCEEDED
    assert "result" not in status
    with pytest.raises(UnknownTask, match="expired"):
        await adapter.wait_for_result(task_id)


async def test_a_failure_of_which_nothing_is_known_any_more_is_one_all_the_same(
    adapter: RedisQueueAdapter, client: Redis
) -> None:
    task_id = await adapter.submit_task("f")
    client.hset(f"rq:job:{task_id}", "status", "failed")
    assert (await adapter.get_task_status(task_id))["state"] is TaskState.FAILED
    with pytest.raises(TaskFailed, match="not known any more"):
        await adapter.wait_for_result(task_id)


async def test_what_stands_in_the_hash_of_a_job_breaks_no_status(
    adapter: RedisQueueAdapter, client: Redis, plain: Queue
) -> None:
    """A worker's last sign of life alone, a word that RQ doesn't know, times and numbers that are none."""
    client.hset("rq:job:ghost", "last_heartbeat", "2026-01-01T00:00:00.000000Z")
    assert await adapter.get_task_status("ghost") == {"task_id": "ghost", "state": TaskState.UNKNOWN}
    client.hset("rq:job:ghost", "status", "queued")
    assert (await adapter.get_task_status("ghost"))["state"] is TaskState.UNKNOWN
    assert await adapter.submit_task("f", task_id="ghost") == "ghost"
    assert (await adapter.get_task_status("ghost"))["state"] is TaskState.QUEUED
    job = plain.enqueue("f")
    wrong = {"status": "nonsense", "started_at": "\xff", "retries_left": "-x", "oneiric_max_retries": "", "meta": "["}
    client.hset(f"rq:job:{job.id}", mapping=wrong)
    status = await adapter.get_task_status(job.id)
    assert status["state"] is TaskState.UNKNOWN
    client.hset(f"rq:job:{job.id}", mapping={"status": "failed", "ended_at": "soon"})
    client.xadd(f"rq:results:{job.id}", {"type": "2", "exc_string": "%%%"})
    status = await adapter.get_task_status(job.id)
    assert status["state"] is TaskState.FAILED
    assert "can't be read" in status["error"]


@pytest.mark.usefixtures("worker")
async def test_a_deep_result_ends_as_a_failure_and_the_worker_lives(adapter: RedisQueueAdapter) -> None:
    deep: Any = []
    for _ in range(90):
        deep = [deep]
    assert await adapter.wait_for_result(await adapter.submit_task(kit("echo"), [deep])) is not None
    assert await asyncio.wait_for(adapter.wait_for_result(await adapter.submit_task(kit("add"), [1, 2])), 30) == 3
