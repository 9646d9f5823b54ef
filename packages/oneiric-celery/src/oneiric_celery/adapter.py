"""The adapter."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from oneiric.adapters.base import Health
from oneiric.adapters.cancellation import undisturbed
from oneiric.adapters.event_loops import LoopLock
from oneiric.adapters.queue import (
    FINAL,
    CancelOutcome,
    QueueAdapter,
    Task,
    TaskState,
    TaskStatus,
    WorkerInfo,
)
from oneiric.errors import InvalidTask, UnknownTask

from oneiric_celery import canvas
from oneiric_celery.cancelling import Cancelling
from oneiric_celery.engine import Engine
from oneiric_celery.errors import deadline
from oneiric_celery.gentleness import gently
from oneiric_celery.settings import CelerySettings
from oneiric_celery.submissions import submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from celery import Celery

    from oneiric_celery.engine import Sending

_HEALTH_WITHIN = 5.0
"""Seconds that a health check takes at most."""
_LOOK = 1.0
"""Seconds after which `wait_for_result` looks at the record though there was no word of it."""


class CeleryQueueAdapter(QueueAdapter):
    """Tasks for Celery workers: submitted as Celery does it, and followed to their end."""

    settings_class: ClassVar[type[CelerySettings]] = CelerySettings
    settings: CelerySettings

    _engine: Engine | None = None

    async def init(self) -> None:
        """Connect to the broker and the result backend; an embedded one is started where nobody has."""
        async with self._opening.here():
            if self._engine is None:
                async with deadline(self.settings.timeout, self.name, "Connecting"):
                    self._engine = await Engine.open(self.settings)

    async def health(self) -> Health:
        """Whether the broker and the result backend answer. How many workers there are is said, and is no illness."""
        engine = self._engine
        if engine is None:
            return Health(False, "Not initialised.")
        start = time.perf_counter()
        ok, detail = await engine.examine(min(_HEALTH_WITHIN, self.settings.timeout))
        return Health(ok, detail, round((time.perf_counter() - start) * 1000, 3))

    async def cleanup(self) -> None:
        """Close all connections; calls under way end with an error."""
        async with self._opening.here():
            engine, self._engine = self._engine, None
            if engine is not None:
                await undisturbed(engine.close())

    async def submit_task(
        self,
        task_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        delay: timedelta | float | None = None,
        eta: datetime | None = None,
        expires: timedelta | float | datetime | None = None,
        priority: int | None = None,
        max_retries: int | None = None,
        timeout: float | None = None,
    ) -> str:
        """Submit a task; returns its id once the broker has it."""
        task = Task(
            name=task_name,
            args=args,
            kwargs={} if kwargs is None else kwargs,
            queue=queue,
            task_id=task_id,
            delay=delay,
            eta=eta,
            expires=expires,
            priority=priority,
            max_retries=max_retries,
        )
        return (await self.submit_many([task], timeout=timeout))[0]

    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        """Submit tasks, in one round trip to Redis; returns their ids in order. All are checked before any is sent."""
        engine = self._ready()
        checked = await self._checked(tasks)
        if checked:
            async with self._deadline(timeout, "Submitting") as seconds:
                await engine.submit(checked, seconds)
        return _ids(checked)

    async def submit_chain(
        self, tasks: Iterable[Task], *, passing: bool = True, timeout: float | None = None
    ) -> list[str]:
        """Submit tasks that run one after the other; returns their ids in order.

        Each gets what the one before returned as its first argument, but where `passing` is False. Where one fails, those
        after it have failed too. Beyond the contract, as are groups and chords.
        """
        engine = self._ready()
        checked = await self._checked(tasks)
        if checked:
            async with self._deadline(timeout, "Submitting") as seconds:
                await engine.note([each for each, *_ in checked[1:]])
                await engine.submit(
                    [canvas.chain(engine.app, checked, is_redis=self.settings.broker.is_redis, passing=passing)],
                    seconds,
                )
        return _ids(checked)

    async def submit_group(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        """Submit tasks that belong together, as Celery's own tools show them; returns their ids in order."""
        engine = self._ready()
        _, members = canvas.group(await self._checked(tasks))
        if members:
            async with self._deadline(timeout, "Submitting") as seconds:
                await engine.submit(members, seconds)
        return _ids(members)

    async def submit_chord(
        self, tasks: Iterable[Task], callback: Task, *, timeout: float | None = None
    ) -> tuple[list[str], str]:
        """Submit tasks, and one that runs when all have succeeded, with a list of what they returned as its first argument.

        Returns the ids of the tasks, and that of the callback, which has failed where one of them does.
        """
        engine = self._ready()
        checked, (last,) = await self._checked(tasks), await self._checked([callback])
        if not checked:
            raise InvalidTask("A chord has at least one task; nothing was submitted.", adapter=self.name)
        group_id, members = canvas.chord(engine.app, checked, last, is_redis=self.settings.broker.is_redis)
        async with self._deadline(timeout, "Submitting") as seconds:
            await engine.results.size_chord(group_id, len(members))
            await engine.note([last[0]])
            await engine.submit(members, seconds)
        return _ids(members), last[0].task_id

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:
        """What is known of a task now: one read of its record."""
        engine = self._ready()
        async with self._deadline(timeout, "Asking for a task's state"):
            record = await engine.results.read(task_id)
            return TaskStatus(task_id=task_id, state=TaskState.UNKNOWN) if record is None else record.status

    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        """What a task returns, when it has: its worker's word is waited for, and the record looked at now and then."""
        engine = self._ready()
        seconds = self.settings.wait_timeout if timeout is None else timeout
        async with deadline(seconds, self.name, "Waiting for a task"):
            with engine.results.notices.of(task_id) as word:
                while (record := await engine.results.read(task_id)) is not None and record.state not in FINAL:
                    await _any_word(word)
        if record is None:
            raise UnknownTask("There is no such task, or its record has expired.", adapter=self.name)
        return record.result(self.name)

    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:
        """Keep a task from starting; with `stop`, end it where it runs."""
        engine = self._ready()
        async with self._deadline(timeout, "Cancelling a task"):
            return await Cancelling(
                engine.broker, engine.results, task_id, stop=stop, plain_workers=self.settings.plain_workers
            ).run()

    async def queue_depth(self, queue: str | None = None, *, timeout: float | None = None) -> int:
        """How many tasks wait in a queue; those that wait for their time with a worker, or parked, are not counted."""
        engine = self._ready()
        async with self._deadline(timeout, "Asking for a queue's depth"):
            return await engine.broker.depth(self.settings.queue if queue is None else queue)

    async def list_workers(self, *, timeout: float | None = None) -> list[WorkerInfo]:
        """The workers that answer within a second."""
        engine = self._ready()
        async with self._deadline(timeout, "Asking the workers"):
            queues, running = await asyncio.gather(
                engine.broker.ask("active_queues", {}), engine.broker.ask("active", {})
            )
        return [_worker(name, queues.get(name), running.get(name)) for name in sorted({*queues, *running})]

    @property
    def raw(self) -> Celery:
        """The Celery application that makes the messages, for what the contract doesn't cover. Its calls block."""
        return self._ready().app

    async def _checked(self, tasks: Iterable[Task]) -> list[Sending]:
        return [(submission(task, self.settings, self.name), task, {}) async for task in gently(tasks)]

    def _ready(self) -> Engine:
        if self._engine is None:
            raise self.not_initialized()
        return self._engine

    def _deadline(self, timeout: float | None, what: str) -> Any:
        return deadline(self.settings.timeout if timeout is None else timeout, self.name, what)

    @cached_property
    def _opening(self) -> LoopLock:
        return LoopLock()


async def _any_word(word: asyncio.Event) -> None:
    """Wait until there is word, for a while."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK):
            await word.wait()
    word.clear()


def _ids(tasks: Sequence[Sending]) -> list[str]:
    return [submission.task_id for submission, *_ in tasks]


def _worker(name: str, queues: Any, running: Any) -> WorkerInfo:
    """A worker as the contract has it, of what it says itself; what it doesn't say is left out."""
    info = WorkerInfo(name=name)
    if isinstance(queues, list):
        info["queues"] = [str(each["name"]) for each in queues if isinstance(each, dict) and "name" in each]
    if isinstance(running, list):
        info["running"] = [str(each["id"]) for each in running if isinstance(each, dict) and "id" in each]
    return info
