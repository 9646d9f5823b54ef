"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.adapters.messaging import (
    AT_LEAST_ONCE,
    DEAD_LETTERS,
    DURABLE,
    GAPS,
    GROUPS,
    IDEMPOTENCY,
    ORDER_BY_KEY,
    PATTERNS,
    REPLAY,
)
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_redis_pubsub.settings import RedisPubSubSettings, RedisStreamSettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `redis-pubsub` and `redis-streams` adapters."""
    return [
        AdapterSpec(
            "redis-pubsub",
            type="messaging",
            summary="Redis or Valkey Pub/Sub: at most once, with patterns; it says when messages may have been lost.",
            adapter="oneiric_redis_pubsub.adapter:RedisMessageAdapter",
            settings=RedisPubSubSettings,
            capabilities=frozenset({GAPS, PATTERNS}),
            example={"url": "embedded://"},
            conformance="oneiric_redis_pubsub.conformance:PubSubSuite",
        ),
        AdapterSpec(
            "redis-streams",
            type="messaging",
            summary="Redis or Valkey Streams: durable, at least once, with dead letters, replay and order by key.",
            adapter="oneiric_redis_pubsub.streams.adapter:RedisStreamAdapter",
            settings=RedisStreamSettings,
            capabilities=frozenset(
                {AT_LEAST_ONCE, DEAD_LETTERS, DURABLE, GAPS, GROUPS, IDEMPOTENCY, ORDER_BY_KEY, REPLAY}
            ),
            example={"url": "embedded://"},
            conformance="oneiric_redis_pubsub.conformance:StreamsSuite",
        ),
    ]
