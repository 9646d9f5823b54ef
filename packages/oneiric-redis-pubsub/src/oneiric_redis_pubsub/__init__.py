"""The Oneiric message adapters for Redis and Valkey; the names are imported on first use, so that this imports no driver."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oneiric_redis_pubsub.adapter import RedisMessageAdapter
    from oneiric_redis_pubsub.settings import RedisPubSubSettings, RedisStreamSettings
    from oneiric_redis_pubsub.streams.adapter import RedisStreamAdapter

__all__ = ["RedisMessageAdapter", "RedisPubSubSettings", "RedisStreamAdapter", "RedisStreamSettings"]

_HOMES = {
    "RedisMessageAdapter": "adapter",
    "RedisPubSubSettings": "settings",
    "RedisStreamAdapter": "streams.adapter",
    "RedisStreamSettings": "settings",
}


def __getattr__(name: str) -> Any:
    # Imported here and not above, so that a listing of what is installed imports no driver.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
