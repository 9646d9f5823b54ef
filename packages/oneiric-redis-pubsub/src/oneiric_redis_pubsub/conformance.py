"""The suites that hold these adapters to their contract: `oneiric conformance` runs them, and so do the tests.

They need `oneiric-redis-pubsub[embedded]`: they start a server of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import MessagingSuite
from oneiric.testing.valkey import OnValkey, ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class _RedisSuite(OnValkey, MessagingSuite):
    @pytest.fixture
    def interrupt(self) -> Callable[[Any], Awaitable[None]]:
        """Close all connections but the one that says so."""

        async def interrupt(adapter: Any) -> None:
            for kind in ("normal", "pubsub"):
                await adapter.raw.execute_command("CLIENT", "KILL", "TYPE", kind)

        return interrupt


class PubSubSuite(_RedisSuite):
    """The kit's, for `redis-pubsub`."""

    adapter_name = "redis-pubsub"
    fsync = None

    @pytest.fixture
    def config(self, server: ValkeyServer) -> dict[str, Any]:
        """The server's."""
        return {"url": server.url}


class StreamsSuite(_RedisSuite):
    """The kit's, for `redis-streams`, on a server that is killed and started again on its append-only file."""

    adapter_name = "redis-streams"

    @pytest.fixture
    def config(self, server: ValkeyServer) -> dict[str, Any]:
        """The server's, with a short patience."""
        return {"url": server.url, "heartbeat": 0.5, "retry_backoff": 0.01, "max_deliveries": 3}
