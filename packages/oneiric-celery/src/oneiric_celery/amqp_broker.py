"""The broker on RabbitMQ, whose driver blocks: Celery's own sending, on a few threads and connections of our own."""

from __future__ import annotations

import asyncio
import select
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from amqp.exceptions import NotFound

from oneiric_celery.errors import CleanedUp
from oneiric_celery.message import options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from celery import Celery

    from oneiric_celery.engine import Sending
    from oneiric_celery.record import Record
    from oneiric_celery.settings import CelerySettings

T = TypeVar("T")

_THREADS = 4
_PATIENCE = 1.0
"""Seconds that workers get to answer."""


class AmqpBroker:
    """A broker whose queues are RabbitMQ's."""

    _is_closed = False

    def __init__(self, settings: CelerySettings, app: Celery) -> None:
        self._app = app
        self._patience = min(_PATIENCE, settings.timeout / 2)
        self._idle: list[Any] = []
        """Connections that no thread has. Celery's own pool is shared by all of the process."""
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="oneiric-celery")

    async def ping(self) -> None:
        """Raise unless it answers."""
        await self._in_thread(self._ping)

    async def push(self, tasks: Sequence[Sending]) -> None:
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

    async def workers(self) -> str:
        """Whether any worker answers, as a sentence. How many there are would take a second to know."""
        found = await self._in_thread(lambda: self._ask("ping", {}, 1))
        return "Workers answer." if found else "No worker answers."

    async def close(self) -> None:
        """Close all connections; a thread that waits for a silent broker closes its own, when it has waited long enough."""
        self._is_closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._close_idle)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        if self._is_closed:
            raise CleanedUp
        call = asyncio.get_running_loop().run_in_executor(self._executor, function)
        try:
            return await call
        except asyncio.CancelledError:
            if call.cancelled() and self._is_closed:
                raise CleanedUp from None
            raise

    def _ping(self) -> None:
        with self._connected() as connection:
            connection.default_channel.basic_qos(0, 1, False)  # which asks for an answer, and changes nothing

    def _send(self, tasks: Sequence[Sending]) -> None:
        with self._connected() as connection:
            producer = self._app.amqp.Producer(connection, auto_declare=False)
            for submission, task, embedded in tasks:
                options = {**options_of(submission, is_redis=False), **embedded}
                self._app.send_task(submission.name, task.args, dict(task.kwargs), producer=producer, **options)

    def _depth(self, queue: str) -> int:
        with self._connected() as connection, connection.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except NotFound:
                return 0

    def _ask(self, method: str, arguments: dict[str, Any], limit: int | None) -> dict[str, Any]:
        with self._connected() as connection:
            mailbox = self._app.control.mailbox(connection)
            mailbox._producer_pool = None  # noqa: SLF001 - the process's; without one it sends on this connection
            replies = mailbox.multi_call(method, arguments, timeout=self._patience, limit=limit)
        return {name: reply for each in replies or [] for name, reply in each.items()}

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A connection that the broker has not closed meanwhile; one that fails is not used again."""
        connection = self._idle.pop() if self._idle else self._app.connection_for_write()
        try:
            if connection.connected and _has_gone(connection):
                connection.close()
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=self._patience)
            yield connection
        except BaseException:
            with suppress(Exception):
                connection.collect(self._patience)
                connection.close()
            raise
        self._idle.append(connection)
        if self._is_closed:
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            with suppress(Exception):
                self._idle.pop().close()


def _has_gone(connection: Any) -> bool:
    """Whether the broker has something to say on an idle connection, which is good-bye."""
    readable, _, _ = select.select([connection.connection.sock], [], [], 0)
    return bool(readable)
