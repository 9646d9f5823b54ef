"""The contract of a message bus.

A message is a JSON object, published to a queue (a channel, a stream, a subject: the backend's word for it).
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - of a dataclass's fields, which a tool may look at
from typing import TYPE_CHECKING, Any

from oneiric.adapters.base import Adapter
from oneiric.adapters.lasting import lasting

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

logger = logging.getLogger("oneiric.messaging")

AT_LEAST_ONCE = "at-least-once"
"""A message is acknowledged only after the callback has returned, and given again where that didn't come to be.

What is published while nobody consumes is kept for a group's consumers: a new group begins with the oldest message kept.
"""
DURABLE = "durable"
"""A message, once its publish has returned, survives a restart of the broker."""
DEAD_LETTERS = "dead-letters"
"""A message whose callback fails again and again is put aside, with the error."""
GAPS = "gaps"
"""`on_gap` is told when messages may have been lost. A bus that is known to lose none has it too."""
GROUPS = "groups"
"""Consumers of one group share the messages between them."""
IDEMPOTENCY = "idempotency"
"""Publishing an `idempotency_key` a second time publishes no second message."""
ORDER_BY_KEY = "order-by-key"
"""Messages of one key are handled one after the other, in the order in which they were published."""
PATTERNS = "patterns"
"""A queue to consume from or subscribe to may be a pattern: `sandcastle:*:events`. `*` is any characters, or none."""
REPLAY = "replay"
"""Consuming can begin at a point in the past: `since`."""


@dataclass(frozen=True, slots=True, eq=False)
class Message(Mapping[str, Any]):
    """A message as it is received: a mapping of what was published, with what is known of it beside."""

    id: str
    """Unique in its queue."""
    queue: str
    """Where it was published, also where a pattern was asked for."""
    body: Mapping[str, Any]
    published_at: datetime | None = None
    """In UTC; None where the backend doesn't say."""
    delivery_count: int = 1
    """Which delivery of it this is; more than 1 where an earlier one was not acknowledged."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """As published; `traceparent` and `tracestate` carry a trace's context."""
    key: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.body)

    def __len__(self) -> int:
        return len(self.body)


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of a queue may have been lost."""

    queue: str
    since: datetime
    """When it was last known that none was, in UTC."""
    reason: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was put aside."""

    message: Message
    """As it was last given: its `delivery_count` says how often that was."""
    error: str
    """What the callback raised last: `ValueError: …`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One of many messages to be published. The fields are the arguments of `publish`."""

    body: Mapping[str, Any]
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None


Callback = Callable[[Message], Awaitable[None]]
"""What a consumer does with a message. Where it raises, the message is not acknowledged."""

OnGap = Callable[[Gap], Awaitable[None]]


async def _tell_of_the_swap(
    since: datetime, /, queue: str, *_: object, on_gap: OnGap | None = None, **__: object
) -> None:
    """A consumer, or subscriber, that goes on on another adapter: what nobody had begun may be lost."""
    if on_gap is None:
        return
    reason = "The adapter was swapped for another, which has what was left to the old one only if both are of one durable bus."
    try:
        await on_gap(Gap(queue, since, reason))
    except Exception:
        logger.exception("`on_gap` has raised.")


class MessageAdapter(Adapter):
    """A message bus.

    Each method raises NotInitialized before `init`, InvalidMessage for what is no JSON object, ConnectionFailed and
    DeadlineExceeded, and Unsupported for what the bus can't do, before anything is sent: each option but `concurrency` and
    `headers` belongs to a capability. `timeout` is in seconds; None is the adapter's default. The name of a queue or group,
    and a key, is any string of 1 to 200 characters that can be printed; a queue's has no `*`, which makes a pattern.
    """

    @abstractmethod
    async def publish(
        self,
        queue: str,
        message: Mapping[str, Any],
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Publish a message; returns its id, the `Message.id` of who receives it, once the broker has it.

        A second publish of an `idempotency_key` to the queue publishes nothing, and returns the id of the first.
        """

    @abstractmethod
    async def publish_many(
        self, queue: str, messages: Iterable[Mapping[str, Any] | Outgoing], *, timeout: float | None = None
    ) -> list[str]:
        """Publish messages in their order; returns their ids. All are checked before any is sent."""

    @abstractmethod
    @lasting(between=_tell_of_the_swap)
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
        """Await `callback` for each message, until cancelled or cleaned up; those begun are finished first.

        Cancelled, it raises CancelledError; cleaned up, it returns; cancelled again, it cancels what still runs.

        `concurrency` is how many callbacks may run at a time. Consumers of one `group` (the adapter's default, where None)
        share the messages, where the bus has groups; without, each gets all. `since` is a message's id or a time (aware) to
        begin after; a group that has begun goes on where it is. A connection that is lost is made again. What `callback`
        raises is logged, and the message given again where the bus is at-least-once; `on_gap` is awaited where messages may
        have been lost.

        Of an adapter that an AdapterManager gave, a swap cleans up the old one, and the call goes on on the new, which
        `on_gap` is told: messages that are begun are finished first, and no others are given meanwhile.
        """

    @abstractmethod
    @lasting(between=_tell_of_the_swap)
    def subscribe(
        self, queue: str, *, since: str | datetime | None = None, on_gap: OnGap | None = None
    ) -> AsyncGenerator[Message]:
        """The messages of a queue as they come, each counted as handled when the next is asked for.

        It is subscribed when the first is asked for, and gets each message published from then on. It ends when the adapter is
        cleaned up, and goes on, as a consumer does, where that one was swapped. Close it (`contextlib.aclosing`) when you
        have had enough.
        """

    @abstractmethod
    async def dead_letters(
        self, queue: str, *, group: str | None = None, limit: int = 100, timeout: float | None = None
    ) -> list[DeadLetter]:
        """The messages of a queue that were put aside for a group (the default, where None), the oldest first."""

    @property
    @abstractmethod
    def raw(self) -> Any:
        """The driver's own client, for what the contract doesn't cover. Raises NotInitialized."""
