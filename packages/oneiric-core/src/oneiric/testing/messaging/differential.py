"""Random commands to the adapter and to the bus in memory: the same messages arrive, or errors of the same class."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from oneiric.adapters.messaging.base import GROUPS, PATTERNS, REPLAY, Outgoing
from oneiric.errors import InvalidMessage, OneiricError, Unsupported
from oneiric.testing.driven import PATIENT_EXAMPLES, driven
from oneiric.testing.json_strategies import JSON, NO_JSON, TEXTS
from oneiric.testing.kept import Kept
from oneiric.testing.memory.messaging import CAPABILITIES, MemoryMessaging
from oneiric.testing.messaging.under_test import MessagingUnderTest, is_marker, some_turns
from oneiric.testing.patience import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oneiric.adapters.messaging.base import Message

NAMES = st.sampled_from(["a", "b", "a:b"])
BODIES = st.dictionaries(TEXTS.filter(lambda name: name not in ("n", "fails")), JSON, max_size=3)
HEADERS = st.dictionaries(TEXTS, TEXTS, max_size=2)
KEYS = st.none() | st.sampled_from(["k", "l", "a\nb"])
OUTGOING = st.tuples(BODIES, HEADERS, KEYS, st.sampled_from([0, 0, 0, 1]))
LISTENERS = 4
"""How many there may be at a time."""


@dataclass
class Listener:
    """A consumer or subscriber of the adapter and one of the reference, and what each has received."""

    in_any_order: bool
    """Whether the order is free: over several queues, and where messages are given again."""
    ours: list[str] = field(default_factory=list)
    reference: list[str] = field(default_factory=list)
    kept: list[Kept[Any]] = field(default_factory=list)

    @property
    def has_all(self) -> bool:
        """Whether as much has arrived as from the reference."""
        return len(self.ours) >= len(self.reference)

    @property
    def differs(self) -> bool:
        """Whether something else has arrived."""
        if self.in_any_order:
            return sorted(self.ours) != sorted(self.reference)
        return self.ours != self.reference


class Comparison(RuleBasedStateMachine):
    """The adapter and the reference, with listeners to both."""

    def __init__(
        self, suite: MessagingUnderTest, adapter: Any, reference: Any, run: Callable[..., Any], capabilities: Any
    ) -> None:
        super().__init__()
        self._suite = suite
        self._both = (adapter, reference)
        self._run = run
        self._capabilities = capabilities
        self._prefix = uuid4().hex
        self._numbers = count()
        self._listeners: list[Listener] = []

    @rule(name=NAMES, outgoing=OUTGOING, bad=st.none() | st.none() | NO_JSON)
    def publish(self, name: str, outgoing: Any, bad: Any) -> None:
        """One message."""
        message = self._outgoing(outgoing, bad)
        options = {"headers": message.headers, "key": message.key}
        self._compare([each.publish(f"{self._prefix}{name}", message.body, **options) for each in self._both])

    @rule(name=NAMES, many=st.lists(OUTGOING, max_size=5), bad=st.none() | st.none() | NO_JSON)
    def publish_many(self, name: str, many: list[Any], bad: Any) -> None:
        """Several, of which the last may be wrong."""
        messages = [self._outgoing(each, None) for each in many]
        messages += [] if bad is None else [Outgoing(body={"bad": bad})]
        self._compare([each.publish_many(f"{self._prefix}{name}", messages) for each in self._both])

    @precondition(lambda self: len(self._listeners) < LISTENERS)
    @rule(name=NAMES)
    def subscribe(self, name: str) -> None:
        """To one queue."""
        self._listen(name, _subscribing)

    @precondition(lambda self: len(self._listeners) < LISTENERS and PATTERNS in self._capabilities)
    @rule()
    def subscribe_to_a_pattern(self) -> None:
        """To two of the three."""
        self._listen("a*", _subscribing, in_any_order=True)

    @precondition(lambda self: len(self._listeners) < LISTENERS)
    @rule(name=NAMES)
    def consume(self, name: str) -> None:
        """From one queue, in a group of its own, where there are groups."""
        group = {"group": uuid4().hex} if GROUPS in self._capabilities else {}
        self._listen(name, _consuming, in_any_order=True, **group)

    @precondition(lambda self: self._listeners)
    @rule(which=st.integers(0, LISTENERS))
    def leave(self, which: int) -> None:
        """One listener has had enough."""
        listener = self._listeners.pop(which % len(self._listeners))
        for kept in listener.kept:
            self._run(kept.close())

    @precondition(lambda self: REPLAY in self._capabilities)
    @rule(name=NAMES, number=st.integers(0, 3))
    def replay(self, name: str, number: int) -> None:
        """All from a message on that is published now."""
        for each in self._both:
            self._run(self._replayed(each, f"{self._prefix}{name}", number))

    def teardown(self) -> None:
        """At the end of an example."""
        while self._listeners:
            self.leave(0)

    def _outgoing(self, given: Any, bad: Any) -> Outgoing:
        body, headers, key, fails = given
        body = {**body, "n": next(self._numbers), "fails": fails, **({} if bad is None else {"bad": bad})}
        return Outgoing(body=body, headers=headers, key=key)

    def _compare(self, calls: list[Any]) -> None:
        ours, reference = (self._run(_outcome(call)) for call in calls)
        assert ours == reference, f"the adapter gives {ours!r}, and the reference {reference!r}"
        self._run(self._settled())

    async def _settled(self) -> None:
        for _ in range(3):  # in which the reference is done, also with what it gives again
            await some_turns()
            await until(
                lambda: all(listener.has_all for listener in self._listeners),
                "Of the messages that have arrived from the reference, not all have from the adapter.",
            )
        for listener in self._listeners:
            assert not listener.differs, f"from the adapter: {listener.ours}, from the reference: {listener.reference}"

    def _listen(self, name: str, manager: Any, *, in_any_order: bool = False, **options: Any) -> None:
        listener = Listener(in_any_order)
        for adapter, received in zip(self._both, (listener.ours, listener.reference), strict=True):
            opened = manager(self._suite, adapter, f"{self._prefix}{name}", received, **options)
            listener.kept.append(self._run(Kept.opened(opened)))
        self._listeners.append(listener)
        self._run(self._settled())

    async def _replayed(self, adapter: Any, queue: str, number: int) -> None:
        messages = [{"n": n, "fails": 0} for n in range(-1, number)]
        first, *others = await adapter.publish_many(queue, messages)
        stream = adapter.subscribe(queue, since=first)
        try:
            taken = await self._suite.taken(stream, number)
        finally:
            await stream.aclose()
        assert [(message.id, message["n"]) for message in taken] == list(zip(others, range(number), strict=True))


async def _outcome(call: Any) -> Any:
    """How many messages were published, or the class of the error: which of two comes first is the adapter's."""
    try:
        ids = await call
    except OneiricError as error:
        return "refused" if isinstance(error, InvalidMessage | Unsupported) else type(error).__name__
    return 1 if isinstance(ids, str) else len(ids)


