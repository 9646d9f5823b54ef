"""The adapter."""

from __future__ import annotations

import asyncio
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from oneiric.adapters.base import Health
from oneiric.adapters.event_loops import LoopLock, refuse_while_running
from oneiric.adapters.queue import CancelOutcome, QueueAdapter, Task, TaskState, TaskStatus
from oneiric.adapters.queue.submission import check_queue, checked
from oneiric.errors import (
    DeadlineExceeded,
    InvalidTask,
    NotInitialized,
    QueueError,
    TaskCancelled,
    TaskFailed,
    UnknownTask,
)

from oneiric_rq import dependencies, encoding, health, keys, outcome, schedule, workers
from oneiric_rq.connection import turn
from oneiric_rq.engine import Engine
from oneiric_rq.errors import translated
from oneiric_rq.plugin import CAPABILITIES
from oneiric_rq.pool import unless_refused
from oneiric_rq.record import ASKED, Record
from oneiric_rq.scripts import CANCEL, SUBMIT
from oneiric_rq.settings import RedisQueueSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from oneiric.adapters.queue import WorkerInfo
    from oneiric.adapters.queue.submission import Submission
    from redis.asyncio import Redis

    from oneiric_rq.connection import Command

_HEALTH_WITHIN = 5.0
_LOOK_AGAIN = 1.0
"""Seconds after which a task that is waited for is looked at, also where the broker has said nothing."""
_STARTS_WITHIN = 2.0
"""Seconds for which a worker may have taken a task without saying yet that it runs it."""
_MOMENT = 0.1
T = TypeVar("T")


