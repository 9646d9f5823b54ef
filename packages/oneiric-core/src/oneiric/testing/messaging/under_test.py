"""What the tests of a message bus are given: queues that nobody has used, and consumers that are known to listen.

A bus that is at most once doesn't say when a consumer is subscribed. So it is found out: marked messages are published until
one of them arrives. They are left out of what was received.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from oneiric.adapters.messaging.base import MessageAdapter
from oneiric.testing.guard import skip
from oneiric.testing.patience import PATIENCE, until
from oneiric.testing.under_test import AdapterUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from oneiric.adapters.messaging.base import Message

MARK = "conformance-kit-marker"
_PAUSE = 0.05
"""Seconds that a marker is given to arrive before the next is sent."""
_UNTIL_NEXT_CANCEL = 2.0


def is_marker(message: Message) -> bool:
    """Whether a message is there only to find out who listens."""
    return MARK in message


class Consumer:
    """A consumer in a task of its own, and what it has received."""

    def __init__(self, task: asyncio.Task[None], received: list[Message]) -> None:
        self.task = task
        self.received = received

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was published, of what it has received."""
        return [dict(message) for message in self.received]

    async def has(self, count: int) -> list[Message]:
        """Wait until it has received so many messages."""
        await until(
            lambda: len(self.received) >= count or self.task.done(), f"Of {count} messages, not all have arrived."
        )
        if self.task.done():
            self.task.result()
            pytest.fail("consume() has returned, though it was neither cancelled nor its adapter cleaned up.")
        return self.received

    async def stop(self) -> None:
        """Cancel it, and again where it doesn't end, for what its callback may still wait for."""
        while not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=_UNTIL_NEXT_CANCEL)


class MessagingUnderTest(AdapterUnderTest):
    """Base of the parts of `MessagingSuite`. The backend needn't be empty: queues and groups are new in each test."""

    contract = MessageAdapter

    @pytest.fixture
    def new_queue(self) -> str:
        """The name of a queue that nobody has used."""
        return f"kit-{uuid4().hex}"

    @pytest.fixture
    def restart(self) -> Callable[[], Awaitable[None]] | None:
        """How to kill the broker and start it again on its data: an async function. `durable` is proved by it."""
        return None

    @pytest.fixture
    def interrupt(self) -> Callable[[Any], Awaitable[None]] | None:
        """How to break the connections of an adapter, which it is to make again: an async function. `gaps` is proved by it."""
        return None

    def needs(self, capabilities: frozenset[str], *needed: str) -> None:
        """Skip a test of what the adapter doesn't claim."""
        for capability in needed:  # asked for one by one: a difference of sets would ask for none, and none be proved
            if capability not in capabilities:
                skip(f"The adapter doesn't declare the capability `{capability}`.")

    @asynccontextmanager
    async def consumer(
        self,
        adapter: Any,
        queue: str,
        callback: Callable[[Message], Awaitable[None]] | None = None,
        *,
        publish_to: str | None = None,
        **options: Any,
    ) -> AsyncIterator[Consumer]:
        """A consumer that is known to listen. Its callback is given no markers; what it returns from counts as received."""
        received: list[Message] = []
        listens = asyncio.Event()

        async def handle(message: Message) -> None:
            listens.set()
            if is_marker(message):
                return
            if callback is not None:
                await callback(message)
            received.append(message)

        consumer = Consumer(asyncio.ensure_future(adapter.consume(queue, handle, **options)), received)
        try:
            await self.publish_until(adapter, publish_to or queue, lambda: listens.is_set() or consumer.task.done())
            if consumer.task.done():
                consumer.task.result()
            yield consumer
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def subscriber(
        self, adapter: Any, queue: str, *, publish_to: str | None = None, **options: Any
    ) -> AsyncIterator[AsyncGenerator[Message]]:
        """A subscription that is known to be there. What it gives first are markers: `taken` leaves them out."""
        stream: AsyncGenerator[Message] = adapter.subscribe(queue, **options)
        first = asyncio.ensure_future(anext(stream))
        try:
            await self.publish_until(adapter, publish_to or queue, first.done)
            assert is_marker(first.result()), "A subscriber was given a message that nobody has published."
            yield stream
        finally:
            first.cancel()
            with suppress(asyncio.CancelledError):
                await first
            await stream.aclose()

    async def publish_until(self, adapter: Any, queue: str, done: Callable[[], bool]) -> None:
        """Publish markers until one has arrived."""

        async def is_done() -> bool:
            await adapter.publish(queue, {MARK: True})
            return await soon(done)

        await until(is_done, "Somebody consumes or subscribes, messages are published, and none arrives.")

    async def taken(self, stream: AsyncGenerator[Message], count: int) -> list[Message]:
        """The next messages of a subscription, markers left out."""
        messages: list[Message] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while len(messages) < count:
                    message = await anext(stream, None)
                    if message is None:
                        pytest.fail("A subscription has ended by itself, and its adapter wasn't cleaned up.")
                    if not is_marker(message):
                        messages.append(message)
        except TimeoutError:
            pytest.fail(
                f"Of {count} messages, {len(messages)} have arrived at a subscriber. ({PATIENCE:.0f} s were given.)"
            )
        return messages


async def soon(done: Callable[[], bool]) -> bool:
    """Whether something comes true within a moment."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _PAUSE
    while not done() and loop.time() < give_up:  # noqa: ASYNC110 - whatever it is, there is no event for it
        await asyncio.sleep(0.002)
    return done()


async def some_turns() -> None:
    """Let the event loop go on for a while."""
    for _ in range(20):
        await asyncio.sleep(0)
