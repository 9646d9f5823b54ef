"""Plain RQ on the other side: code without Oneiric, and workers as `rq worker -S json` starts them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import CancelOutcome, TaskState
from oneiric.errors import QueueError, TaskFailed
from oneiric.testing.patience import PATIENCE, until
from oneiric_rq import adapter as module
from oneiric_rq.conformance import kit
from rq import Queue, Repeat, Retry, get_current_job
from rq.job import Dependency, Job, JobStatus
from rq.rate_limit import RateLimit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oneiric.testing.valkey import ValkeyServer
    from oneiric_rq import RedisQueueAdapter
    from redis import Redis


@contextmanager
def rq_worker(server: ValkeyServer, queue: str, *options: str) -> Iterator[None]:
    """An unmodified worker, until its queue is empty and the block has ended."""
    command = [sys.executable, "-m", "rq.cli", "worker", queue, "--url", server.url, "--quiet", *options]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def test_an_unmodified_worker_runs_what_the_adapter_submits(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str
) -> None:
    with rq_worker(server, name, "-S", "json", "--with-scheduler"):
        added = await adapter.submit_task(kit("add"), [1, 2])
        echoed = await adapter.submit_task(kit("echo"), ["ä"], {"job_id": 1, "timeout": 2})
        failed = await adapter.submit_task(kit("fail"), ["no such luck"])
        later = await adapter.submit_task(kit("add"), [3, 4], delay=0.5)
        assert await adapter.wait_for_result(added) == 3
        assert await adapter.wait_for_result(echoed) == {"args": ["ä"], "kwargs": {"job_id": 1, "timeout": 2}}
        with pytest.raises(TaskFailed, match="no such luck") as caught:
            await adapter.wait_for_result(failed)
        assert caught.value.error == "ValueError: no such luck"
        assert "in fail" in (caught.value.traceback or "")
        assert await adapter.wait_for_result(later) == 7
        (worker,) = await adapter.list_workers()
        assert worker["queues"] == [name]


async def test_what_an_unmodified_worker_could_not_write_down_has_failed(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str
) -> None:
    """RQ itself says that such a task has succeeded, with other words as its result."""
    with rq_worker(server, name, "-S", "json"):
        a_set = await adapter.submit_task(kit("return_a_set"))
        with pytest.raises(TaskFailed, match="JSON can't hold"):
            await adapter.wait_for_result(a_set)
    assert (await adapter.get_task_status(a_set))["state"] is TaskState.FAILED


async def test_jobs_of_plain_rq_are_seen_and_cancelled(adapter: RedisQueueAdapter, plain: Queue) -> None:
    queued, other = plain.enqueue(kit("add"), 1, 2), plain.enqueue(kit("nothing"))
    assert await adapter.queue_depth() == 2
    status = await adapter.get_task_status(queued.id)
    assert status["state"] is TaskState.QUEUED
    assert status["submitted_at"].endswith("+00:00")
    assert await adapter.cancel_task(queued.id) is CancelOutcome.PREVENTED
    assert Job.fetch(queued.id, connection=plain.connection, serializer="json").is_canceled
    assert queued.id in plain.canceled_job_registry.get_job_ids()
    assert plain.job_ids == [other.id]


async def test_jobs_of_the_adapter_are_seen_and_cancelled_by_plain_rq(adapter: RedisQueueAdapter, plain: Queue) -> None:
    task_id = await adapter.submit_task(kit("add"), [1, 2], {"a": 3}, max_retries=2)
    job = plain.fetch_job(task_id)
    assert job is not None
    assert (job.func_name, job.args, job.kwargs, job.retries_left) == (kit("add"), [1, 2], {"a": 3}, 2)
    assert plain.name in [queue.name for queue in Queue.all(plain.connection)]
    job.cancel()
    assert (await adapter.get_task_status(task_id))["state"] is TaskState.CANCELLED
    assert await adapter.queue_depth() == 0


async def test_every_state_of_rqs_is_one_of_the_contracts(adapter: RedisQueueAdapter, plain: Queue) -> None:
    first = plain.enqueue(kit("nothing"))
    made = {
        "queued": (first.id, TaskState.QUEUED),
        "deferred": (plain.enqueue(kit("nothing"), depends_on=first).id, TaskState.SCHEDULED),
        "rate_limited": (_rate_limited(plain), TaskState.SCHEDULED),
        "created": (_created(plain), TaskState.SCHEDULED),
    }
    for state in JobStatus:
        if state.value not in made:
            job = plain.enqueue(kit("nothing"))
            job.set_status(state)
            made[state.value] = (job.id, _EXPECTED[state])
    for word, (task_id, expected) in made.items():
        stored = Job.fetch(task_id, connection=plain.connection, serializer="json").get_status()
        assert stored.value == word
        assert (await adapter.get_task_status(task_id))["state"] is expected, word


_EXPECTED = {
    JobStatus.FINISHED: TaskState.SUCCEEDED,
    JobStatus.FAILED: TaskState.FAILED,
    JobStatus.STARTED: TaskState.RUNNING,
    JobStatus.SCHEDULED: TaskState.SCHEDULED,
    JobStatus.STOPPED: TaskState.CANCELLED,
    JobStatus.CANCELED: TaskState.CANCELLED,
    JobStatus.READY_TO_ENQUEUE: TaskState.QUEUED,
}


@pytest.mark.parametrize("kind", ["deferred", "rate_limited", "created"])
async def test_what_does_not_wait_in_the_queue_yet_is_prevented_too(
    adapter: RedisQueueAdapter, plain: Queue, kind: str
) -> None:
    first = plain.enqueue(kit("nothing"))
    makers = {
        "deferred": lambda: plain.enqueue(kit("nothing"), depends_on=first).id,
        "rate_limited": lambda: _rate_limited(plain),
        "created": lambda: _created(plain),
    }
    task_id = makers[kind]()
    for _ in range(2):
        assert await adapter.cancel_task(task_id) is CancelOutcome.PREVENTED
    assert (await adapter.get_task_status(task_id))["state"] is TaskState.CANCELLED
    assert task_id not in plain.deferred_job_registry.get_job_ids()


async def test_a_task_that_a_scheduler_is_just_putting_into_its_queue_is_prevented_all_the_same(
    adapter: RedisQueueAdapter, client: Redis, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the task before the cancel, and writes after it: the cancel looks again where the time has come."""
    monkeypatch.setattr(module, "_MOMENT", 1.0)
    task_id = await adapter.submit_task(kit("nothing"), delay=3600)
    client.zadd(f"rq:scheduled:{name}", {task_id: 1})
    cancelling = asyncio.create_task(adapter.cancel_task(task_id))
    await until(lambda: client.hget(f"rq:job:{task_id}", "status") == b"canceled", "The first look cancels it.")
    client.hset(f"rq:job:{task_id}", "status", "queued")
    client.rpush(f"rq:queue:{name}", task_id)
    assert await cancelling is CancelOutcome.PREVENTED
    assert await adapter.queue_depth() == 0


