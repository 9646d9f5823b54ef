"""The `redis-streams` adapter."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from oneiric.adapters.messaging import (
    AT_LEAST_ONCE,
    DEAD_LETTERS,
    DURABLE,
    GAPS,
    GROUPS,
    IDEMPOTENCY,
    ORDER_BY_KEY,
    REPLAY,
)
from oneiric.errors import OneiricError

from oneiric_redis_pubsub.bus import RedisBus
from oneiric_redis_pubsub.settings import RedisStreamSettings
from oneiric_redis_pubsub.streams.consumer import Consumer
from oneiric_redis_pubsub.streams.entry import beginning
from oneiric_redis_pubsub.streams.keys import Keys
from oneiric_redis_pubsub.streams.lag import Lag
from oneiric_redis_pubsub.streams.letters import Letters
from oneiric_redis_pubsub.streams.membership import Membership
from oneiric_redis_pubsub.streams.publishing import Publisher
from oneiric_redis_pubsub.streams.replaying import Replay
from oneiric_redis_pubsub.streams.upkeep import tidied_after, tidy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

    from oneiric.adapters.messaging import Callback, DeadLetter, Message, OnGap
    from oneiric.adapters.messaging.checking import Checked

    from oneiric_redis_pubsub.session import Session

logger = logging.getLogger("oneiric_redis_pubsub")

_MOST_PUBLISHERS = 10_000
"""Queues that are remembered to have been published to; beyond them, those that are idle are forgotten."""


class RedisStreamAdapter(RedisBus):
    """Streams of Redis or Valkey: durable, at least once."""

    settings_class: ClassVar[type[RedisStreamSettings]] = RedisStreamSettings
    settings: RedisStreamSettings
    capabilities = frozenset({AT_LEAST_ONCE, DEAD_LETTERS, DURABLE, GAPS, GROUPS, IDEMPOTENCY, ORDER_BY_KEY, REPLAY})
    commands = (
        *("XADD", "XREADGROUP", "XACK", "XCLAIM", "XPENDING", "XGROUP", "XINFO", "XRANGE", "XTRIM", "XDEL"),
        *(
            "EVAL",
            "EVALSHA",
            "PUBLISH",
            "SUBSCRIBE",
            "GET",
            "SET",
            "HGET",
            "HSET",
            "HDEL",
            "ZADD",
            "ZREM",
            "ZRANGEBYSCORE",
        ),
    )

    def __init__(self, settings: RedisStreamSettings | Mapping[str, Any] | None = None) -> None:
        super().__init__(settings)
        self._publishers: dict[str, Publisher] = {}
        self._lag = Lag()

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
        """Await `callback` for each message, until cancelled or cleaned up; the consumers of a group share them."""
        session, checks = self._ready(), self._checks
        checks.source(queue)
        checks.consumer(callback, group, concurrency)
        checks.beginning(since, on_gap)
        after = None if since is None else beginning(since, self.name)
        keys = Keys(self.settings.prefix, queue)
        membership = Membership(session.line, keys, group or self.settings.group)
        await membership.join(after)
        self._lag.watch(keys)
        consumer = Consumer(session, self.settings, keys, membership, callback, concurrency, on_gap)
        with session.reading(consumer.stop, consumer.crew):
            await consumer.run()

    async def subscribe(
        self, queue: str, *, since: str | datetime | None = None, on_gap: OnGap | None = None
    ) -> AsyncGenerator[Message]:
        """The messages of a queue as they come, over Pub/Sub; what that loses is read from the stream."""
        session, checks = self._ready(), self._checks
        checks.source(queue)
        checks.beginning(since, on_gap)
        after = None if since is None else beginning(since, self.name)
        replay = Replay(session, Keys(self.settings.prefix, queue), after, on_gap)
        with session.reading(replay.stop):
            try:
                while (message := await replay.next()) is not None:
                    yield message
            finally:
                await replay.close()

    async def dead_letters(
        self, queue: str, *, group: str | None = None, limit: int = 100, timeout: float | None = None
    ) -> list[DeadLetter]:
        """The messages of a queue that were put aside for a group, the oldest first."""
        letters = self.letters(queue, group)
        return [each.letter for each in await letters.oldest(limit, timeout)]

    def letters(self, queue: str, group: str | None = None) -> Letters:
        """The dead letters of a group of a queue, to be looked at with their history, replayed and purged."""
        session, checks = self._ready(), self._checks
        checks.source(queue)
        checks.can(GROUPS, group)
        return Letters(session.line, Keys(self.settings.prefix, queue), group or self.settings.group)

    async def _publish(self, session: Session, queue: str, messages: list[Checked], timeout: float | None) -> list[str]:
        if not messages:
            return []
        publisher = self._publisher(session, queue)
        # A queue that wasn't published to before needs its group, so that nothing is trimmed before it was read.
        group = self.settings.group if self.settings.create_group and publisher.tidied_at is None else ""
        limit = self.settings.timeout if timeout is None else timeout
        if len(messages) == 1:
            ids = [await publisher.publish_one(messages[0], group, limit)]
        else:
            ids = await publisher.publish(messages, group, limit)
        now = session.loop.time()
        if publisher.tidied_at is None or now >= publisher.tidied_at:
            publisher.tidied_at = now + tidied_after(self.settings)
            keys = Keys(self.settings.prefix, queue)
            self._lag.watch(keys)
            session.aside(self._tidy(session, keys))
        return ids

    def _publisher(self, session: Session, queue: str) -> Publisher:
        publisher = self._publishers.get(queue)
        if publisher is None or publisher.session is not session:
            if len(self._publishers) >= _MOST_PUBLISHERS:
                self._publishers = {name: each for name, each in self._publishers.items() if not each.is_idle}
            keys = Keys(self.settings.prefix, queue)
            publisher = self._publishers[queue] = Publisher(session, keys, self.settings.retention)
        return publisher

    async def _tidy(self, session: Session, keys: Keys) -> None:
        try:
            await tidy(session.line, keys, self.settings)
        except OneiricError as error:
            logger.debug("A queue was not trimmed: %s", error.message)

    async def _asked(self, session: Session) -> str:
        await session.line.call("PING")
        return await self._lag.sentence(session.line)
