"""The broker on Redis or Valkey: lists that workers pop from, spoken to in the event loop without Celery's own transport."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from oneiric_celery import scripts
from oneiric_celery.courier import Courier
from oneiric_celery.gentleness import gently
from oneiric_celery.mailbox import Mailbox
from oneiric_celery.message import lists_of, message
from oneiric_celery.record import key_of, queued

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery import Celery
    from oneiric.adapters.queue import Task
    from oneiric.adapters.queue.submission import Submission
    from redis.asyncio import Redis

    from oneiric_celery.engine import Sending
    from oneiric_celery.record import Record
    from oneiric_celery.settings import CelerySettings

    _Parcel = tuple[tuple[str, str], tuple[str | float, ...]]
    """The keys of a task, and what the script of submits is told of it."""

_PART = 1000
"""How many messages of a list are looked at in one step of the server."""
_NEAR = 0.5
"""The part of `visibility_timeout` for which a worker may hold a task; what is to start later is parked until then."""


class RedisBroker:
    """A broker whose queues are lists."""

    def __init__(self, settings: CelerySettings, app: Celery, redis: Redis, database: int) -> None:
        self._settings = settings
        self._app = app
        self._redis = redis
        self.mailbox = Mailbox(redis, database)
        self._courier = Courier(self._submit)

    async def ping(self) -> None:
        """Raise unless it answers."""
        await self._redis.ping()

    async def submit(self, tasks: Sequence[Sending], give_up: float) -> None:
        """Push tasks and write their records, in one step, but for those whose ids have a record already."""
        await self._courier.send([self._parcel(*each) async for each in gently(tasks)], give_up)

    def _parcel(self, submission: Submission, task: Task, embedded: dict[str, Any]) -> _Parcel:
        made = message(self._app, submission, task, self._settings.priority_steps, embedded)
        due = self._due(submission)
        record = queued(submission, list_name=made.key, is_parked=due is not None)
        lifetime = self._lifetime(submission)
        return (key_of(submission.task_id), made.key), (
            submission.task_id,
            record,
            lifetime,
            made.text,
            "" if due is None else due,
        )

    async def _submit(self, parcels: Sequence[_Parcel]) -> None:
        keys = [scripts.SCHEDULE, scripts.PARKED, *(key for keys, _ in parcels for key in keys)]
        await self._redis.eval(scripts.SUBMIT, len(keys), *keys, *(each for _, rest in parcels for each in rest))

    async def push(self, tasks: Sequence[Sending]) -> None:
        """Push tasks, and nothing else: their records are on another server."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for submission, task, embedded in tasks:
                made = message(self._app, submission, task, self._settings.priority_steps, embedded)
                pipe.lpush(made.key, made.text)
            await pipe.execute()

    async def depth(self, queue: str) -> int:
        """How many messages there are in the lists of a queue. What is no list is no queue."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for each in lists_of(queue, self._settings.priority_steps):
                pipe.llen(each)
            found = await pipe.execute(raise_on_error=False)
        for each in found:
            if isinstance(each, Exception) and not isinstance(each, ResponseError):
                raise each
        return sum(each for each in found if isinstance(each, int))

    async def take_out(self, record: Record) -> bool:
        """Remove a task that waits in its list, or is parked; whether it was there."""
        if record.ours.get("parked"):
            removed = await self._redis.eval(scripts.UNPARK, 2, scripts.SCHEDULE, scripts.PARKED, record.task_id)
            if removed:
                return True
        name = record.ours.get("list")
        return isinstance(name, str) and await self._take_out(name, f'"correlation_id": "{record.task_id}"')

    async def _take_out(self, name: str, text: str) -> bool:
        """Look through a list from its head, in parts: what moves meanwhile moves towards its tail, where workers pop."""
        start = -int(await self._redis.llen(name))
        while start < 0:
            stop = min(start + _PART, 0) - 1
            if await self._redis.eval(scripts.TAKE_OUT, 1, name, text, start, stop):
                return True
            start += _PART
        return False

    async def close(self) -> None:
        """Close all connections."""
        await self._courier.close()
        await self.mailbox.close()
        await self._redis.aclose()

    def _due(self, submission: Submission) -> float | None:
        """Until when a task is parked, in seconds since 1970; None where a worker may hold it."""
        if submission.starts_at is None or self._settings.plain_workers:
            return None
        due = submission.starts_at.timestamp() - self._settings.visibility_timeout * _NEAR
        return due if due > time.time() else None

    def _lifetime(self, submission: Submission) -> int:
        """For how many milliseconds the record of a task is kept that nothing is heard of."""
        waits = 0.0 if submission.starts_at is None else max(0.0, submission.starts_at.timestamp() - time.time())
        return int((waits + self._settings.result_expires) * 1000)

    async def ask(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What each worker that answers says to a command."""
        return await self.mailbox.ask(method, arguments)

    async def workers(self) -> str:
        """How many workers are connected, as a sentence."""
        number = await self.mailbox.listeners()
        return f"{number or 'No'} worker{'s' * (number != 1)} connected."
