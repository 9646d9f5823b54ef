"""What the adapter doesn't claim to be able to do, it says it can't, before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.messaging.base import (
    DEAD_LETTERS,
    GAPS,
    GROUPS,
    IDEMPOTENCY,
    ORDER_BY_KEY,
    PATTERNS,
    REPLAY,
    Outgoing,
)
from oneiric.errors import Unsupported
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip
from oneiric.testing.messaging.under_test import MessagingUnderTest
from oneiric.testing.patience import within_patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging.base import MessageAdapter


async def _callback(message: object) -> None:
    """Take a message, or hear of a gap."""


_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_CALLS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "publish, key": (ORDER_BY_KEY, lambda bus, queue: bus.publish(queue, {}, key="k")),
    "publish_many, key": (ORDER_BY_KEY, lambda bus, queue: bus.publish_many(queue, [{}, Outgoing(body={}, key="k")])),
    "publish, idempotency_key": (IDEMPOTENCY, lambda bus, queue: bus.publish(queue, {}, idempotency_key="k")),
    "publish_many, idempotency_key": (
        IDEMPOTENCY,
        lambda bus, queue: bus.publish_many(queue, [{}, Outgoing(body={}, idempotency_key="k")]),
    ),
    "consume, group": (GROUPS, lambda bus, queue: bus.consume(queue, _callback, group="g")),
    "consume, since an id": (REPLAY, lambda bus, queue: bus.consume(queue, _callback, since="0")),
    "consume, since a time": (REPLAY, lambda bus, queue: bus.consume(queue, _callback, since=_NOW)),
    "consume, on_gap": (GAPS, lambda bus, queue: bus.consume(queue, _callback, on_gap=_callback)),
    "consume, a pattern": (PATTERNS, lambda bus, queue: bus.consume(f"{queue}*", _callback)),
    "subscribe, since an id": (REPLAY, lambda bus, queue: anext(bus.subscribe(queue, since="0"))),
    "subscribe, since a time": (REPLAY, lambda bus, queue: anext(bus.subscribe(queue, since=_NOW))),
    "subscribe, on_gap": (GAPS, lambda bus, queue: anext(bus.subscribe(queue, on_gap=_callback))),
    "subscribe, a pattern": (PATTERNS, lambda bus, queue: anext(bus.subscribe(f"{queue}*"))),
    "dead_letters": (DEAD_LETTERS, lambda bus, queue: bus.dead_letters(queue)),
}


class HonestyTests(MessagingUnderTest):
    """Capabilities that aren't declared."""

    @pytest.mark.parametrize("what", _CALLS)
    async def test_what_is_not_declared_is_unsupported(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str, what: str
    ) -> None:
        """No option is taken and dropped, and nothing published without it."""
        capability, call = _CALLS[what]
        if capability in capabilities:
            skip(f"The adapter declares the capability `{capability}`.")
        async with self.subscriber(adapter, new_queue) as stream:
            with expect(Unsupported, f"what needs `{capability}`, which isn't declared"):
                await within_patience(call(adapter, new_queue), f"What needs `{capability}` is done without it.")
            await adapter.publish(new_queue, {"after": "it"})
            (message,) = await self.taken(stream, 1)
        assert dict(message) == {"after": "it"}, "A message was published without the option that it was to have."
