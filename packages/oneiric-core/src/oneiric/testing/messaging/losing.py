"""What can't be handled, and what may have been lost: dead letters and gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.messaging.base import AT_LEAST_ONCE, DEAD_LETTERS, GAPS, GROUPS
from oneiric.testing.messaging.under_test import MessagingUnderTest
from oneiric.testing.patience import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric.adapters.messaging.base import DeadLetter, Gap, Message, MessageAdapter


class LosingTests(MessagingUnderTest):
    """`dead_letters` and `on_gap`."""

    async def test_a_message_whose_callback_raises_each_time_is_put_aside(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """With the last error, and as it was; it isn't given any more, and the others are."""
        self.needs(capabilities, DEAD_LETTERS, AT_LEAST_ONCE)
        given = 0

        async def callback(message: Message) -> None:
            nonlocal given
            if message.get("poison"):
                given += 1
                raise ValueError(f"delivery {given}")

        letters: list[DeadLetter] = []

        async def is_put_aside() -> bool:
            letters[:] = await adapter.dead_letters(new_queue)
            return bool(letters)

        async with self.consumer(adapter, new_queue, callback) as consumer:
            poison = {"poison": True, "ä": [1]}
            await adapter.publish(new_queue, {"n": 1})
            message_id = await adapter.publish(new_queue, poison, headers={"a": "b"})
            await adapter.publish(new_queue, {"n": 2})
            await until(is_put_aside, "A callback raises for a message each time, which never becomes a dead letter.")
            await adapter.publish(new_queue, {"n": 3})
            await consumer.has(3)
        (letter,) = letters
        assert (dict(letter.message), letter.message.id, letter.message.queue) == (poison, message_id, new_queue)
        assert dict(letter.message.headers) == {"a": "b"}
        assert letter.error == f"ValueError: delivery {given}"
        assert letter.message.delivery_count == given, "`delivery_count` isn't how often the message was given."
        assert sorted(body["n"] for body in consumer.bodies) == [1, 2, 3]

    async def test_a_queue_without_dead_letters_has_none(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Also one that nobody has used."""
        self.needs(capabilities, DEAD_LETTERS)
        assert await adapter.dead_letters(new_queue) == []

    async def test_dead_letters_are_the_oldest_first_and_no_more_than_are_asked_for(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """`limit` is how many."""
        self.needs(capabilities, DEAD_LETTERS)

        async def callback(_: Message) -> None:
            raise ValueError("each time")

        async def are_put_aside() -> bool:
            return len(await adapter.dead_letters(new_queue)) == 3

        async with self.consumer(adapter, new_queue, callback):
            for number in range(3):
                await adapter.publish(new_queue, {"n": number})
            await until(
                are_put_aside, "A callback raises for three messages each time, which aren't dead letters then."
            )
        letters = await adapter.dead_letters(new_queue, limit=2)
        assert [letter.message["n"] for letter in letters] == [0, 1]

    async def test_dead_letters_are_those_of_one_group(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """A message that one group can't handle is none of the others' dead letters; without a name it is the default's."""
        self.needs(capabilities, DEAD_LETTERS, AT_LEAST_ONCE, GROUPS)

        async def callback(_: Message) -> None:
            raise ValueError("each time")

        async def is_put_aside() -> bool:
            return bool(await adapter.dead_letters(new_queue, group="failing"))

        async with (
            self.consumer(adapter, new_queue, callback, group="failing"),
            self.consumer(adapter, new_queue, group="fine") as fine,
        ):
            await adapter.publish(new_queue, {"n": 1})
            await until(is_put_aside, "A callback raises for a message each time, which never becomes a dead letter.")
            await fine.has(1)
        assert await adapter.dead_letters(new_queue, group="fine") == []
        assert await adapter.dead_letters(new_queue, group="never used") == []
        assert await adapter.dead_letters(new_queue) == [], (
            "Without a name, dead letters are those of the default group."
        )

    async def test_what_was_lost_by_an_interruption_is_told_of(
        self,
        adapter: MessageAdapter,
        capabilities: frozenset[str],
        make: Callable[[], MessageAdapter],
        interrupt: Callable[[Any], Awaitable[None]] | None,
        new_queue: str,
    ) -> None:
        """After its connection was broken and made again, a consumer has all messages, or was told of a gap."""
        self.needs(capabilities, GAPS)
        if interrupt is None:
            pytest.fail("The adapter declares `gaps`: the suite has to bring the fixture `interrupt`, to prove it.")
        begun = datetime.now(UTC) - timedelta(minutes=1)
        gaps: list[Gap] = []

        async def on_gap(gap: Gap) -> None:
            gaps.append(gap)

        numbers: list[int] = []
        async with make() as publisher, self.consumer(adapter, new_queue, on_gap=on_gap) as consumer:

            async def has_all_after_the_interruption() -> bool:
                numbers.append(len(numbers))
                await publisher.publish(new_queue, {"n": numbers[-1]})
                received = {body["n"] for body in consumer.bodies}
                return len(numbers) > 20 and len(received & {*numbers[10:]}) > 5

            for _ in range(10):
                await has_all_after_the_interruption()
            await interrupt(adapter)
            await until(has_all_after_the_interruption, "A connection was broken, and the consumer doesn't recover.")
            await until(
                lambda: gaps or {body["n"] for body in consumer.bodies} >= {*numbers},
                "A connection was broken, messages did not arrive, and `on_gap` was not told.",
            )
        for gap in gaps:
            assert gap.queue == new_queue
            assert gap.since.utcoffset() == timedelta(0), "`Gap.since` is in UTC."
            assert begun <= gap.since <= datetime.now(UTC), "`Gap.since` is when it was last known that none was lost."
            assert gap.reason, "`Gap.reason` has to be a sentence."
