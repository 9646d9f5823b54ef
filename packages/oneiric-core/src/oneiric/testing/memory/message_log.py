"""The broker of the messages in memory: all that was published, and who is to get it."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from oneiric.adapters.messaging.base import DeadLetter, Gap, Message
from oneiric.testing.memory.change import Change

if TYPE_CHECKING:
    from oneiric.adapters.messaging.checking import Checked
    from oneiric.testing.memory.message_reader import MessageReader

_logs: WeakValueDictionary[str, MessageLog] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Published:
    """A message, as it is kept."""

    number: int
    queue: str
    checked: Checked
    published_at: datetime

    def message(self, delivery_count: int) -> Message:
        """The message, as it is given."""
        return Message(
            id=str(self.number),
            queue=self.queue,
            body=json.loads(self.checked.body),
            published_at=self.published_at,
            delivery_count=delivery_count,
            headers=dict(self.checked.headers),
            key=self.checked.key,
        )


@dataclass(eq=False, slots=True)
class Delivery:
    """A message that somebody is to handle."""

    published: Published
    count: int = 0
    """How often it was given."""
    is_out: bool = False
    """Whether it is being handled."""


class Backlog:
    """What a group, or a single subscriber, is still to handle, in the order in which it was published."""

    def __init__(self, source: str) -> None:
        self.source = source
        """The name of a queue, or a pattern."""
        self._pattern = re.compile(".*".join(map(re.escape, source.split("*"))))
        self.deliveries: list[Delivery] = []
        self.dead: list[DeadLetter] = []
        self.members = 0
        """How many consumers share it."""

    def add(self, published: Published) -> None:
        """A message was published; it is of interest where the queue's name fits."""
        if self._pattern.fullmatch(published.queue):
            self.deliveries.append(Delivery(published))

    def take(self) -> Delivery | None:
        """The first message that nobody handles, and none of whose key."""
        busy = {delivery.published.checked.key for delivery in self.deliveries if delivery.is_out} - {None}
        for delivery in self.deliveries:
            if not delivery.is_out and delivery.published.checked.key not in busy:
                delivery.is_out = True
                delivery.count += 1
                return delivery
        return None

    def give_back(self, delivery: Delivery) -> None:
        """It was not handled: it keeps its place."""
        delivery.is_out = False

    def remove(self, delivery: Delivery) -> None:
        """It was handled, or never will be."""
        self.deliveries.remove(delivery)

    def bury(self, delivery: Delivery, error: str) -> None:
        """Put it aside for good."""
        self.remove(delivery)
        self.dead.append(DeadLetter(delivery.published.message(delivery.count), error))


class MessageLog:
    """The messages of all adapters that name it. Everything happens in one event loop, so nothing here needs a lock."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.published: list[Published] = []
        self.groups: dict[tuple[str, str], Backlog] = {}
        self.alone: list[Backlog] = []
        """Of subscribers, and of consumers without a group."""
        self.readers: set[MessageReader] = set()
        self.change = Change()
        self._keys: dict[tuple[str, str], str] = {}

    @classmethod
    def of(cls, name: str) -> MessageLog:
        """The log of a name in this event loop, which is there for as long as somebody holds it."""
        log = _logs.get(name)
        if log is None or log.loop is not asyncio.get_running_loop():
            log = _logs[name] = cls()
        return log

    def publish(self, queue: str, messages: list[Checked]) -> list[str]:
        """Keep messages, but for those of an idempotency key that is there already; returns the ids."""
        ids = [self._add(queue, checked) for checked in messages]
        self.change.tell()
        return ids

    def _add(self, queue: str, checked: Checked) -> str:
        number = len(self.published) + 1
        if checked.idempotency_key is not None:
            first = self._keys.setdefault((queue, checked.idempotency_key), str(number))
            if first != str(number):
                return first
        published = Published(number, queue, checked, datetime.now(UTC))
        self.published.append(published)
        for backlog in [*self.groups.values(), *self.alone]:
            backlog.add(published)
        return str(number)

    def backlog(self, source: str, since: str | datetime | None, *, from_the_oldest: bool = False) -> Backlog:
        """A new backlog: of what was published after a point in the past, or is from now on."""
        backlog = Backlog(source)
        for published in self.published if since is not None or from_the_oldest else ():
            if since is None or self._is_after(published, since):
                backlog.add(published)
        return backlog

    def _is_after(self, published: Published, since: str | datetime) -> bool:
        return published.published_at > since if isinstance(since, datetime) else published.number > int(since)

    def knows(self, message_id: str) -> bool:
        """Whether it is the id of a message, or `0`, before all."""
        return message_id in map(str, range(len(self.published) + 1))

    def report_gap(self, reason: str) -> None:
        """Tell all who receive that messages may have been lost."""
        for reader in self.readers:
            reader.gaps.append(Gap(reader.backlog.source, datetime.now(UTC), reason))
        self.change.tell()
