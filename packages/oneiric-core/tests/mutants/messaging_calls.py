"""Wrong message buses: what is known of a message, groups, dead letters, and calls that are cancelled."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from oneiric.adapters.messaging.base import DeadLetter, Message, Outgoing
from oneiric.errors import OneiricError
from oneiric.testing import patience
from oneiric.testing.memory import MemoryMessaging

from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from oneiric.adapters.messaging.base import Callback

patience.PATIENCE = 2.0  # before the suite takes it: what a mutant never does isn't waited for as long
from test_memory_messaging import TestMemoryMessaging, TestMemoryMessagingWithoutGroups  # noqa: E402


class ChangesMessages(MemoryMessaging):
    """Base of those that say something wrong of a message."""

    def changed(self, message: Message) -> Message:
        raise NotImplementedError

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        async def wrapped(message: Message) -> None:
            await callback(self.changed(message))

        await super().consume(queue, wrapped, **options)


class TakesMillisecondsForSeconds(ChangesMessages):
    def changed(self, message: Message) -> Message:
        when = message.published_at
        return dataclasses.replace(message, published_at=when and datetime.fromtimestamp(when.timestamp() / 1000, UTC))


class SaysTimesAsTheyAreHere(ChangesMessages):
    def changed(self, message: Message) -> Message:
        when = message.published_at
        return dataclasses.replace(message, published_at=when and when.replace(tzinfo=None))


class SaysWhereItListens(ChangesMessages):
    """And not where the message was published."""

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        self.source = queue
        await super().consume(queue, callback, **options)

    def changed(self, message: Message) -> Message:
        return dataclasses.replace(message, queue=self.source)


class GivesAnIdOfItsOwn(ChangesMessages):
    def changed(self, message: Message) -> Message:
        return dataclasses.replace(message, id=uuid4().hex)


class TakesAMessagesQueueForItsOwn(ChangesMessages):
    """What a message has by the name of a field of ours is lost."""

    def changed(self, message: Message) -> Message:
        return dataclasses.replace(
            message, body={k: v for k, v in message.body.items() if k not in ("body", "headers")}
        )


class LowersTheNamesOfHeaders(ChangesMessages):
    """As HTTP would have them."""

    def changed(self, message: Message) -> Message:
        return dataclasses.replace(message, headers={name.lower(): value for name, value in message.headers.items()})


class HasAGroupForEachThatNamesNone(MemoryMessaging):
    async def consume(self, queue: str, callback: Callback, *, group: str | None = None, **options: Any) -> None:
        await super().consume(queue, callback, group=group or uuid4().hex, **options)


class BeginsAGroupWithWhatComes(MemoryMessaging):
    """What was published before it is lost."""

    def _join(self, log: Any, queue: str, group: str, since: Any) -> Any:
        if since is None and (queue, group) not in log.groups:
            log.groups[queue, group] = log.backlog(queue, None)
        return super()._join(log, queue, group, since)


class PutsAllDeadLettersTogether(MemoryMessaging):
    """Those of each group."""

    async def dead_letters(self, queue: str, *, group: str | None = None, limit: int = 100, timeout: Any = None) -> Any:
        groups = [name for source, name in self.raw.groups if source == queue]
        found: list[DeadLetter] = []
        for each in groups:
            found += await super().dead_letters(queue, group=each, limit=limit)
        return found[:limit]


class GivesTheLatestDeadLettersFirst(MemoryMessaging):
    async def dead_letters(self, queue: str, *, group: str | None = None, limit: int = 100, timeout: Any = None) -> Any:
        return (await super().dead_letters(queue, group=group))[::-1][:limit]


class NeverInterruptsACallback(MemoryMessaging):
    """However often it is told to."""

    async def consume(self, queue: str, callback: Callback, **options: Any) -> None:
        async def shielded(message: Message) -> None:
            handling = asyncio.ensure_future(callback(message))
            try:
                await asyncio.shield(handling)
            except asyncio.CancelledError:
                await asyncio.wait([handling], timeout=4.0)
                raise

        await super().consume(queue, shielded, **options)


class TakesTrueForAConcurrency(MemoryMessaging):
    async def consume(self, queue: str, callback: Callback, *, concurrency: Any = 1, **options: Any) -> None:
        await super().consume(queue, callback, concurrency=1 if concurrency is True else concurrency, **options)


class HoldsItsLockWhereItIsCancelled(MemoryMessaging):
    """It is released behind the work, and not in a `finally`."""

    lock: asyncio.Lock | None = None

    async def publish_many(self, queue: str, messages: Iterable[Any], *, timeout: float | None = None) -> list[str]:
        self.lock = self.lock or asyncio.Lock()
        await self.lock.acquire()
        await asyncio.sleep(0)
        ids = await super().publish_many(queue, messages)
        self.lock.release()
        return ids


class GivesTheIdOfACancelledPublish(MemoryMessaging):
    """To the next, as with a connection that still has it to read."""

    unread: str | None = None

    async def publish(self, queue: str, message: Mapping[str, Any], **options: Any) -> str:
        message_id = await super().publish(queue, message, **options)
        if self.unread is not None:
            message_id, self.unread = self.unread, None
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.unread = message_id
            raise
        return message_id


class TurnsACancelIntoAnError(MemoryMessaging):
    async def publish(self, queue: str, message: Mapping[str, Any], **options: Any) -> str:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise OneiricError("It was cancelled.", adapter=self.name) from None
        return await super().publish(queue, message, **options)


class GivesAKeyToEachQueue(MemoryMessaging):
    """One that was used in another queue is used."""

    keys: dict[str, str] = {}

    async def publish_many(self, queue: str, messages: Iterable[Any], *, timeout: float | None = None) -> list[str]:
        listed = [*messages]
        for each in listed:
            if isinstance(each, Outgoing) and each.idempotency_key in self.keys:
                return [self.keys[each.idempotency_key]]
        ids = await super().publish_many(queue, listed)
        for each, message_id in zip(listed, ids, strict=True):
            if isinstance(each, Outgoing) and each.idempotency_key:
                self.keys[each.idempotency_key] = message_id
        return ids


class EndsASubscriptionThatIsCancelled(MemoryMessaging):
    """As if the bus were cleaned up."""

    async def subscribe(self, queue: str, **options: Any) -> AsyncGenerator[Message]:
        with suppress(asyncio.CancelledError):
            async for message in super().subscribe(queue, **options):
                yield message


class BeginsWithWhatWasPublishedBefore(MemoryMessaging):
    """The last one is kept, and given to whoever comes."""

    async def subscribe(self, queue: str, *, since: Any = None, **options: Any) -> AsyncGenerator[Message]:
        async for message in super().subscribe(queue, since="0" if since is None else since, **options):
            yield message


def _mutant(adapter: type, caught_by: str) -> Mutant:
    return Mutant(adapter, TestMemoryMessaging, caught_by)


USABLE = "test_a_call_that_is_cancelled_anywhere_leaves_the_adapter_usable"
MUTANTS = [
    _mutant(TakesMillisecondsForSeconds, "test_a_message_is_a_mapping_with_what_is_known_of_it"),
    _mutant(SaysTimesAsTheyAreHere, "test_a_message_is_a_mapping_with_what_is_known_of_it"),
    _mutant(SaysWhereItListens, "test_a_pattern_receives_from_all_queues_that_fit"),
    _mutant(GivesAnIdOfItsOwn, "test_a_message_is_a_mapping_with_what_is_known_of_it"),
    _mutant(TakesAMessagesQueueForItsOwn, "test_messages_arrive_as_they_were"),
    _mutant(LowersTheNamesOfHeaders, "test_headers_arrive_as_they_were"),
    _mutant(HasAGroupForEachThatNamesNone, "test_consumers_of_a_group_share_the_messages"),
    _mutant(BeginsAGroupWithWhatComes, "test_a_new_group_begins_with_the_oldest_message"),
    _mutant(PutsAllDeadLettersTogether, "test_dead_letters_are_those_of_one_group"),
    _mutant(GivesTheLatestDeadLettersFirst, "test_dead_letters_are_the_oldest_first_and_no_more_than_are_asked_for"),
    Mutant(
        NeverInterruptsACallback,
        TestMemoryMessagingWithoutGroups,
        "test_a_consumer_that_is_cancelled_again_interrupts_what_it_has_begun",
    ),
    _mutant(TakesTrueForAConcurrency, "test_an_option_that_can_not_be_is_refused"),
    _mutant(HoldsItsLockWhereItIsCancelled, USABLE),
    _mutant(GivesTheIdOfACancelledPublish, USABLE),
    _mutant(TurnsACancelIntoAnError, USABLE),
    _mutant(GivesAKeyToEachQueue, "test_an_idempotency_key_published_again_publishes_nothing"),
    _mutant(EndsASubscriptionThatIsCancelled, "test_a_subscriber_that_is_cancelled_while_it_waits_ends_as_cancelled"),
    _mutant(BeginsWithWhatWasPublishedBefore, "test_what_was_published_before_is_not_given"),
]