def _rate_limited(queue: Queue) -> str:
    """A job that waits as another has the only slot."""
    limit = RateLimit(key=queue.name, concurrency=1)
    queue.enqueue(kit("nothing"), rate_limit=limit)
    return queue.enqueue(kit("nothing"), rate_limit=limit).id


def _created(queue: Queue) -> str:
    """A job that was saved and never enqueued."""
    job = Job.create(kit("nothing"), connection=queue.connection, serializer="json", origin=queue.name)
    job.save()
    return job.id


async def test_a_job_that_waits_to_be_run_again_is_retrying(
    adapter: RedisQueueAdapter, server: ValkeyServer, plain: Queue, name: str, tmp_path: Any
) -> None:
    job = plain.enqueue(kit("flaky"), str(tmp_path / "calls"), 1, retry=Retry(1, interval=3600))
    with rq_worker(server, name, "-S", "json", "--burst"):

        async def is_retrying() -> bool:
            return (await adapter.get_task_status(job.id))["state"] is TaskState.RETRYING

        await until(is_retrying, "A job of plain RQ that is to be retried isn't `retrying`.")
    assert await adapter.cancel_task(job.id) is CancelOutcome.PREVENTED


async def test_a_job_that_repeats_is_scheduled_and_not_retrying(
    adapter: RedisQueueAdapter, server: ValkeyServer, plain: Queue, name: str
) -> None:
    job = plain.enqueue(kit("add"), 1, 2, repeat=Repeat(times=1, interval=3600))
    with rq_worker(server, name, "-S", "json", "--burst"):

        async def is_scheduled() -> bool:
            return (await adapter.get_task_status(job.id))["state"] is TaskState.SCHEDULED

        await until(is_scheduled, "A job that is to be repeated isn't `scheduled`.")


async def test_a_worker_with_another_serializer_fails_our_tasks_and_says_so(
    adapter: RedisQueueAdapter, server: ValkeyServer, name: str
) -> None:
    task_id = await adapter.submit_task(kit("add"), [1, 2])
    with rq_worker(server, name), pytest.raises(TaskFailed) as caught:
        await adapter.wait_for_result(task_id)
    assert "DeserializationError" in (caught.value.error or "")


async def test_a_result_of_another_serializer_is_never_unpickled(
    adapter: RedisQueueAdapter, server: ValkeyServer, client: Redis, name: str
) -> None:
    """The task has succeeded, and what it returned can't be told."""
    pickled = Queue(name, connection=client).enqueue(kit("add"), 1, 2)
    with rq_worker(server, name):

        async def has_ended() -> bool:
            return (await adapter.get_task_status(pickled.id))["state"] is TaskState.SUCCEEDED

        await until(has_ended, "A worker with pickle serves the queue.")
    status = await adapter.get_task_status(pickled.id)
    assert "result" not in status
    assert "another serializer" in status["error"]
    with pytest.raises(QueueError, match="another serializer"):
        await adapter.wait_for_result(pickled.id)


async def test_progress_that_another_serializer_has_written_is_left_out(
    adapter: RedisQueueAdapter, client: Redis, name: str
) -> None:
    job = Queue(name, connection=client).enqueue(kit("add"), 1, 2, meta={"progress": 1})
    assert "progress" not in await adapter.get_task_status(job.id)
    assert get_current_job() is None


async def test_dependents_of_plain_rq_follow_a_task_of_the_adapter(
    adapter: RedisQueueAdapter, server: ValkeyServer, plain: Queue, name: str
) -> None:
    first = await adapter.submit_task(kit("add"), [1, 2])
    second = plain.enqueue(kit("add"), 3, 4, depends_on=Dependency([first]))
    assert (await adapter.get_task_status(second.id))["state"] is TaskState.SCHEDULED
    with rq_worker(server, name, "-S", "json"):
        assert await adapter.wait_for_result(second.id) == 7
