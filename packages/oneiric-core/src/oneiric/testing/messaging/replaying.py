"""Beginning at a point in the past: `since`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oneiric.adapters.messaging.base import GROUPS, PATTERNS, REPLAY
from oneiric.errors import InvalidMessage
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.messaging.under_test import MessagingUnderTest
from oneiric.testing.patience import until, within_patience

if TYPE_CHECKING:
    from oneiric.adapters.messaging.base import Message, MessageAdapter

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
BAD: dict[str, Any] = {"a naive time": datetime(2026, 1, 1), "empty": "", "nonsense": "no id at all", "a number": 7}
BAD |= {"bytes": b"0", "a number as text": "-1", "a newline": "0\n"}


class ReplayingTests(MessagingUnderTest):
    """`since`, where the bus has it."""

    async def test_a_subscription_begins_after_a_message(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """By the id that its publish returned; what is published later follows, with no gap and nothing twice."""
        self.needs(capabilities, REPLAY)
        ids = await adapter.publish_many(new_queue, [{"n": n} for n in range(5)])
        stream = adapter.subscribe(new_queue, since=ids[1])
        messages = await self.taken(stream, 2)
        await adapter.publish_many(new_queue, [{"n": n} for n in range(5, 10)])
        messages += await self.taken(stream, 6)
        await stream.aclose()
        assert [message["n"] for message in messages] == list(range(2, 10))
        assert [message.id for message in messages[:3]] == ids[2:]

    async def test_a_subscription_begins_after_a_time(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """A message of just that time is before it."""
        self.needs(capabilities, REPLAY)
        await adapter.publish(new_queue, {"n": 1})
        (first,) = await self._all(adapter, new_queue, LONG_AGO, 1)
        assert first.published_at is not None, "A bus that can replay from a time has to know `published_at`."
        published_at = first.published_at
        await until(lambda: (datetime.now(UTC) - published_at).total_seconds() > 0.01, "The clock stands still.")
        await adapter.publish(new_queue, {"n": 2})
        assert [each["n"] for each in await self._all(adapter, new_queue, published_at, 1)] == [2]
        assert [each["n"] for each in await self._all(adapter, new_queue, LONG_AGO, 2)] == [1, 2]

    async def test_a_consumer_begins_where_it_is_told(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """A group that is new, where the bus has groups."""
        self.needs(capabilities, REPLAY)
        ids = await adapter.publish_many(new_queue, [{"n": n} for n in range(5)])
        group = "a new one" if GROUPS in capabilities else None
        async with self.consumer(adapter, new_queue, since=ids[2], group=group) as consumer:
            await consumer.has(2)
        assert [body["n"] for body in consumer.bodies] == [3, 4]

    async def test_a_group_that_has_begun_goes_on_where_it_is(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """`since` is where a group begins: one more consumer doesn't throw the others back."""
        self.needs(capabilities, REPLAY, GROUPS)
        ids = await adapter.publish_many(new_queue, [{"n": n} for n in range(3)])
        async with self.consumer(adapter, new_queue, group="g", since=ids[0]) as consumer:
            await consumer.has(2)
        async with self.consumer(adapter, new_queue, group="g", since=ids[0]) as consumer:
            await adapter.publish(new_queue, {"n": 3})
            await consumer.has(1)
        assert consumer.bodies == [{"n": 3}]

    async def test_a_pattern_begins_in_the_past(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """From a time: ids are those of one queue."""
        self.needs(capabilities, REPLAY, PATTERNS)
        for name in "abc":
            await adapter.publish(f"{new_queue}-{name}", {"n": name})
        messages = await self._all(adapter, f"{new_queue}-*", LONG_AGO, 3)
        assert {(message["n"], message.queue) for message in messages} == {(n, f"{new_queue}-{n}") for n in "abc"}

    @by_name(BAD)
    async def test_a_beginning_that_can_not_be_is_refused(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str, case: Any
    ) -> None:
        """It is an id as the bus gives them, or a time with its time zone."""
        self.needs(capabilities, REPLAY)
        await adapter.publish(new_queue, {"n": 1})

        async def callback(message: Message) -> None:
            """Take a message."""

        with expect(InvalidMessage, "this `since`"):
            await within_patience(adapter.consume(new_queue, callback, since=case), "It was consumed.")
        with expect(InvalidMessage, "this `since`"):
            await within_patience(anext(adapter.subscribe(new_queue, since=case)), "It was subscribed to.")

    async def _all(self, adapter: MessageAdapter, queue: str, since: datetime, count: int) -> list[Message]:
        stream = adapter.subscribe(queue, since=since)
        try:
            return await self.taken(stream, count)
        finally:
            await stream.aclose()
