"""oneiric-rq against RQ's own client, redis-py and TaskIQ, all on one Valkey in memory, without a worker."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue import Task
from oneiric.embedded import join
from oneiric.embedded.valkey import ValkeyEngine
from oneiric_rq import RedisQueueAdapter
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq import Queue
from rq.job import Job
from taskiq_redis import ListQueueBroker

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

CALLS = 500
BATCHES = 8
BATCH = 100
TASKS = 16
NAME = "app.tasks.send"
ARGS = [1, "two", [3.0, None]]
KWARGS = {"to": "someone@example.com", "urgent": True}


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Start a broker that nobody else uses, and say what is compared."""
    async with AsyncExitStack() as stack:
        member = await join(f"embedded://bench-{os.getpid()}", ValkeyEngine("oneiric-rq"))
        stack.push_async_callback(member.leave)
        ours = await stack.enter_async_context(RedisQueueAdapter({"url": member.url}))
        client = stack.enter_context(Redis.from_url(member.url))
        raw = await stack.enter_async_context(AsyncRedis.from_url(member.url))
        taskiq = ListQueueBroker(member.url)
        await taskiq.startup()
        stack.push_async_callback(taskiq.shutdown)
        yield _pairs(Ours(ours), Plain(client), raw, TaskIq(taskiq))


def _pairs(ours: Ours, plain: Plain, raw: AsyncRedis, taskiq: TaskIq) -> list[Pair]:
    task_id = plain.enqueue().id
    key = Job.key_for(task_id)
    return [
        Pair(what="submit_task vs RQ's enqueue", ours=_often(ours.submit), theirs=plain.enqueue_often, at_least=0.95),
        Pair(
            what="submit_task with an id vs RQ's enqueue(unique=True)",
            ours=_often(ours.submit_once),
            theirs=plain.enqueue_unique_often,
            at_least=0.95,
        ),
        Pair(what="submit_many(100) vs RQ's enqueue_many(100)", ours=ours.batches, theirs=plain.batches, at_least=0.85),
        Pair(
            what="get_task_status vs RQ's Job.fetch",
            ours=_often(lambda: ours.adapter.get_task_status(task_id)),
            theirs=lambda: plain.fetch_often(task_id),
            at_least=0.8,
        ),
        Pair(
            what="get_task_status vs redis-py's asyncio hgetall",
            ours=_often(lambda: ours.adapter.get_task_status(task_id)),
            theirs=_often(lambda: raw.hgetall(key)),
            at_least=0.8,
        ),
        Pair(
            what="get_task_status vs redis-py's blocking hgetall",
            ours=_often(lambda: ours.adapter.get_task_status(task_id)),
            theirs=lambda: plain.read_often(key),
            at_least=0.8,
        ),
        Pair(what="submit_task vs TaskIQ's kiq", ours=_often(ours.submit), theirs=_often(taskiq.submit), at_least=1.0),
        Pair(
            what="submit_task, 16 tasks, vs TaskIQ's kiq",
            ours=_often(ours.submit, TASKS),
            theirs=_often(taskiq.submit, TASKS),
            at_least=1.0,
        ),
    ]


class Ours:
    """The adapter."""

    def __init__(self, adapter: RedisQueueAdapter) -> None:
        self.adapter = adapter
        self._number = 0

    async def submit(self) -> None:
        await self.adapter.submit_task(NAME, ARGS, KWARGS)

    async def submit_once(self) -> None:
        self._number += 1
        await self.adapter.submit_task(NAME, ARGS, KWARGS, task_id=f"ours-{self._number}")

    async def batches(self) -> None:
        for _ in range(BATCHES):
            await self.adapter.submit_many([Task(name=NAME, args=ARGS, kwargs=KWARGS) for _ in range(BATCH)])


class Plain:
    """RQ as its documentation uses it, with the JSON serializer."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._queue = Queue(connection=client, serializer="json")
        self._number = 0

    def enqueue(self, **options: Any) -> Job:
        return self._queue.enqueue_call(NAME, ARGS, KWARGS, **options)

    def enqueue_often(self) -> None:
        for _ in range(CALLS):
            self.enqueue()

    def enqueue_unique_often(self) -> None:
        for _ in range(CALLS):
            self._number += 1
            self.enqueue(job_id=f"theirs-{self._number}", unique=True)

    def batches(self) -> None:
        for _ in range(BATCHES):
            self._queue.enqueue_many([Queue.prepare_data(NAME, ARGS, KWARGS) for _ in range(BATCH)])

    def fetch_often(self, task_id: str) -> None:
        for _ in range(CALLS):
            Job.fetch(task_id, connection=self._client, serializer="json")

    def read_often(self, key: str) -> None:
        for _ in range(CALLS):
            self._client.hgetall(key)


class TaskIq:
    """TaskIQ's broker on Redis lists."""

    def __init__(self, broker: ListQueueBroker) -> None:
        @broker.task(task_name=NAME)
        async def send(*args: Any, **kwargs: Any) -> None: ...

        self._task = send

    async def submit(self) -> None:
        await self._task.kiq(*ARGS, **KWARGS)


def _often(call: Callable[[], Awaitable[Any]], tasks: int = 1) -> Callable[[], Awaitable[None]]:
    """The call, made many times from that many tasks."""

    async def one() -> None:
        for _ in range(CALLS // tasks):
            await call()

    async def often() -> None:
        await asyncio.gather(*(one() for _ in range(tasks)))

    return often
