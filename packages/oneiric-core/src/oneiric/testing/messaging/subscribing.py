"""Subscribing: the messages as an async iterator."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from oneiric.testing.held import Held, left_behind
from oneiric.testing.messaging.under_test import MessagingUnderTest, is_marker
from oneiric.testing.patience import within_patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging.base import MessageAdapter

_LIVES = 10


class SubscribingTests(MessagingUnderTest):
    """`subscribe`."""

    async def test_a_subscriber_gets_the_messages_in_order(self, adapter: MessageAdapter, new_queue: str) -> None:
        """With all that is known of each."""
        async with self.subscriber(adapter, new_queue) as stream:
            ids = await adapter.publish_many(new_queue, [{"n": n} for n in range(20)])
            messages = await self.taken(stream, 20)
        assert [message["n"] for message in messages] == list(range(20))
        assert [message.id for message in messages] == ids
        assert {message.queue for message in messages} == {new_queue}

    async def test_an_empty_message_is_a_message_too(self, adapter: MessageAdapter, new_queue: str) -> None:
        """A Message is a mapping, so an empty one is false; it doesn't end a loop that asks `while message := …`."""
        async with self.subscriber(adapter, new_queue) as stream:
            await adapter.publish_many(new_queue, [{}, {"n": 1}])
            messages = await self.taken(stream, 2)
        assert [dict(message) for message in messages] == [{}, {"n": 1}]

    async def test_each_subscriber_gets_all(
        self, adapter: MessageAdapter, make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """Of one adapter and of several, also where a consumer gets them too."""
        async with (
            make() as other,
            self.subscriber(adapter, new_queue) as one,
            self.subscriber(adapter, new_queue) as two,
            self.subscriber(other, new_queue) as three,
            self.consumer(adapter, new_queue) as consumer,
        ):
            await adapter.publish_many(new_queue, [{"n": n} for n in range(5)])
            received = [[message["n"] for message in await self.taken(stream, 5)] for stream in (one, two, three)]
            await consumer.has(5)
        assert received == [[0, 1, 2, 3, 4]] * 3
        assert [body["n"] for body in consumer.bodies] == [0, 1, 2, 3, 4]

    async def test_a_subscriber_that_is_slow_misses_nothing(self, adapter: MessageAdapter, new_queue: str) -> None:
        """What is published between two `anext` is there at the next."""
        async with self.subscriber(adapter, new_queue) as stream:
            for number in range(3):
                await adapter.publish(new_queue, {"n": number})
                (message,) = await self.taken(stream, 1)
                await adapter.publish_many(new_queue, [{"n": f"{number}-{n}"} for n in range(100)])
                later = await self.taken(stream, 100)
                assert message["n"] == number
                assert [each["n"] for each in later] == [f"{number}-{n}" for n in range(100)]

    async def test_what_was_published_before_is_not_given(self, adapter: MessageAdapter, new_queue: str) -> None:
        """A subscription begins now, unless it is told `since` when."""
        await adapter.publish(new_queue, {"n": "before"})
        async with self.subscriber(adapter, new_queue) as stream:
            await adapter.publish(new_queue, {"n": "after"})
            (message,) = await self.taken(stream, 1)
        assert message["n"] == "after"

    async def test_a_subscription_can_be_closed_at_any_time(self, adapter: MessageAdapter, new_queue: str) -> None:
        """Before the first message, after it, and twice."""
        never_begun = adapter.subscribe(new_queue)
        await within_patience(never_begun.aclose(), "A subscription that never began doesn't close.")
        async with self.subscriber(adapter, new_queue) as stream:
            await within_patience(stream.aclose(), "A subscription doesn't close.")
            await within_patience(stream.aclose(), "A subscription doesn't close twice.")
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    async def test_a_subscriber_that_is_cancelled_while_it_waits_ends_as_cancelled(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """And can be closed then."""
        async with self.subscriber(adapter, new_queue) as stream:

            async def rest() -> None:
                async for message in stream:
                    assert is_marker(message)

            waiting = asyncio.ensure_future(rest())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await within_patience(waiting, "A subscriber was cancelled, and goes on.")

    async def test_a_subscription_ends_when_its_adapter_is_cleaned_up(
        self, make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """The loop over it ends; it isn't cancelled, and nothing is raised."""
        adapter = make()
        async with adapter, self.subscriber(adapter, new_queue) as stream:

            async def rest() -> None:
                async for message in stream:
                    assert is_marker(message)

            waiting = asyncio.ensure_future(rest())
            await asyncio.sleep(0)
            await within_patience(adapter.cleanup(), "cleanup() waits for a subscriber.")
            await within_patience(waiting, "An adapter was cleaned up, and the loop over its subscription goes on.")

    async def test_subscriptions_that_were_closed_leave_nothing_behind(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """No task, thread, socket or file."""
        await self._subscribe_once(adapter, new_queue)
        before = Held.now()
        for _ in range(_LIVES):
            await self._subscribe_once(adapter, new_queue)
        left = await left_behind(before, allowed=_LIVES // 2)
        assert left == [], f"After {_LIVES} subscriptions that were closed: {left}."

    async def _subscribe_once(self, adapter: MessageAdapter, queue: str) -> None:
        async with self.subscriber(adapter, queue):
            pass
