"""How consuming ends: cancelled, cleaned up, and with callbacks under way; nothing is lost by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oneiric.adapters.messaging.base import AT_LEAST_ONCE, GROUPS
from oneiric.testing.held import Held, left_behind
from oneiric.testing.messaging.under_test import MessagingUnderTest, some_turns
from oneiric.testing.patience import until, within_patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging.base import Message, MessageAdapter

_LIVES = 10


class Slow:
    """A callback that takes until it is released."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.finished: list[int] = []
        self.interrupted: list[int] = []
        self._released = asyncio.Event()

    async def __call__(self, message: Message) -> None:
        """Handle a message."""
        number = message["n"]
        self.begun.append(number)
        try:
            await self._released.wait()
        except asyncio.CancelledError:
            self.interrupted.append(number)
            raise
        self.finished.append(number)

    async def has_begun(self, count: int = 1) -> None:
        """Wait until so many messages are being handled."""
        await until(lambda: len(self.begun) >= count, "A message was published, and isn't given to a consumer.")

    def release(self) -> None:
        """Let it return."""
        self._released.set()


class EndingTests(MessagingUnderTest):
    """The end of `consume`."""

    async def test_a_consumer_that_is_cancelled_ends_as_cancelled(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """It doesn't swallow the CancelledError, which a task group or a deadline around it waits for."""
        async with self.consumer(adapter, new_queue) as consumer:
            consumer.task.cancel()
            await until(consumer.task.done, "A consumer was cancelled, and goes on.")
            assert consumer.task.cancelled(), "consume() was cancelled, and did not raise CancelledError."

    async def test_a_consumer_that_is_cancelled_finishes_what_it_has_begun(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """The callback isn't interrupted, and consume ends when it has returned."""
        slow = Slow()
        async with self.consumer(adapter, new_queue, slow) as consumer:
            await adapter.publish(new_queue, {"n": 1})
            await slow.has_begun()
            consumer.task.cancel()
            await some_turns()
            assert not consumer.task.done(), "consume() was cancelled, and ended while a callback was running."
            slow.release()
            await until(consumer.task.done, "A consumer was cancelled, its callback has returned, and it goes on.")
        assert (slow.finished, slow.interrupted) == ([1], [])
        assert consumer.task.cancelled(), "consume() was cancelled, and did not raise CancelledError."

    async def test_a_consumer_that_is_cancelled_begins_nothing_more(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """Not while it finishes what it has begun either."""
        slow = Slow()
        async with self.consumer(adapter, new_queue, slow) as consumer:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(5)])
            await slow.has_begun()
            consumer.task.cancel()
            await some_turns()
            slow.release()
            await until(consumer.task.done, "A consumer was cancelled, its callback has returned, and it goes on.")
        assert slow.begun == [0], "A consumer was cancelled while it handled message 0, and has begun others."

    async def test_a_consumer_that_is_cancelled_again_interrupts_what_it_has_begun(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """Whoever can't wait any longer cancels a second time."""
        slow = Slow()
        async with self.consumer(adapter, new_queue, slow, concurrency=2) as consumer:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(2)])
            await slow.has_begun(2)
            consumer.task.cancel()
            await some_turns()
            assert not slow.interrupted, "consume() was cancelled once, and has interrupted its callbacks."
            consumer.task.cancel()
            await until(consumer.task.done, "consume() was cancelled twice, and goes on.")
            assert consumer.task.cancelled(), "consume() was cancelled twice, and did not raise CancelledError."
            await until(
                lambda: len(slow.interrupted) == 2, "consume() was cancelled twice, and its callbacks still run."
            )

    async def test_a_message_is_acknowledged_only_when_its_callback_has_returned(
        self, adapter: MessageAdapter, capabilities: frozenset[str], make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """Interrupted by a second cancel, it is given to the group again: what was begun and not finished isn't lost."""
        self.needs(capabilities, AT_LEAST_ONCE, GROUPS)
        slow = Slow()
        async with make() as first, self.consumer(first, new_queue, slow, group="g") as consumer:
            await adapter.publish(new_queue, {"n": 1})
            await slow.has_begun()
            await until(
                lambda: (consumer.task.cancel() and slow.interrupted) or consumer.task.done(),
                "consume() was cancelled again and again, and doesn't interrupt its callback.",
            )
        assert slow.finished == []
        async with self.consumer(adapter, new_queue, group="g") as consumer:
            (message,) = await consumer.has(1)
        assert message["n"] == 1
        assert message.delivery_count > 1, "A message is given a second time, and its `delivery_count` is 1."

    async def test_a_message_that_was_finished_while_cancelled_is_not_given_again(
        self, adapter: MessageAdapter, capabilities: frozenset[str], make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """It was handled, so it is acknowledged; those that weren't begun are given to the next of the group."""
        self.needs(capabilities, AT_LEAST_ONCE, GROUPS)
        slow = Slow()
        async with make() as first, self.consumer(first, new_queue, slow, group="g") as consumer:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(5)])
            await slow.has_begun()
            consumer.task.cancel()
            await some_turns()
            slow.release()
            await until(consumer.task.done, "A consumer was cancelled, its callback has returned, and it goes on.")
        async with self.consumer(adapter, new_queue, group="g") as consumer:
            await consumer.has(4)
        assert sorted(body["n"] for body in consumer.bodies) == [1, 2, 3, 4]

    async def test_a_consumer_returns_when_its_adapter_is_cleaned_up(
        self, make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """It isn't cancelled, so it raises nothing; one that idles too."""
        adapter = make()
        async with adapter, self.consumer(adapter, new_queue) as consumer:
            await within_patience(adapter.cleanup(), "cleanup() waits for a consumer that has nothing to do.")
            await until(consumer.task.done, "An adapter was cleaned up, and its consumer goes on.")
            assert not consumer.task.cancelled(), "consume() raised CancelledError, and nobody had cancelled it."
            assert consumer.task.result() is None

    async def test_a_cleanup_waits_for_what_consumers_have_begun(
        self, make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """And no longer than that; nothing more is begun."""
        slow = Slow()
        adapter = make()
        async with adapter, self.consumer(adapter, new_queue, slow, concurrency=2) as consumer:
            await adapter.publish_many(new_queue, [{"n": n} for n in range(5)])
            await slow.has_begun(2)
            cleaning = asyncio.ensure_future(adapter.cleanup())
            await some_turns()
            assert not cleaning.done(), "cleanup() ended while callbacks were running."
            slow.release()
            await within_patience(cleaning, "The callbacks have returned, and cleanup() waits on.")
            await until(consumer.task.done, "An adapter was cleaned up, and its consumer goes on.")
        assert (sorted(slow.begun), sorted(slow.finished), slow.interrupted) == ([0, 1], [0, 1], [])

    async def test_no_message_is_lost_by_a_cleanup(
        self, adapter: MessageAdapter, capabilities: frozenset[str], make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """What wasn't begun, or fetched and not begun, is given to the next of the group."""
        self.needs(capabilities, AT_LEAST_ONCE, GROUPS)
        slow = Slow()
        other = make()
        async with other, self.consumer(other, new_queue, slow, group="g", concurrency=2):
            await adapter.publish_many(new_queue, [{"n": n} for n in range(20)])
            await slow.has_begun(2)
            cleaning = asyncio.ensure_future(other.cleanup())
            await some_turns()
            slow.release()
            await cleaning
        async with self.consumer(adapter, new_queue, group="g") as consumer:
            await until(
                lambda: {body["n"] for body in consumer.bodies} | {*slow.finished} >= {*range(20)},
                "An adapter was cleaned up while it consumed, and messages are lost.",
            )

    async def test_a_callback_can_clean_the_adapter_up(
        self, make: Callable[[], MessageAdapter], new_queue: str
    ) -> None:
        """cleanup() doesn't wait for the one that has called it."""
        adapter = make()

        async def callback(_: Message) -> None:
            await adapter.cleanup()

        async with adapter, self.consumer(adapter, new_queue, callback) as consumer:
            await adapter.publish(new_queue, {"n": 1})
            await until(consumer.task.done, "A callback has cleaned up its adapter, and both wait for each other.")

    async def test_consumers_that_have_ended_leave_nothing_behind(
        self, adapter: MessageAdapter, new_queue: str
    ) -> None:
        """No task, thread, socket or file."""
        await self._consume_once(adapter, new_queue)
        before = Held.now()
        for _ in range(_LIVES):
            await self._consume_once(adapter, new_queue)
        left = await left_behind(before, allowed=_LIVES // 2)
        assert left == [], f"After {_LIVES} times consume(), cancelled each time: {left}."

    async def _consume_once(self, adapter: MessageAdapter, queue: str) -> None:
        async with self.consumer(adapter, queue):
            pass
