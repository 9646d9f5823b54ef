"""What this distribution tells Oneiric; imports no driver."""

from __future__ import annotations

from oneiric.adapters.messaging import GAPS, PATTERNS
from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec

from oneiric_redis_pubsub.settings import RedisPubSubSettings


@hookimpl
def oneiric_adapters() -> list[AdapterSpec]:
    """Declare the `redis-pubsub` adapter."""
    return [
        AdapterSpec(
            "redis-pubsub",
            type="messaging",
            summary="Redis or Valkey Pub/Sub: at most once, with patterns; it says when messages may have been lost.",
            adapter="oneiric_redis_pubsub.adapter:RedisMessageAdapter",
            settings=RedisPubSubSettings,
            capabilities=frozenset({GAPS, PATTERNS}),
            example={"url": "redis://localhost:6379/0"},
        ),
    ]