def _described(message: Message, prefix: int = 32) -> str:
    """All that the adapter and the reference agree on, as JSON, in which 1 is not 1.0."""
    parts = [message.queue[prefix:], dict(message), dict(message.headers), message.key, message.delivery_count]
    return json.dumps(parts, sort_keys=True)


@asynccontextmanager
async def _consuming(
    suite: MessagingUnderTest, adapter: Any, queue: str, received: list[str], **options: Any
) -> AsyncIterator[None]:
    async def callback(message: Message) -> None:
        received.append(_described(message))
        if message["fails"] >= message.delivery_count:
            raise ValueError("as it was told to")

    async with suite.consumer(adapter, queue, callback, **options):
        yield


@asynccontextmanager
async def _subscribing(suite: MessagingUnderTest, adapter: Any, queue: str, received: list[str]) -> AsyncIterator[None]:
    async with suite.subscriber(adapter, queue, publish_to=queue.replace("*", "")) as stream:

        async def read() -> None:
            async for message in stream:
                received.extend([] if is_marker(message) else [_described(message)])

        reading = asyncio.ensure_future(read())
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])


class MessagingDifferentialTests(MessagingUnderTest):
    """The adapter against `MemoryMessaging`."""

    def test_random_commands_are_answered_as_by_the_reference(
        self, make: Callable[..., Any], capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Consumers, subscribers and groups that come and go, and messages for them, some of them wrong."""
        reference = MemoryMessaging({"broker": new_queue, "without": CAPABILITIES - capabilities})
        with driven(make, reference) as (adapter, run):
            run_state_machine_as_test(
                lambda: Comparison(self, adapter, reference, run, capabilities),  # type: ignore[arg-type]
                settings=PATIENT_EXAMPLES,
            )
