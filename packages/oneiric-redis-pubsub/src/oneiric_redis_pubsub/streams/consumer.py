"""A consumer: it reads messages for its callback, acknowledges what was handled, and tries again what was not."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from oneiric.adapters.cancellation import undisturbed
from oneiric.errors import OneiricError

from oneiric_redis_pubsub.crew import Crew
from oneiric_redis_pubsub.streams.entry import message_of
from oneiric_redis_pubsub.streams.holdings import Holdings
from oneiric_redis_pubsub.streams.reading import Reading
from oneiric_redis_pubsub.streams.upkeep import Upkeep

if TYPE_CHECKING:
    from oneiric.adapters.messaging import Callback, Message, OnGap

    from oneiric_redis_pubsub.session import Session
    from oneiric_redis_pubsub.settings import RedisStreamSettings
    from oneiric_redis_pubsub.streams.entry import Delivery
    from oneiric_redis_pubsub.streams.keys import Keys
    from oneiric_redis_pubsub.streams.membership import Membership

logger = logging.getLogger("oneiric_redis_pubsub")

_TURN = 0.001
"""Seconds that callbacks which never wait may have, before the event loop gets its turn, and acknowledgements are sent."""


class Consumer:
    """One call of `consume`."""

    def __init__(
        self,
        session: Session,
        settings: RedisStreamSettings,
        keys: Keys,
        membership: Membership,
        callback: Callback,
        concurrency: int,
        on_gap: OnGap | None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._queue = keys.queue
        self._membership = membership
        self._callback = callback
        self._loop = session.loop
        self.crew = Crew(self._work, concurrency, self.stop)
        self.holdings = Holdings(self._loop, membership, settings, concurrency)
        self._reading = Reading(session, settings, keys.queue, membership, self.holdings, on_gap)
        self._upkeep = Upkeep(session, settings, keys, membership, self.holdings, concurrency)
        self._turn = 0.0

    def stop(self) -> None:
        """Begin nothing more."""
        self.holdings.close()

    async def run(self) -> None:
        """Consume, until stopped or cancelled; then hand back what was not handled."""
        self._reading.start()
        self._upkeep.start()
        try:
            await self.crew.run()
        finally:
            await self._end()

    async def _end(self) -> None:
        """Let go of everything, however often we are cancelled meanwhile."""
        await undisturbed(self._loop.create_task(self._let_go(), name="oneiric-redis-consumer-end"))

    async def _let_go(self) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._upkeep.stop()
                await self._reading.stop()
                await self.holdings.settle()
                await self._membership.leave()
        except (OneiricError, TimeoutError) as error:
            logger.warning("What was not handled is given to others later, as it couldn't be handed back: %s", error)
        finally:
            await self._reading.abort()
            await self.holdings.abort()

    async def _work(self) -> None:
        while (delivery := await self.holdings.next()) is not None:
            await self._handle(delivery)
            now = self._loop.time()
            if now - self._turn > _TURN:
                await asyncio.sleep(0)
                self._turn = self._loop.time()

    async def _handle(self, delivery: Delivery) -> None:
        if not await self.holdings.begin(delivery):
            return
        message = self._opened(delivery)
        if message is None:
            await self.holdings.reject(delivery)
            return
        began = self._loop.time()
        try:
            await self._callback(message)
        except Exception as error:
            logger.exception("A callback has raised, at delivery %d of a message.", delivery.count)
            self.holdings.took(self._loop.time() - began)
            await self._failed(delivery, error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            logger.exception("A callback has raised CancelledError, and nobody had cancelled it.")
            await self._failed(delivery, error)
        else:
            self.holdings.took(self._loop.time() - began)
            if delivery.has_key:
                await self.holdings.handled_keyed(delivery)
            else:
                self.holdings.handled(delivery)

    async def _failed(self, delivery: Delivery, error: BaseException) -> None:
        await self.holdings.failed(delivery, f"{type(error).__name__}: {error}")

    def _opened(self, delivery: Delivery) -> Message | None:
        """The message, or None where another client has added what is none."""
        try:
            return message_of(self._queue, delivery.id, delivery.fields, delivery.count)
        except ValueError:
            return None