class RedisQueueAdapter(QueueAdapter):
    """Task queues of RQ: what it submits any RQ worker with the JSON serializer runs, and what plain RQ submits it sees."""

    settings_class: ClassVar[type[RedisQueueSettings]] = RedisQueueSettings
    settings: RedisQueueSettings

    _engine: Engine | None = None

    async def init(self) -> None:
        """Connect to the broker."""
        async with self._opening.here():
            if self._engine is not None and self._engine.loop is not asyncio.get_running_loop():
                await self._leave_other_loop()
            if self._engine is None:
                self._engine = await self._bounded(lambda: Engine.open(self.settings), self.settings.timeout)

    async def health(self) -> Health:
        """Whether the broker answers; `detail` says whether workers do, without which tasks wait."""
        engine = self._engine
        if engine is None:
            return Health(False, "Not initialised.")
        start = time.perf_counter()
        try:
            async with asyncio.timeout(min(_HEALTH_WITHIN, self.settings.timeout)):
                detail = await health.of(engine.pool)
        except Exception as error:  # noqa: BLE001 - a health check never raises
            return Health(False, str(translated(error, None)))
        return Health(True, detail, round((time.perf_counter() - start) * 1000, 3))

    async def cleanup(self) -> None:
        """Close all connections; calls that are under way fail."""
        async with self._opening.here():  # an init() that is under way would open what nobody closes
            engine, self._engine = self._engine, None
            if engine is not None:
                await engine.close()

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
        """Submit a task, in one round trip.

        A task for later is put into its queue by a worker that runs with a scheduler: `oneiric-rq worker`, or
        `rq worker --with-scheduler`.
        """
        engine = self._ready()
        task = self._checked(
            Task(
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
        )

        async def submit() -> None:
            await SUBMIT.run(engine.pool, *await encoding.encoded(task, self.settings))

        await self._bounded(submit, timeout)
        return task.task_id

    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        """Submit tasks in one round trip: all of them, or none."""
        engine = self._ready()
        given = []
        for number, task in enumerate(tasks):
            await turn(number)
            given.append(self._checked(task))

        async def submit() -> None:
            encoded = []
            for number, task in enumerate(given):
                await turn(number)
                encoded.append(await encoding.encoded(task, self.settings))
            for reply in await engine.pool.exchange(encoding.batch(encoded)):
                unless_refused(reply)

        if given:
            await self._bounded(submit, timeout)
        return [task.task_id for task in given]

    async def submit_after(
        self,
        after: Sequence[str],
        task_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        max_retries: int | None = None,
        even_if_failed: bool = False,
        timeout: float | None = None,
    ) -> str:
        """Submit a task that starts when those with the ids `after` have succeeded, or at once where they have.

        It waits for ever for one that is cancelled, and for one that fails, unless `even_if_failed`. What it returns is its
        id; raises UnknownTask where there is no task of one of the ids. What they return is not passed on: give it the ids.
        """
        engine = self._ready()
        given = {} if kwargs is None else kwargs
        task = self._checked(
            Task(name=task_name, args=args, kwargs=given, queue=queue, task_id=task_id, max_retries=max_retries)
        )

        async def submit() -> None:
            ids = dependencies.checked(after)
            await dependencies.submit(engine.pool, self.settings, task, ids, even_if_failed=even_if_failed)

        await self._bounded(submit, timeout)
        return task.task_id

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:
        """What is known of a task. `progress` is what it has reported with `oneiric_rq.report_progress`."""
        engine = self._ready()
        return await self._bounded(lambda: _look(engine, task_id), timeout)

    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        """What a task returns, when it has: the broker says so; a task that is cancelled is seen within a second."""
        engine = self._ready()
        seconds = self.settings.wait_timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                status = await self._end_of(engine, task_id)
        except TimeoutError as error:
            if isinstance(error, DeadlineExceeded):
                raise
            raise DeadlineExceeded(f"The task had not ended after {seconds:g} s.", adapter=self.name) from None
        return self._result(status)

    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:
        """Keep a task from starting; with `stop`, tell the worker that runs it to end it.

        Where that worker doesn't listen, as it was killed, it is too late. Tasks that wait for a cancelled one go on waiting.
        """
        engine = self._ready()
        if not keys.is_id(task_id):
            return CancelOutcome.UNKNOWN
        cancelled = await self._bounded(lambda: self._cancel(engine, task_id, stop=stop), timeout)
        engine.watcher.tell(task_id)
        return cancelled

    async def queue_depth(self, queue: str | None = None, *, timeout: float | None = None) -> int:
        """How many tasks wait in a queue for a worker; those for later, and those that wait for others, are not counted."""
        engine = self._ready()
        try:
            name = check_queue(self.settings.queue if queue is None else queue)
        except InvalidTask:
            return 0
        return int(await self._bounded(lambda: engine.pool.call("LLEN", keys.queue(name)), timeout))

    async def list_workers(self, *, timeout: float | None = None) -> list[WorkerInfo]:
        """The workers that listen for commands now, whichever RQ has started them."""
        engine = self._ready()
        return await self._bounded(lambda: workers.infos(engine.pool), timeout)

    async def run_schedule(self) -> None:
        """Submit the tasks of the setting `schedule` at their times, until cancelled.

        However many run the same schedule, each task is submitted once a time. Raises ConfigError for a time that can't be.
        """
        self._ready()
        await schedule.run(self, self.settings.schedule)

    @property
    def raw(self) -> Redis:
        """A client of redis-py for the same broker, with connections of its own and without our deadlines."""
        return self._ready().client

    def _ready(self) -> Engine:
        if self._engine is None:
            raise self.not_initialized()
        if self._engine.loop is not asyncio.get_running_loop():
            raise NotInitialized(
                "The adapter was initialised in another event loop.",
                adapter=self.name,
                hint="Call `await adapter.init()` in this one; better, `cleanup()` in the other first.",
            )
        return self._engine

    def _checked(self, task: Task) -> Submission:
        return checked(task, queue=self.settings.queue, capabilities=CAPABILITIES, adapter=self.name)

    async def _bounded(self, work: Callable[[], Awaitable[T]], timeout: float | None) -> T:
        """Do the work within a deadline; what it raises is one of our errors."""
        try:
            async with asyncio.timeout(self.settings.timeout if timeout is None else timeout):
                return await work()
        except Exception as error:
            ours = translated(error, self.name)
            if ours is error:
                raise
            raise ours from error

    async def _end_of(self, engine: Engine, task_id: str) -> TaskStatus:
        with engine.watcher.watching(task_id) as watch:
            while True:
                news = watch.news
                status = await self._bounded(lambda: _look(engine, task_id), None)
                if status["state"] in _OVER:
                    return status
                await engine.watcher.include(task_id)
                await _first_of(news, _LOOK_AGAIN)
                if self._engine is not engine:
                    raise self.not_initialized()

    def _result(self, status: TaskStatus) -> Any:
        state, error = status["state"], status.get("error")
        if "result" in status:
            return status["result"]
        if state is TaskState.FAILED:
            said = (
                "The task has failed; why is not known any more." if error is None else f"The task has failed: {error}"
            )
            raise TaskFailed(said, adapter=self.name, error=error, traceback=status.get("traceback"))
        if state is TaskState.CANCELLED:
            raise TaskCancelled("The task was cancelled.", adapter=self.name)
        if state is TaskState.UNKNOWN:
            raise UnknownTask("There is no such task, or no more.", adapter=self.name)
        if error is not None:
            raise QueueError(
                f"The task has succeeded. {error}", adapter=self.name, hint="Start the worker with `-S json`."
            )
        raise UnknownTask("The task has succeeded; its result has expired.", adapter=self.name)

    async def _cancel(self, engine: Engine, task_id: str, *, stop: bool) -> CancelOutcome:
        arguments: Command = [task_id, keys.PREFIX, int(stop), int(time.time()), self.settings.failure_ttl]
        give_up = time.monotonic() + _STARTS_WITHIN
        while True:
            said = (await CANCEL.run(engine.pool, [keys.job(task_id)], arguments)).decode()
            is_moving = said == "again" or (said == "starting" and stop)
            if not is_moving or time.monotonic() > give_up:
                break
            await asyncio.sleep(_MOMENT)
        return CancelOutcome.TOO_LATE if said in {"again", "starting"} else CancelOutcome(said)

    @cached_property
    def _opening(self) -> LoopLock:
        return LoopLock()

    async def _leave_other_loop(self) -> None:
        """Forget what was opened in an event loop that is over."""
        engine = self._engine
        if engine is None:
            return
        refuse_while_running(engine.loop, self.name)
        self._engine = None


_OVER = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.UNKNOWN})


async def _look(engine: Engine, task_id: str) -> TaskStatus:
    """What is known of a task, and where it has ended, how."""
    if not keys.is_id(task_id):
        return TaskStatus(task_id=task_id, state=TaskState.UNKNOWN)
    record = Record.of(task_id, await engine.pool.call("HMGET", keys.job(task_id), *ASKED))
    if record.state not in {TaskState.SUCCEEDED, TaskState.FAILED}:
        return record.status(None)
    entries = await engine.pool.call("XREVRANGE", keys.results(task_id), "+", "-", "COUNT", 1)
    if sum(map(len, entries[0][1] if entries else ())) > encoding.SMALL:
        return record.status(await asyncio.to_thread(outcome.read, entries))
    return record.status(outcome.read(entries))


async def _first_of(news: asyncio.Event, seconds: float) -> None:
    """Wait for the news, at most that long."""
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return
