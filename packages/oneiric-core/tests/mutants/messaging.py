"""Wrong message buses."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from contextlib import suppress
from fnmatch import translate
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from oneiric.adapters.messaging.base import Message, Outgoing
from oneiric.errors import ConnectionFailed
from oneiric.testing import patience
from oneiric.testing.memory import MemoryMessaging

from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from oneiric.adapters.messaging.base import Callback
    from oneiric.testing.memory.message_log import Backlog

patience.PATIENCE = 2.0  # before the suite takes it: what a mutant never does isn't waited for as long
from test_memory_messaging import TestMemoryMessaging, TestMemoryMessagingThatCanDoLittle  # noqa: E402


class WrapsCallbacks(MemoryMessaging):
    """Base of those that do something wrong around a callback."""

    async def handle(self, callback: Callback, message: Message) -> None:
        raise NotImplementedError

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        async def wrapped(message: Message) -> None:
            await self.handle(callback, message)

        await super().consume(queue, wrapped, **options)


class AcknowledgesBeforeTheCallback(WrapsCallbacks):
    async def handle(self, callback: Callback, message: Message) -> None:
        with suppress(asyncio.CancelledError):
            await callback(message)


class DropsWhatACallbackRaisesFor(WrapsCallbacks):
    async def handle(self, callback: Callback, message: Message) -> None:
        with suppress(ValueError):
            await callback(message)


class CountsNoDeliveries(WrapsCallbacks):
    async def handle(self, callback: Callback, message: Message) -> None:
        await callback(dataclasses.replace(message, delivery_count=1))


class EndsWhereACallbackRaises(WrapsCallbacks):
    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        self.failed = asyncio.get_running_loop().create_future()
        consuming = asyncio.ensure_future(super().consume(queue, callback, **options))
        done, _ = await asyncio.wait([consuming, self.failed], return_when=asyncio.FIRST_COMPLETED)
        consuming.cancel()
        for each in done:
            each.result()

    async def handle(self, callback: Callback, message: Message) -> None:
        try:
            await callback(message)
        except ValueError as error:
            if not self.failed.done():
                self.failed.set_exception(error)


class SwallowsCancels(MemoryMessaging):
    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        with suppress(asyncio.CancelledError):
            await super().consume(queue, callback, **options)


class InterruptsItsCallbacks(MemoryMessaging):
    async def cleanup(self) -> None:
        for reader in self._readers:
            for task in getattr(reader, "handling", ()):
                task.cancel()
        await super().cleanup()


class ForgetsAtItsEnd(MemoryMessaging):
    async def cleanup(self) -> None:
        for reader in self._readers:
            reader.backlog.deliveries = [each for each in reader.backlog.deliveries if each.is_out]
        await super().cleanup()


class SaysThatItWasCleanedUp(MemoryMessaging):
    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        await super().consume(queue, callback, **options)
        raise ConnectionFailed("The adapter was cleaned up.")


class InterruptsWhenSwapped(InterruptsItsCallbacks):
    """As when it is cleaned up otherwise."""


class ForgetsWhenSwapped(ForgetsAtItsEnd):
    """As when it is cleaned up otherwise."""


class EndsLate(MemoryMessaging):
    async def subscribe(self, queue: str, **options: Any) -> AsyncGenerator[Message]:
        async for message in super().subscribe(queue, **options):
            yield message
        await asyncio.Event().wait()


class EndsLateWhenSwapped(EndsLate):
    """As when it is cleaned up otherwise."""


class GivesAllToEachOfAGroup(MemoryMessaging):
    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        await super().consume(queue, callback, **{**options, "group": uuid4().hex})


class HandlesOneAtATime(MemoryMessaging):
    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        await super().consume(queue, callback, **{**options, "concurrency": 1})


class HandlesTooMany(MemoryMessaging):
    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        await super().consume(queue, callback, **{**options, "concurrency": 2 * options.get("concurrency", 1)})


class PublishesInAnyOrder(MemoryMessaging):
    async def publish_many(self, queue: str, messages: Iterable[Any], *, timeout: float | None = None) -> list[str]:
        return (await super().publish_many(queue, [*messages][::-1]))[::-1]


class PublishesOneByOne(MemoryMessaging):
    async def publish_many(self, queue: str, messages: Iterable[Any], *, timeout: float | None = None) -> list[str]:
        return [(await super(PublishesOneByOne, self).publish_many(queue, [each]))[0] for each in messages]


class PublishesAKeyAgain(MemoryMessaging):
    async def publish_many(self, queue: str, messages: Iterable[Any], *, timeout: float | None = None) -> list[str]:
        plain = [
            dataclasses.replace(each, idempotency_key=None) if isinstance(each, Outgoing) else each for each in messages
        ]
        return await super().publish_many(queue, plain)


class KeepsOldHeaders(MemoryMessaging):
    """Those of the message before, where one has none."""

    last: dict[str, str] = {}

    async def publish(self, queue: str, message: Any, *, headers: Any = None, **options: Any) -> str:
        self.last = headers or self.last
        return await super().publish(queue, message, headers=self.last, **options)


class TakesPatternsForGlobs(MemoryMessaging):
    def _join(self, log: Any, queue: str, group: str, since: Any) -> Backlog:
        return _globbed(super()._join(log, queue, group, since))

    def _enter(self, log: Any, reader: Any) -> None:
        _globbed(reader.backlog)
        super()._enter(log, reader)


class KeepsNoOrder(MemoryMessaging):
    def _join(self, log: Any, queue: str, group: str, since: Any) -> Backlog:
        backlog = super()._join(log, queue, group, since)
        backlog.take = lambda: _first(backlog)  # type: ignore[method-assign]
        return backlog


class SkipsEmptyMessages(MemoryMessaging):
    async def subscribe(self, queue: str, **options: Any) -> AsyncGenerator[Message]:
        stream = super().subscribe(queue, **options)
        while message := await anext(stream, None):
            yield message


class LeavesATask(MemoryMessaging):
    tasks = frozenset[Any]()

    async def subscribe(self, queue: str, **options: Any) -> AsyncGenerator[Message]:
        self.tasks |= {asyncio.ensure_future(asyncio.sleep(20))}
        async for message in super().subscribe(queue, **options):
            yield message


class BeginsNowWhateverItIsTold(MemoryMessaging):
    async def subscribe(self, queue: str, *, since: Any = None, **options: Any) -> AsyncGenerator[Message]:
        async for message in super().subscribe(queue, **options):
            yield message


def _globbed(backlog: Backlog) -> Backlog:
    backlog._pattern = re.compile(translate(backlog.source))
    return backlog


def _first(backlog: Backlog) -> Any:
    delivery = next((each for each in backlog.deliveries if not each.is_out), None)
    if delivery:
        delivery.is_out = True
        delivery.count += 1
    return delivery


def _mutant(adapter: type, caught_by: str) -> Mutant:
    return Mutant(adapter, TestMemoryMessaging, caught_by)


MUTANTS = [
    _mutant(AcknowledgesBeforeTheCallback, "test_a_message_is_acknowledged_only_when_its_callback_has_returned"),
    _mutant(DropsWhatACallbackRaisesFor, "test_a_message_whose_callback_raises_is_given_again"),
    _mutant(CountsNoDeliveries, "test_a_message_whose_callback_raises_is_given_again"),
    Mutant(
        EndsWhereACallbackRaises,
        TestMemoryMessagingThatCanDoLittle,
        "test_a_callback_that_raises_does_not_end_the_consumer",
    ),
    _mutant(SwallowsCancels, "test_a_consumer_that_is_cancelled_ends_as_cancelled"),
    _mutant(InterruptsItsCallbacks, "test_a_cleanup_waits_for_what_consumers_have_begun"),
    _mutant(ForgetsAtItsEnd, "test_no_message_is_lost_by_a_cleanup"),
    _mutant(InterruptsWhenSwapped, "test_a_swap_waits_for_what_consumers_have_begun"),
    _mutant(ForgetsWhenSwapped, "test_no_message_is_lost_by_swaps"),
    _mutant(SaysThatItWasCleanedUp, "test_a_consumer_goes_on_when_its_adapter_is_swapped"),
    _mutant(EndsLateWhenSwapped, "test_a_subscription_goes_on_when_its_adapter_is_swapped"),
    _mutant(EndsLate, "test_a_subscription_ends_when_its_adapter_is_cleaned_up"),
    _mutant(GivesAllToEachOfAGroup, "test_consumers_of_a_group_share_the_messages"),
    _mutant(HandlesOneAtATime, "test_as_many_messages_are_handled_at_a_time_as_may_be"),
    _mutant(HandlesTooMany, "test_one_message_is_handled_at_a_time"),
    _mutant(PublishesInAnyOrder, "test_a_thousand_messages_published_together_arrive_in_order"),
    _mutant(PublishesOneByOne, "test_many_messages_are_all_checked_before_any_is_sent"),
    _mutant(PublishesAKeyAgain, "test_an_idempotency_key_published_again_publishes_nothing"),
    _mutant(KeepsOldHeaders, "test_random_commands_are_answered_as_by_the_reference"),
    _mutant(TakesPatternsForGlobs, "test_only_the_star_is_special_in_a_pattern"),
    _mutant(KeepsNoOrder, "test_messages_of_one_key_are_handled_one_after_the_other"),
    _mutant(SkipsEmptyMessages, "test_an_empty_message_is_a_message_too"),
    _mutant(LeavesATask, "test_subscriptions_that_were_closed_leave_nothing_behind"),
    Mutant(BeginsNowWhateverItIsTold, TestMemoryMessagingThatCanDoLittle, "test_what_is_not_declared_is_unsupported"),
]
