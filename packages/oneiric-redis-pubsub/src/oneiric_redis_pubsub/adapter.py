"""The `redis-pubsub` adapter."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

from oneiric.adapters.messaging import DEAD_LETTERS, GAPS, PATTERNS

from oneiric_redis_pubsub.bus import RedisBus
from oneiric_redis_pubsub.crew import Crew
from oneiric_redis_pubsub.envelope import Envelopes
from oneiric_redis_pubsub.settings import RedisPubSubSettings
from oneiric_redis_pubsub.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

    from oneiric.adapters.messaging import Callback, DeadLetter, Message, OnGap
    from oneiric.adapters.messaging.checking import Checked

    from oneiric_redis_pubsub.session import Session

logger = logging.getLogger("oneiric_redis_pubsub")


class RedisMessageAdapter(RedisBus):
    """Pub/Sub of Redis or Valkey: who listens gets each message, at most once, and is told when some may have been lost."""

    settings_class: ClassVar[type[RedisPubSubSettings]] = RedisPubSubSettings
    settings: RedisPubSubSettings
    capabilities = frozenset({GAPS, PATTERNS})
    commands = ("PUBLISH", "SUBSCRIBE", "PSUBSCRIBE")

    def __init__(self, settings: RedisPubSubSettings | Mapping[str, Any] | None = None) -> None:
        super().__init__(settings)
        self._envelopes = Envelopes()

    async def consume(
        self,
        queue: str,
        callback: Callback,
        *,
        group: str | None = None,
        concurrency: int = 1,
        since: str | datetime | None = None,
        on_gap: OnGap | None = None,
    ) -> None:
        """Await `callback` for each message, until cancelled or cleaned up; each consumer gets all."""
        session, checks = self._ready(), self._checks
        checks.source(queue)
        checks.consumer(callback, group, concurrency)
        checks.beginning(since, on_gap)
        subscription = self._subscription(session, queue, on_gap)

        async def work() -> None:
            while (message := await subscription.next()) is not None:
                await _handle(callback, message)

        crew = Crew(work, concurrency, subscription.stop)
        with session.reading(subscription.stop, crew):
            try:
                await crew.run()
            finally:
                await subscription.close()

    async def subscribe(
        self, queue: str, *, since: str | datetime | None = None, on_gap: OnGap | None = None
    ) -> AsyncGenerator[Message]:
        """The messages of a queue as they come."""
        session, checks = self._ready(), self._checks
        checks.source(queue)
        checks.beginning(since, on_gap)
        subscription = self._subscription(session, queue, on_gap)
        with session.reading(subscription.stop):
            try:
                while (message := await subscription.next()) is not None:
                    yield message
            finally:
                await subscription.close()

    async def dead_letters(
        self,
        queue: str,
        *,
        group: str | None = None,  # noqa: ARG002 - it is Unsupported in any case
        limit: int = 100,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002
    ) -> list[DeadLetter]:
        """Unsupported: a message whose callback raises is gone."""
        self._ready()
        self._checks.can(DEAD_LETTERS, queue)
        return []

    async def _publish(self, session: Session, queue: str, messages: list[Checked], timeout: float | None) -> list[str]:
        channel = f"{self.settings.prefix}{queue}"
        ids, texts = [], []
        for message in messages:
            message_id, text = self._envelopes.sealed(message)
            ids.append(message_id)
            texts.append(text)
        if len(texts) == 1:
            await session.line.call("PUBLISH", channel, texts[0], timeout=timeout)
        else:
            await session.line.call_many([("PUBLISH", channel, text) for text in texts], timeout=timeout)
        return ids

    def _subscription(self, session: Session, queue: str, on_gap: OnGap | None) -> Subscription:
        return Subscription(session, self.settings.prefix, queue, on_gap, self.settings.buffer)


async def _handle(callback: Callback, message: Message) -> None:
    try:
        await callback(message)
    except Exception:
        logger.exception("A callback has raised; its message is gone, as the bus is at-most-once.")
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        logger.exception("A callback has raised CancelledError, and nobody had cancelled it; its message is gone.")
