"""The conformance kit, on both adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import MessagingSuite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


class TestPubSub(MessagingSuite):
    adapter_name = "redis-pubsub"

    @pytest.fixture
    def config(self, url: str) -> Mapping[str, Any]:
        return {"url": url}

    @pytest.fixture
    def interrupt(self) -> Callable[[Any], Awaitable[None]]:
        async def interrupt(adapter: Any) -> None:
            await adapter.raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

        return interrupt
