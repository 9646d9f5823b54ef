"""Publishing: what arrives, as what, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.messaging.base import DURABLE, IDEMPOTENCY, ORDER_BY_KEY, REPLAY, Outgoing
from oneiric.errors import InvalidMessage
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.json_values import HOSTILE, NOT_JSON, same
from oneiric.testing.messaging.under_test import MessagingUnderTest
from oneiric.testing.patience import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric.adapters.messaging.base import MessageAdapter

HEADERS = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "Ünï code": "日本 👩‍👩‍👧",
    "empty": "",
}
HEADERS |= {"line\nbreaks": "a\r\nb: c", "queue": "x", "UPPER": "kept", "upper": "apart"}
NO_OBJECT: dict[str, Any] = {
    "text": "abc",
    "bytes": b"{}",
    "a list": [1],
    "pairs": [("a", 1)],
    "None": None,
    "a number": 7,
}
NO_OBJECT |= {"a set": {"a"}, "an object": object()}
BAD_HEADERS: dict[str, Any] = {"a number": {"a": 1}, "bytes": {"a": b"b"}, "None": {"a": None}, "a name": {1: "a"}}
BAD_HEADERS |= {"no mapping": [("a", "b")], "a list": {"a": ["b"]}}
BAD_KEYS: dict[str, Any] = {
    "empty": "",
    "newline": "a\nb",
    "NUL": "\x00",
    "long": "a" * 201,
    "number": 7,
    "bytes": b"a",
}


class PublishingTests(MessagingUnderTest):
    """`publish` and `publish_many`."""

    async def test_messages_arrive_as_they_were(self, adapter: MessageAdapter, new_queue: str) -> None:
        """Whatever JSON object it is, of whatever size; the empty one too."""
        bodies = [{}, *({"value": each} for each in HOSTILE.values()), {"id": 1, "body": 2, "headers": {}, "": None}]
        words = ["the empty object", *HOSTILE, "names of a message's own"]
        async with self.consumer(adapter, new_queue) as consumer:
            await adapter.publish_many(new_queue, bodies)
            received = await consumer.has(len(bodies))
        pairs = zip(words, bodies, received, strict=True)
        changed = [word for word, body, message in pairs if not same(dict(message), body)]
        assert changed == [], "These messages don't arrive as they were published."

    async def test_headers_arrive_as_they_were(self, adapter: MessageAdapter, new_queue: str) -> None:
        """Names and values are any text."""
        async with self.consumer(adapter, new_queue) as consumer:
            await adapter.publish(new_queue, {"n": 1}, headers=HEADERS)
            await adapter.publish(new_queue, {"n": 2})
            with_headers, without = await consumer.has(2)
        assert dict(with_headers.headers) == HEADERS
        assert dict(without.headers) == {}

    async def test_a_message_is_a_mapping_with_what_is_known_of_it(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """Its id is the one that `publish` returned."""
        async with self.consumer(adapter, new_queue) as consumer:
            message_id = await adapter.publish(new_queue, {"a": {"b": 1}})
            (message,) = await consumer.has(1)
        assert (message["a"], len(message), "a" in message, message.get("b")) == ({"b": 1}, 1, True, None)
        assert isinstance(message_id, str), "publish has to return the message's id, which is a string."
        assert message.id == message_id, "`Message.id` isn't the id that publish returned."
        assert message.queue == new_queue
        assert message.delivery_count == 1
        assert message.key is None
        if message.published_at is not None:
            assert message.published_at.utcoffset() == timedelta(0), "`published_at` is in UTC."
            age = datetime.now(UTC) - message.published_at
            assert abs(age) < timedelta(days=1), f"A message that was published just now says that it was {age} ago."

    async def test_each_message_has_an_id_of_its_own(self, adapter: MessageAdapter, new_queue: str) -> None:
        """Also where they are published together, and say the same."""
        ids = [await adapter.publish(new_queue, {"a": 1}), *await adapter.publish_many(new_queue, [{"a": 1}] * 9)]
        assert len(set(ids)) == 10

    async def test_messages_arrive_in_order(self, adapter: MessageAdapter, new_queue: str) -> None:
        """Those that one publisher has published to one queue, one after the other."""
        async with self.consumer(adapter, new_queue) as consumer:
            for number in range(50):
                await adapter.publish(new_queue, {"n": number})
            await consumer.has(50)
        assert [body["n"] for body in consumer.bodies] == list(range(50))

    async def test_a_thousand_messages_published_together_arrive_in_order(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """Each once; the nth id is that of the nth message; they may come from a generator."""
        async with self.consumer(adapter, new_queue) as consumer:
            ids = await adapter.publish_many(new_queue, ({"n": number} for number in range(1000)))
            received = await consumer.has(1000)
        assert [body["n"] for body in consumer.bodies] == list(range(1000))
        assert [message.id for message in received] == ids

    async def test_a_hundred_messages_can_be_published_at_once(self, adapter: MessageAdapter, new_queue: str) -> None:
        """None is lost, and none comes twice."""
        async with self.consumer(adapter, new_queue) as consumer:
            ids = await asyncio.gather(*(adapter.publish(new_queue, {"n": number}) for number in range(100)))
            received = await consumer.has(100)
        assert {message.id: message["n"] for message in received} == {ids[n]: n for n in range(100)}

    async def test_messages_without_a_consumer_can_be_published(self, adapter: MessageAdapter, new_queue: str) -> None:
        """A publisher needn't know who listens."""
        assert await adapter.publish(new_queue, {"a": 1})
        assert len(await adapter.publish_many(new_queue, [{"a": 1}, {"b": 2}])) == 2

    async def test_no_messages_are_no_ids(self, adapter: MessageAdapter, new_queue: str) -> None:
        """An empty batch is nothing to complain of."""
        assert await adapter.publish_many(new_queue, []) == []

    async def test_outgoing_messages_and_plain_ones_can_be_mixed(self, adapter: MessageAdapter, new_queue: str) -> None:
        """An Outgoing has the options of its own."""
        async with self.consumer(adapter, new_queue) as consumer:
            await adapter.publish_many(new_queue, [{"n": 1}, Outgoing(body={"n": 2}, headers={"a": "b"}), {"n": 3}])
            received = await consumer.has(3)
        assert [(message["n"], dict(message.headers)) for message in received] == [(1, {}), (2, {"a": "b"}), (3, {})]

    async def test_a_key_arrives(self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str) -> None:
        """As it was."""
        self.needs(capabilities, ORDER_BY_KEY)
        async with self.consumer(adapter, new_queue) as consumer:
            await adapter.publish(new_queue, {}, key="order 7/ä")
            (message,) = await consumer.has(1)
        assert message.key == "order 7/ä"

    async def test_what_the_caller_does_to_a_message_afterwards_changes_nothing(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """Nor what one subscriber does to it, for another."""
        async with self.subscriber(adapter, new_queue) as one, self.subscriber(adapter, new_queue) as other:
            body = {"list": ["as published"]}
            await adapter.publish(new_queue, body)
            body["list"].append("changed by the publisher")
            (message,) = await self.taken(one, 1)
            message["list"].append("changed by a subscriber")
            (message,) = await self.taken(other, 1)
        assert message["list"] == ["as published"]

    async def test_an_idempotency_key_published_again_publishes_nothing(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """It returns the id of the first; another queue has keys of its own."""
        self.needs(capabilities, IDEMPOTENCY)
        another = f"{new_queue}-2"
        async with self.consumer(adapter, new_queue) as consumer, self.consumer(adapter, another) as elsewhere:
            again = [adapter.publish(new_queue, {"n": 1}, idempotency_key="k 1") for _ in range(5)]
            ids = await asyncio.gather(*again)
            ids += await adapter.publish_many(new_queue, [Outgoing(body={"n": 1}, idempotency_key="k 1")] * 2)
            await adapter.publish(another, {"n": 3}, idempotency_key="k 1")
            await adapter.publish(new_queue, {"n": 2}, idempotency_key="k 2")
            await consumer.has(2)
            await elsewhere.has(1)
        assert [body["n"] for body in consumer.bodies] == [1, 2], "One idempotency key, and not one message."
        assert len(set(ids)) == 1, "A second publish of an idempotency key has to return the id of the first."
        assert elsewhere.bodies == [{"n": 3}], "An idempotency key is its queue's: another queue has one of its own."

    @by_name(NO_OBJECT)
    async def test_what_is_no_object_is_refused(self, adapter: MessageAdapter, new_queue: str, case: Any) -> None:
        """InvalidMessage: a message is a mapping."""
        await self._refuses(adapter, new_queue, case)

    @by_name(NOT_JSON)
    async def test_what_json_can_not_hold_is_refused(self, adapter: MessageAdapter, new_queue: str, case: Any) -> None:
        """InvalidMessage, before anything is sent, and however deep it lies."""
        await self._refuses(adapter, new_queue, {"value": case})
        await self._refuses(adapter, new_queue, {"a": [{"b": case}]})

    async def test_a_name_that_is_no_string_is_refused(self, adapter: MessageAdapter, new_queue: str) -> None:
        """1 would arrive as "1"."""
        await self._refuses(adapter, new_queue, {1: "a"})

    @by_name(BAD_HEADERS)
    async def test_headers_that_are_no_text_are_refused(
        self, adapter: MessageAdapter, new_queue: str, case: Any
    ) -> None:
        """Names and values are strings."""
        await self._refuses(adapter, new_queue, {}, headers=case)

    @by_name(BAD_KEYS)
    async def test_a_key_that_can_not_be_is_refused(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str, case: Any
    ) -> None:
        """1 to 200 characters that can be printed."""
        self.needs(capabilities, ORDER_BY_KEY)
        await self._refuses(adapter, new_queue, {}, key=case)

    @by_name(BAD_KEYS)
    async def test_an_idempotency_key_that_can_not_be_is_refused(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str, case: Any
    ) -> None:
        """1 to 200 characters that can be printed."""
        self.needs(capabilities, IDEMPOTENCY)
        await self._refuses(adapter, new_queue, {}, idempotency_key=case)

    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_many_messages_are_all_checked_before_any_is_sent(
        self, adapter: MessageAdapter, new_queue: str, place: int
    ) -> None:
        """One that can't be, wherever it stands, and none is published."""
        messages: list[Any] = [{"of the batch": 1}, {"of the batch": 2}]
        messages.insert(place, {"not JSON": {1, 2}})
        async with self.consumer(adapter, new_queue) as consumer:
            with expect(InvalidMessage, "a batch that holds a message with a set in it"):
                await adapter.publish_many(new_queue, messages)
            await adapter.publish(new_queue, {"after it": 3})
            await consumer.has(1)
        assert consumer.bodies == [{"after it": 3}], "One of the messages can't be, and others were published."

    async def test_a_message_survives_a_restart_of_the_broker(
        self,
        adapter: MessageAdapter,
        capabilities: frozenset[str],
        restart: Callable[[], Awaitable[None]] | None,
        new_queue: str,
    ) -> None:
        """Where the bus is durable: as soon as its publish has returned."""
        self.needs(capabilities, DURABLE, REPLAY)
        if restart is None:
            pytest.fail("The adapter declares `durable`: the suite has to bring the fixture `restart`, to prove it.")
        before = await adapter.publish(new_queue, {"n": 0})
        await adapter.publish_many(new_queue, [{"n": 1}, {"n": 2}])
        await restart()
        await until(adapter.health, "The broker was restarted, and the adapter doesn't find it again.")
        messages = await self.taken(adapter.subscribe(new_queue, since=before), 2)
        assert [message["n"] for message in messages] == [1, 2]

    async def _refuses(self, adapter: MessageAdapter, queue: str, message: Any, **options: Any) -> None:
        with expect(InvalidMessage, "this message"):
            await adapter.publish(queue, message, **options)
        with expect(InvalidMessage, "this message, among others"):
            await adapter.publish_many(queue, [{}, Outgoing(body=message, **options)])
