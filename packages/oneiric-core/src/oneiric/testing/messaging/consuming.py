"""Consuming: who gets which message, how many at a time, and what becomes of one whose callback raises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.messaging.base import AT_LEAST_ONCE, GROUPS, ORDER_BY_KEY
from oneiric.errors import InvalidMessage
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.guard import skip
from oneiric.testing.messaging.under_test import MessagingUnderTest, some_turns, soon
from oneiric.testing.patience import until, within_patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging.base import Message, MessageAdapter


async def _nothing(message: Message) -> None:
    """Take a message."""


OPTIONS: dict[str, dict[str, Any]] = {
    "no concurrency": {"concurrency": 0},
    "a negative concurrency": {"concurrency": -1},
    "half a concurrency": {"concurrency": 1.5},
    "a concurrency that is true": {"concurrency": True},
    "a callback that can't be called": {"callback": "print"},
    "no callback": {"callback": None},
}
BAD_GROUPS: dict[str, Any] = {
    "empty": "",
    "newline": "a\nb",
    "NUL": "\x00",
    "long": "a" * 201,
    "number": 7,
    "bytes": b"a",
}


class ConsumingTests(MessagingUnderTest):
    """`consume`."""

    async def test_a_consumer_gets_what_another_adapter_publishes(
        self, adapter: MessageAdapter, make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """The bus is the backend's, not the adapter's."""
        async with make() as other, self.consumer(other, new_queue) as consumer:
            await adapter.publish(new_queue, {"n": 1})
            await consumer.has(1)
        assert consumer.bodies == [{"n": 1}]

    async def test_a_consumer_gets_only_what_is_published_to_its_queue(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """Though several consume with one adapter."""
        a, b = f"{new_queue}-a", f"{new_queue}-b"
        async with self.consumer(adapter, a) as of_a, self.consumer(adapter, b) as of_b:
            for queue in (a, b, new_queue, a, b):
                await adapter.publish(queue, {"to": queue})
            await of_a.has(2)
            await of_b.has(2)
        assert (of_a.bodies, of_b.bodies) == ([{"to": a}] * 2, [{"to": b}] * 2)

    async def test_without_groups_each_consumer_gets_all(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """A bus without groups gives each message to all who consume."""
        if GROUPS in capabilities:
            skip("The adapter declares the capability `groups`.")
        async with self.consumer(adapter, new_queue) as one, self.consumer(adapter, new_queue) as other:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(10)])
            await one.has(10)
            await other.has(10)
        assert one.bodies == other.bodies == [{"n": n} for n in range(10)]

    @pytest.mark.parametrize("group", ["workers", None], ids=["named", "default"])
    async def test_consumers_of_a_group_share_the_messages(
        self,
        adapter: MessageAdapter,
        capabilities: frozenset[str],
        make: Callable[[], MessageAdapter],
        new_queue: str,
        group: str | None,
    ) -> None:
        """Each message is given to one of them, and one that is busy doesn't keep the other from the rest."""
        self.needs(capabilities, GROUPS)
        given: dict[str, list[int]] = {"one": [], "other": []}
        both = asyncio.Event()

        def member(name: str) -> Callable[[Message], Any]:
            async def callback(message: Message) -> None:
                given[name].append(message["n"])
                await both.wait()

            return callback

        async with make() as another:
            consumers = [
                asyncio.ensure_future(adapter.consume(new_queue, member("one"), group=group)),
                asyncio.ensure_future(another.consume(new_queue, member("other"), group=group)),
            ]
            published = 0

            async def both_have() -> bool:
                nonlocal published
                await adapter.publish(new_queue, {"n": published})
                published += 1
                return await soon(lambda: all(given.values()))

            await until(both_have, "Of two consumers of a group, one is busy, and the other is given nothing.")
            both.set()
            shared: Callable[[], list[int]] = lambda: sorted(given["one"] + given["other"])  # noqa: E731
            if AT_LEAST_ONCE in capabilities:
                await until(lambda: len(shared()) >= published, "A group was not given all messages.")
            await self.stopped(*consumers)
        assert len(set(shared())) == len(shared()), "A message was given to two consumers of one group."

    async def test_each_group_gets_all(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Groups have nothing to do with each other."""
        self.needs(capabilities, GROUPS)
        one, other = (self.consumer(adapter, new_queue, group=name) for name in ("one", "the other: ä"))
        async with one as first, other as second:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(10)])
            await first.has(10)
            await second.has(10)
        assert first.bodies == second.bodies == [{"n": n} for n in range(10)]

    async def test_a_new_group_begins_with_the_oldest_message(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Where the bus is at-least-once, nothing is lost because a consumer was started after its publisher."""
        self.needs(capabilities, AT_LEAST_ONCE, GROUPS)
        await adapter.publish_many(new_queue, [{"n": n} for n in range(5)])
        async with self.consumer(adapter, new_queue, group="late") as consumer:
            await consumer.has(5)
        assert consumer.bodies == [{"n": n} for n in range(5)]

    async def test_a_group_goes_on_where_it_was(
        self, adapter: MessageAdapter, capabilities: frozenset[str], make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """What was published while none of it consumed is given to the next, and what it has handled isn't."""
        self.needs(capabilities, AT_LEAST_ONCE, GROUPS)
        async with make() as first, self.consumer(first, new_queue, group="g") as consumer:
            await adapter.publish(new_queue, {"n": 1})
            await consumer.has(1)
        await adapter.publish(new_queue, {"n": 2})
        async with self.consumer(adapter, new_queue, group="g") as consumer:
            await consumer.has(1)
        assert consumer.bodies == [{"n": 2}], "A message that was handled is given to its group again, or one is lost."

    async def test_a_message_whose_callback_raises_is_given_again(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Where the bus is at-least-once: with the count of its deliveries, and the others are given too."""
        self.needs(capabilities, AT_LEAST_ONCE)
        given: list[tuple[int, int, str]] = []

        async def callback(message: Message) -> None:
            given.append((message["n"], message.delivery_count, message.id))
            if message["n"] == 1 and message.delivery_count == 1:
                raise ValueError("the first time")

        async with self.consumer(adapter, new_queue, callback) as consumer:
            ids = await adapter.publish_many(new_queue, [{"n": n} for n in range(3)])
            await consumer.has(3)
        assert sorted(given) == [(0, 1, ids[0]), (1, 1, ids[1]), (1, 2, ids[1]), (2, 1, ids[2])], (
            "(message, delivery, id): a callback has raised once, at the first delivery of message 1."
        )

    async def test_a_callback_that_raises_does_not_end_the_consumer(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Where the bus is at-most-once, it goes on with the next message, and doesn't give that one again."""
        if AT_LEAST_ONCE in capabilities:
            skip("The adapter declares the capability `at-least-once`.")
        given = []

        async def callback(message: Message) -> None:
            given.append(message["n"])
            if message["n"] == 1:
                raise ValueError("each time")

        async with self.consumer(adapter, new_queue, callback) as consumer:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(4)])
            await consumer.has(3)
        assert given == [0, 1, 2, 3]

    async def test_one_message_is_handled_at_a_time(self, adapter: MessageAdapter, new_queue: str) -> None:
        """Unless `concurrency` allows for more: the next is begun when the callback has returned."""
        running, most = 0, 0

        async def callback(_: Message) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await some_turns()
            running -= 1

        async with self.consumer(adapter, new_queue, callback) as consumer:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(20)])
            await consumer.has(20)
        assert most == 1
        assert consumer.bodies == [{"n": n} for n in range(20)]

    async def test_as_many_messages_are_handled_at_a_time_as_may_be(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """`concurrency` is used, and never exceeded."""
        running, most = 0, 0
        three = asyncio.Event()

        async def callback(_: Message) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            if running == 3:
                three.set()
            await three.wait()
            await some_turns()
            running -= 1

        async with self.consumer(adapter, new_queue, callback, concurrency=3) as consumer:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(30)])
            await until(three.is_set, "With `concurrency=3`, three callbacks never run at the same time.")
            await consumer.has(30)
        assert most == 3, f"With `concurrency=3`, {most} callbacks were running at a time."

    async def test_messages_of_one_key_are_handled_one_after_the_other(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """In the order in which they were published, while those of other keys are handled beside them."""
        self.needs(capabilities, ORDER_BY_KEY)
        running: list[str | None] = []
        together = set[tuple[str, ...]]()
        both = asyncio.Event()

        async def callback(message: Message) -> None:
            running.append(message.key)
            together.add(tuple(sorted(map(str, running))))
            if {*running} == {"a", "b"}:
                both.set()
            await both.wait()
            await some_turns()
            running.remove(message.key)

        async with self.consumer(adapter, new_queue, callback, concurrency=4) as consumer:
            for number in range(20):
                await adapter.publish(new_queue, {"n": number}, key="ab"[number % 2])
            await until(both.is_set, "With `concurrency=4`, messages of two keys aren't handled beside each other.")
            received = await consumer.has(20)
        assert together <= {("a",), ("b",), ("a", "b")}, "Two messages of one key were handled at the same time."
        for key in "ab":
            numbers = [message["n"] for message in received if message.key == key]
            assert numbers == sorted(numbers), f"Messages of one key were handled in another order: {numbers}"

    async def test_a_key_waits_for_its_message_that_is_given_again(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """The order of a key is kept also where a callback raises."""
        self.needs(capabilities, ORDER_BY_KEY, AT_LEAST_ONCE)

        async def callback(message: Message) -> None:
            if message["n"] == 1 and message.delivery_count == 1:
                raise ValueError("the first time")

        async with self.consumer(adapter, new_queue, callback, concurrency=4) as consumer:
            for number in range(5):
                await adapter.publish(new_queue, {"n": number}, key="k")
            await consumer.has(5)
        assert [body["n"] for body in consumer.bodies] == list(range(5)), "Messages of one key have overtaken another."

    async def test_a_consumer_can_publish(self, adapter: MessageAdapter, new_queue: str) -> None:
        """To its own queue too."""

        async def callback(message: Message) -> None:
            if message["n"] < 5:
                await adapter.publish(new_queue, {"n": message["n"] + 1})

        async with self.consumer(adapter, new_queue, callback) as consumer:
            await adapter.publish(new_queue, {"n": 1})
            await consumer.has(5)
        assert consumer.bodies == [{"n": n} for n in range(1, 6)]

    @by_name(OPTIONS)
    async def test_an_option_that_can_not_be_is_refused(
        self, adapter: MessageAdapter, new_queue: str, case: Any
    ) -> None:
        """InvalidMessage, at once."""
        with expect(InvalidMessage, "this option of consume"):
            await within_patience(adapter.consume(new_queue, **{"callback": _nothing, **case}), "It was consumed.")

    @by_name(BAD_GROUPS)
    async def test_a_group_that_can_not_be_is_refused(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str, case: Any
    ) -> None:
        """InvalidMessage, at once."""
        self.needs(capabilities, GROUPS)
        with expect(InvalidMessage, "this name of a group"):
            await within_patience(adapter.consume(new_queue, _nothing, group=case), "It was consumed.")

    async def stopped(self, *tasks: asyncio.Task[None]) -> None:
        """Cancel tasks, and wait for their ends."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
