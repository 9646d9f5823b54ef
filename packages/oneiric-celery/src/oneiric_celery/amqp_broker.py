"""The broker on RabbitMQ, whose driver blocks: Celery's own sending, on a few threads and connections of our own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from amqp.exceptions import NotFound
from kombu.connection import ConnectionPool
from kombu.pools import ProducerPool

from oneiric_celery.message import options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from celery import Celery
    from oneiric.adapters.queue import Task
    from oneiric.adapters.queue.submission import Submission

    from oneiric_celery.record import Record
    from oneiric_celery.settings import CelerySettings

T = TypeVar("T")

_THREADS = 4
_PATIENCE = 1.0
"""Seconds that workers get to answer."""


class AmqpBroker:
    """A broker whose queues are RabbitMQ's."""

    def __init__(self, settings: CelerySettings, app: Celery) -> None:
        self._app = app
        self._patience = min(_PATIENCE, settings.timeout / 2)
        self._connections = ConnectionPool(app.connection_for_write(), limit=_THREADS + 1)
        self._producers = ProducerPool(self._connections, limit=_THREADS)
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="oneiric-celery")

    async def ping(self) -> None:
        """Raise unless it answers."""
        await self._in_thread(self._ping)

    async def push(self, tasks: Sequence[tuple[Submission, Task]]) -> None:
        """Send tasks, each confirmed by the broker."""
        await self._in_thread(lambda: self._send(tasks))

    async def depth(self, queue: str) -> int:
        """How many messages are ready in a queue; 0 where there is none of that name."""
        return await self._in_thread(lambda: self._depth(queue))

    async def take_out(self, record: Record) -> bool:  # noqa: ARG002 - the broker has no way to
        """No: RabbitMQ gives a message to a consumer, and to nobody else. Workers drop it when they get it."""
        return False

    async def ask(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What each worker that answers within a second says to a command."""
        return await self._in_thread(lambda: self._ask(method, arguments, None))

    async def workers(self) -> int:
        """How many workers answer within a second."""
        return len(await self._in_thread(lambda: self._ask("ping", {}, None)))

    async def close(self) -> None:
        """Close all connections; a thread that waits for a silent broker is left to its own deadline."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        with suppress(Exception):
            self._connections.force_close_all()

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def _ping(self) -> None:
        with self._producers.acquire(block=True) as producer:
            producer.connection.ensure_connection(max_retries=1, timeout=self._patience)
            channel = producer.connection.channel()
            channel.close()

    def _send(self, tasks: Sequence[tuple[Submission, Task]]) -> None:
        with self._producers.acquire(block=True) as producer:
            for submission, task in tasks:
                options = options_of(submission, is_redis=False)
                self._app.send_task(submission.name, task.args, dict(task.kwargs), producer=producer, **options)

    def _depth(self, queue: str) -> int:
        with self._connections.acquire(block=True) as connection, connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except NotFound:
                return 0

    def _ask(self, method: str, arguments: dict[str, Any], limit: int | None) -> dict[str, Any]:
        with self._connections.acquire(block=True) as connection:
            replies = self._app.control.broadcast(
                method, arguments=arguments, reply=True, timeout=self._patience, limit=limit, connection=connection
            )
        return {name: reply for each in replies or [] for name, reply in each.items()}
