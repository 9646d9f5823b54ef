"""The contract of a message bus.

A message is a JSON object, published to a queue (a channel, a stream, a subject: the backend's word for it).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - of a dataclass's fields, which a tool may look at
from typing import TYPE_CHECKING, Any

from oneiric.adapters.base import Adapter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

AT_LEAST_ONCE = "at-least-once"
"""A message is acknowledged only after the callback has returned, and given again where that didn't come to be."""
DURABLE = "durable"
"""A message, once its publish has returned, survives a restart of the broker."""
DEAD_LETTERS = "dead-letters"
"""A message whose callback fails again and again is put aside, with the error."""
GAPS = "gaps"
"""`on_gap` is told when messages may have been lost."""
GROUPS = "groups"
"""Consumers of one group share the messages between them."""
IDEMPOTENCY = "idempotency"
"""Publishing an `idempotency_key` a second time publishes no second message."""
ORDER_BY_KEY = "order-by-key"
"""Messages of one key are handled one after the other, in the order in which they were published."""
PATTERNS = "patterns"
"""A queue to consume from or subscribe to may be a pattern: `sandcastle:*:events`."""
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


class MessageAdapter(Adapter):
    """A message bus.

    Each method raises NotInitialized before `init`, InvalidMessage for what is no JSON object, ConnectionFailed and
    DeadlineExceeded, and Unsupported for what the bus can't do, before anything is sent. `timeout` is in seconds; None is the
    adapter's default. A queue's name is any string of 1 to 200 characters that can be printed.
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
        """Publish a message; returns its id once the broker has it."""

    @abstractmethod
    async def publish_many(
        self, queue: str, messages: Iterable[Mapping[str, Any] | Outgoing], *, timeout: float | None = None
    ) -> list[str]:
        """Publish messages in their order; returns their ids. All are checked before any is sent."""

    @abstractmethod
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

        `concurrency` is how many callbacks may run at a time. Consumers of one `group` (the adapter's default, where None)
        share the messages, where the bus has groups; without, each gets all. `since` is a message's id or a time (aware) to
        begin after. A connection that is lost is made again. What `callback` raises is logged, and the message given again
        where the bus is at-least-once; `on_gap` is awaited where messages may have been lost.
        """

    @abstractmethod
    def subscribe(
        self, queue: str, *, since: str | datetime | None = None, on_gap: OnGap | None = None
    ) -> AsyncGenerator[Message]:
        """The messages of a queue as they come, each counted as handled when the next is asked for.

        It is subscribed when the first is asked for. Close it (`contextlib.aclosing`) when you have had enough.
        """

    @property
    @abstractmethod
    def raw(self) -> Any:
        """The driver's own client, for what the contract doesn't cover. Raises NotInitialized."""
