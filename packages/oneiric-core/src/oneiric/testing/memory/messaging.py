"""A message bus in memory: the reference of the messaging contract, and a test double for applications.

```python
async with MemoryMessaging() as bus:
    consumer = asyncio.create_task(bus.consume("orders", handle))
    await bus.publish("orders", {"id": 7})
```
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from oneiric.adapters.base import AdapterSettings, Health
from oneiric.adapters.messaging.base import (
    AT_LEAST_ONCE,
    DEAD_LETTERS,
    GAPS,
    GROUPS,
    IDEMPOTENCY,
    ORDER_BY_KEY,
    PATTERNS,
    REPLAY,
    Callback,
    DeadLetter,
    Message,
    MessageAdapter,
    OnGap,
    Outgoing,
)
from oneiric.adapters.messaging.checking import Checks
from oneiric.errors import InvalidMessage
from oneiric.spec import AdapterSpec
from oneiric.testing.memory.message_log import MessageLog
from oneiric.testing.memory.message_reader import MessageConsumer, MessageReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping
    from datetime import datetime

    from oneiric.testing.memory.message_log import Backlog

CAPABILITIES = frozenset({AT_LEAST_ONCE, DEAD_LETTERS, GAPS, GROUPS, IDEMPOTENCY, ORDER_BY_KEY, PATTERNS, REPLAY})
"""All but `durable`."""


def _known(capability: str) -> str:
    if capability not in CAPABILITIES:
        raise ValueError(f"is none of {', '.join(sorted(CAPABILITIES))}")
    return capability


Capability = Annotated[str, AfterValidator(_known)]
"""One that this adapter has."""


class MemoryMessagingSettings(AdapterSettings):
    """Where the messages are, and what the bus is to do without."""

    broker: str = "default"
    """Adapters of one broker share its messages; it is gone when the last of them is cleaned up."""
    group: str = "default"
    """The group of the consumers that name none."""
    max_deliveries: int = 3
    """How often a message is given before it is put aside as a dead letter."""
    drain: float = 10.0
    """How long a cleanup waits for the callbacks that were begun, in seconds."""
    without: frozenset[Capability] = frozenset()
    """Capabilities to do without, as the bus that this one stands in for does."""

    def lacks(self) -> frozenset[str]:
        """What it is to do without."""
        return self.without


SPEC = AdapterSpec(
    "memory-messaging",
    type="messaging",
    summary="A message bus in memory, for tests.",
    adapter="oneiric.testing.memory.messaging:MemoryMessaging",
    settings=MemoryMessagingSettings,
    capabilities=CAPABILITIES,
    example={"broker": "tests"},
)


class MemoryMessaging(MessageAdapter):
    """A message bus in memory."""

    settings_class = MemoryMessagingSettings
    settings: MemoryMessagingSettings
    _log: MessageLog | None = None

    def __init__(self, settings: AdapterSettings | Mapping[str, Any] | None = None) -> None:
        super().__init__(settings)
        self._readers: set[MessageReader] = set()

    async def init(self) -> None:
        """Find the messages, or begin with none."""
        if self._log is None:
            self._log = MessageLog.of(self.settings.broker)

    async def health(self) -> Health:
        """Whether it is initialised."""
        return Health(self._log is not None, "In memory." if self._log else "It is not initialised.")

    async def cleanup(self) -> None:
        """Let the consumers finish what they have begun, and end; after `drain` seconds their callbacks are cancelled."""
        self._log = None
        for reader in self._readers:
            reader.stop()
        consumers = [reader for reader in self._readers if isinstance(reader, MessageConsumer)]
        if not consumers or any(asyncio.current_task() in consumer.handling for consumer in consumers):
            return
        _, late = await asyncio.wait({consumer.ended for consumer in consumers}, timeout=self.settings.drain)
        for consumer in consumers if late else ():
            consumer.abandon()

    async def publish(
        self,
        queue: str,
        message: Mapping[str, Any],
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - nothing here waits
    ) -> str:
        """Publish a message."""
        headers = {} if headers is None else headers
        outgoing = Outgoing(body=message, key=key, headers=headers, idempotency_key=idempotency_key)
        return (await self.publish_many(queue, [outgoing]))[0]

    async def publish_many(
        self,
        queue: str,
        messages: Iterable[Mapping[str, Any] | Outgoing],
        *,
        timeout: float | None = None,  # noqa: ARG002
    ) -> list[str]:
        """Publish messages, all or, where one can't be, none."""
        log, checks = self.raw, self._checks
        checks.queue(queue)
        return log.publish(queue, [checks.message(message) for message in messages])

    async def consume(
        self,
        queue: str,
        callback: Callback,
        *,
        group: str | None = None,
        concurrency: int = 1,
        since: str | datetime | None = None,
        on_gap: OnGap | None = None,
    ) -> None:
        """Await `callback` for each message, until cancelled or cleaned up."""
        log, checks = self.raw, self._checks
        checks.source(queue)
        checks.consumer(callback, group, concurrency)
        self._check_beginning(since, on_gap)
        backlog = self._join(log, queue, group or self.settings.group, since)
        consumer = MessageConsumer(
            log, backlog, on_gap, callback=callback, concurrency=concurrency, deliveries=self._deliveries
        )
        self._enter(log, consumer)
        try:
            await consumer.run()
        finally:
            self._leave(log, consumer)

    async def subscribe(
        self, queue: str, *, since: str | datetime | None = None, on_gap: OnGap | None = None
    ) -> AsyncGenerator[Message]:
        """The messages of a queue as they come."""
        log, checks = self.raw, self._checks
        checks.source(queue)
        self._check_beginning(since, on_gap)
        backlog = log.backlog(queue, since)
        log.alone.append(backlog)
        reader = MessageReader(log, backlog, on_gap)
        self._enter(log, reader)
        try:
            while (message := await reader.next()) is not None:
                yield message
        finally:
            self._leave(log, reader)

    async def dead_letters(
        self,
        queue: str,
        *,
        group: str | None = None,
        limit: int = 100,
        timeout: float | None = None,  # noqa: ARG002
    ) -> list[DeadLetter]:
        """The messages that were put aside for a group."""
        log, checks = self.raw, self._checks
        checks.can(DEAD_LETTERS, queue)
        checks.can(GROUPS, group)
        checks.source(queue)
        backlog = log.groups.get((queue, group or self.settings.group))
        return backlog.dead[:limit] if backlog else []

    def report_gap(self, reason: str = "This is a test.") -> None:
        """Tell all who receive from this broker that messages may have been lost, for tests of what they do then."""
        self.raw.report_gap(reason)

    @property
    def raw(self) -> MessageLog:
        """All messages, and who gets them."""
        if self._log is None:
            raise self.not_initialized()
        return self._log

    @property
    def _capabilities(self) -> frozenset[str]:
        return CAPABILITIES - self.settings.without

    @property
    def _checks(self) -> Checks:
        return Checks(self._capabilities, self.name)

    @property
    def _deliveries(self) -> int | None:
        """How often a message may be given; None for without end."""
        if AT_LEAST_ONCE not in self._capabilities:
            return 1
        return self.settings.max_deliveries if DEAD_LETTERS in self._capabilities else None

    def _check_beginning(self, since: object, on_gap: object) -> None:
        self._checks.beginning(since, on_gap)
        if isinstance(since, str) and not self.raw.knows(since):
            raise InvalidMessage("`since` is not the id of a message.", adapter=self.name)

    def _join(self, log: MessageLog, queue: str, group: str, since: str | datetime | None) -> Backlog:
        """The backlog of a group, or where the bus has no groups, one of the consumer's own."""
        if GROUPS not in self._capabilities:
            log.alone.append(backlog := log.backlog(queue, since))
            return backlog
        if (queue, group) not in log.groups:
            keeps = AT_LEAST_ONCE in self._capabilities
            log.groups[queue, group] = log.backlog(queue, since, from_the_oldest=keeps)
        return log.groups[queue, group]

    def _enter(self, log: MessageLog, reader: MessageReader) -> None:
        reader.backlog.members += 1
        log.readers.add(reader)
        self._readers.add(reader)

    def _leave(self, log: MessageLog, reader: MessageReader) -> None:
        """End a reader, and its backlog unless that is kept for another one of its group."""
        reader.backlog.members -= 1
        log.readers.discard(reader)
        self._readers.discard(reader)
        if reader.backlog.members:
            return
        log.alone = [backlog for backlog in log.alone if backlog is not reader.backlog]
        if AT_LEAST_ONCE not in self._capabilities:
            log.groups = {name: backlog for name, backlog in log.groups.items() if backlog is not reader.backlog}
