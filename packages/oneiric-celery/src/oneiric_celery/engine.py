"""The engine: what is open between `init()` and `cleanup()`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from oneiric.adapters.cancellation import undisturbed

from oneiric_celery.amqp_broker import AmqpBroker
from oneiric_celery.application import application
from oneiric_celery.claims import Claims
from oneiric_celery.errors import deadline
from oneiric_celery.homes import Homes
from oneiric_celery.link import client
from oneiric_celery.message import list_of, options_of
from oneiric_celery.redis_broker import RedisBroker
from oneiric_celery.results import Results

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from oneiric.adapters.queue import Task
    from oneiric.adapters.queue.submission import Submission

    from oneiric_celery.settings import CelerySettings

    Sending = tuple[Submission, Task, dict[str, Any]]
    """A task, and what else its message is to hold: a chain, a group, a chord."""

_LETTING_GO = 0.5
"""Seconds for which we try to take back a claim."""


class Engine:
    """The broker and the result backend, which may be one server."""

    def __init__(self, settings: CelerySettings, homes: Homes) -> None:
        self.settings = settings
        self.app = application(settings, homes.broker)
        self._homes = homes
        self._is_direct = settings.is_direct
        backend = client(settings, homes.backend)
        self.results = Results(backend, client(settings, homes.backend), settings.result_expires)
        self.broker: RedisBroker | AmqpBroker
        if homes.broker.is_redis:
            redis = backend if self._is_direct else client(settings, homes.broker)
            self.broker = RedisBroker(settings, self.app, redis, homes.broker.database)
        else:
            self.broker = AmqpBroker(settings, self.app)
        self._claims = Claims(backend, settings.result_expires)
        self._sending: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, settings: CelerySettings) -> Self:
        """Connect to both; an embedded server is started where nobody has."""
        homes = await Homes.enter(settings.broker, settings.backend, settings.timeout)
        engine: Self | None = None
        try:
            engine = cls(settings, homes)
            await engine.ping()
        except BaseException:
            await undisturbed(homes.leave() if engine is None else engine.close())
            raise
        return engine

    async def ping(self) -> None:
        """Raise unless both answer."""
        await asyncio.gather(self.broker.ping(), self.results.ping())

    async def submit(self, tasks: Sequence[Sending], seconds: float) -> None:
        """Send tasks, but for those whose ids are known."""
        if isinstance(self.broker, RedisBroker) and self._is_direct:
            await self.broker.submit(tasks, asyncio.get_running_loop().time() + seconds)
            return
        own = [each for each in tasks if each[1].task_id is None]
        given = {each[0].task_id: each for each in reversed(tasks) if each[1].task_id is not None}
        if own:
            await self._send_new(own)
        if given:
            await self._send_claimed(given, seconds)

    async def _send_new(self, tasks: Sequence[Sending]) -> None:
        """Send tasks and write their records, at the same time: nobody else knows their ids yet but their workers."""
        submissions = [submission for submission, *_ in tasks]
        sent, noted = await asyncio.gather(
            self.broker.push(tasks), self._claims.note(submissions, self._lists(submissions)), return_exceptions=True
        )
        for outcome in (sent, noted):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _send_claimed(self, tasks: Mapping[str, Sending], seconds: float) -> None:
        """Send tasks whose ids are the callers' own, of each id one; to the end, where the caller has gone."""
        task = asyncio.create_task(self._claim_and_send(tasks, seconds), name="oneiric-celery-submit")
        self._sending.add(task)
        task.add_done_callback(self._sent)
        await asyncio.shield(task)

    async def _claim_and_send(self, tasks: Mapping[str, Sending], seconds: float) -> None:
        claims = await self._claims.claim([submission for submission, *_ in tasks.values()], seconds)
        claimed = [tasks[task_id] for task_id in claims]
        try:
            await self.broker.push(claimed)
        except BaseException:
            await _quietly(self._claims.give_up(claims))  # so that it can be tried again with the same id
            raise
        submissions = [submission for submission, *_ in claimed]
        await self._claims.confirm(submissions, claims, self._lists(submissions))

    async def note(self, submissions: Sequence[Submission]) -> None:
        """Write the records of tasks that workers will submit."""
        await self._claims.note(submissions, [None] * len(submissions))

    async def examine(self, seconds: float) -> tuple[bool, str]:
        """Whether broker and result backend answer within so many seconds, and a sentence for each that doesn't."""
        broker, backend, workers = await asyncio.gather(
            _ailment("The broker", self.broker.ping(), seconds),
            _ailment("The result backend", self.results.ping(), seconds),
            self._workers(seconds),
        )
        if broker or backend:
            return False, " ".join(each for each in (broker, backend) if each)
        return True, workers

    async def close(self) -> None:
        """Close everything."""
        for task in self._sending:
            task.cancel()
        await self.results.close()
        await self.broker.close()
        await self._homes.leave()

    def _lists(self, submissions: Sequence[Submission]) -> list[str | None]:
        """The Redis list of each; None on RabbitMQ."""
        if not self.settings.broker.is_redis:
            return [None] * len(submissions)
        steps = self.settings.priority_steps
        return [list_of(each.queue, options_of(each, is_redis=True).get("priority", 0), steps) for each in submissions]

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # is the caller's, who may have gone

    async def _workers(self, seconds: float) -> str:
        try:
            async with deadline(seconds, None, "Asking for workers"):
                return await self.broker.workers()
        except Exception:  # noqa: BLE001 - whether the broker answers is asked beside this
            return "The workers could not be asked."


async def _ailment(who: str, ping: Coroutine[Any, Any, None], seconds: float) -> str:
    """What is wrong with one of the servers, as a sentence; empty where nothing is."""
    try:
        async with deadline(seconds, None, "A ping"):
            await ping
    except Exception as error:  # noqa: BLE001 - a health check never raises
        return f"{who} doesn't work: {error}"
    return ""


async def _quietly(call: Coroutine[Any, Any, None]) -> None:
    """Try something that nobody has to know of."""
    try:
        async with asyncio.timeout(_LETTING_GO):
            await call
    except Exception:  # noqa: BLE001 - its claim ends by itself
        return
