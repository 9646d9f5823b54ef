"""The names of queues, and patterns of them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from oneiric.adapters.messaging.base import PATTERNS
from oneiric.errors import InvalidMessage
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.messaging.under_test import MessagingUnderTest
from oneiric.testing.patience import within_patience

if TYPE_CHECKING:
    from oneiric.adapters.messaging.base import MessageAdapter

NAMES = [
    "a",
    "A",
    "a b",
    "a:b",
    "a/b",
    "a.b",
    "a>b",
    "#",
    "a?",
    "[a]",
    "[^a]",
    "\\a",
    "'a'",
    '"a"',
    "{0}",
    "%s",
    "$1",
    "ä",
    "日本",
]
NAMES += ["🧪", "../a", "None", "0", "-a", "a;b", "a,b", "<a>", "|", "~", "`a`"]
"""After a prefix of each test; each stands for itself alone."""
BAD: dict[str, Any] = {"empty": "", "newline": "a\nb", "NUL": "a\x00b", "long": "a" * 201, "number": 7, "None": None}
BAD |= {"bytes": b"a", "a list": ["a"], "escape": "\x1b[1m"}


class NameTests(MessagingUnderTest):
    """Queues and patterns."""

    async def test_a_queue_can_have_any_name_that_can_be_printed(self, adapter: MessageAdapter, new_queue: str) -> None:
        """And what is published to it arrives there, and nowhere else."""
        names = [f"{new_queue}{name}" for name in NAMES] + [f"{new_queue}{'x' * 200}"[:200]]
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(self.subscriber(adapter, name)) for name in names]
            for name in names:
                await adapter.publish(name, {"to": name})
            received = [(await self.taken(stream, 1))[0] for stream in streams]
        assert [(message["to"], message.queue) for message in received] == [(name, name) for name in names]

    @by_name({**BAD, "a pattern": "a*b"})
    async def test_publishing_to_a_name_that_can_not_be_is_refused(self, adapter: MessageAdapter, case: Any) -> None:
        """InvalidMessage; `*` is for patterns, and nobody publishes to one."""
        with expect(InvalidMessage, "publishing to this name"):
            await adapter.publish(case, {"a": 1})
        with expect(InvalidMessage, "publishing to this name"):
            await adapter.publish_many(case, [{"a": 1}])

    @by_name(BAD)
    async def test_receiving_from_a_name_that_can_not_be_is_refused(self, adapter: MessageAdapter, case: Any) -> None:
        """InvalidMessage, at once."""

        async def callback(message: object) -> None:
            """Take a message."""

        with expect(InvalidMessage, "consuming from this name"):
            await within_patience(adapter.consume(case, callback), "It was consumed from.")
        with expect(InvalidMessage, "subscribing to this name"):
            await within_patience(anext(adapter.subscribe(case)), "It was subscribed to.")

    async def test_a_pattern_receives_from_all_queues_that_fit(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """`*` is any characters, or none; a message says which queue it was published to."""
        self.needs(capabilities, PATTERNS)
        pattern = f"{new_queue}:*:events"
        fit = [f"{new_queue}:{name}:events" for name in ("", "a", "a:b", "日本", "[a]")]
        others = [f"{new_queue}:events", f"{new_queue}:a:event", f"{new_queue}:a:events2", f"x{new_queue}:a:events"]
        async with self.consumer(adapter, pattern, publish_to=fit[1]) as consumer:
            for name in others + fit:
                await adapter.publish(name, {"to": name})
            received = await consumer.has(len(fit))
        assert [(message["to"], message.queue) for message in received] == [(name, name) for name in fit]

    async def test_only_the_star_is_special_in_a_pattern(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Other characters, whatever the backend makes of them in its own patterns, stand for themselves."""
        self.needs(capabilities, PATTERNS)
        pairs = [("a?", "ab"), ("[ab]", "a"), ("[^a]", "b"), ("a.", "ab"), ("\\a", "a"), ("a+", "aa"), ("{a,b}", "a")]
        for itself, other in pairs:
            pattern = f"{new_queue}{itself}:*"
            async with self.subscriber(adapter, pattern, publish_to=f"{new_queue}{itself}:x") as stream:
                await adapter.publish(f"{new_queue}{other}:x", {"to": other})
                await adapter.publish(f"{new_queue}{itself}:x", {"to": itself})
                (message,) = await self.taken(stream, 1)
            assert message["to"] == itself, f"The pattern {itself!r} has matched {other!r}."

    async def test_a_subscription_to_a_pattern_has_all_queues_that_fit(
        self, adapter: MessageAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """As a consumer has, in the order in which they were published."""
        self.needs(capabilities, PATTERNS)
        names = [f"{new_queue}-{n % 3}" for n in range(9)]
        async with self.subscriber(adapter, f"{new_queue}-*", publish_to=names[0]) as stream:
            for name in names:
                await adapter.publish(name, {"to": name})
            received = await self.taken(stream, len(names))
        by_queue = {name: [message["to"] for message in received if message.queue == name] for name in names}
        assert by_queue == {name: [name] * 3 for name in names}
