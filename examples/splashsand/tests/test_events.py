"""What SplashSandEvents does with any message bus; the bus in memory has, or does without, each capability."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.errors import InvalidMessage, NotInitialized, Unsupported
from oneiric.testing.memory import MemoryMessaging

from splashsand import SplashSandEvents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric.adapters.messaging import Message

LIKE_PUBSUB = ["at-least-once", "dead-letters", "groups", "idempotency", "order-by-key", "replay"]


@pytest.fixture(params=[[], LIKE_PUBSUB], ids=["like streams", "like pubsub"])
async def events(request: pytest.FixtureRequest) -> AsyncIterator[SplashSandEvents]:
    async with MemoryMessaging({"broker": request.node.name, "without": request.param}) as bus:
        yield SplashSandEvents(bus)


@pytest.fixture
async def kept() -> AsyncIterator[SplashSandEvents]:
    async with MemoryMessaging({"broker": "kept"}) as bus:
        yield SplashSandEvents(bus)


class Heard:
    """A callback that writes down what it is given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._more = asyncio.Event()

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)
        self._more.set()

    async def until(self, how_many: int) -> list[Message]:
        async with asyncio.timeout(10):
            while len(self.messages) < how_many:
                self._more.clear()
                await self._more.wait()
        return self.messages


@asynccontextmanager
async def subscribed(events: SplashSandEvents, sandcastle: str, heard: Heard, **options: Any) -> AsyncIterator[None]:
    """Subscribe for a block; from its beginning on, the first event is awaited to be heard."""
    task = asyncio.create_task(events.subscribe_to_events(sandcastle, heard, **options))
    try:
        probe = sandcastle.replace("*", "probe")
        async with asyncio.timeout(10):
            while not heard.messages:
                await events.publish_deployment_event(probe, "probe")
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)  # for the probes that are under way
        heard.messages.clear()
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_subscriber_hears_each_event_with_its_data_in_order(events: SplashSandEvents) -> None:
    heard = Heard()
    async with subscribed(events, "beach", heard):
        for number in range(50):
            await events.publish_deployment_event("beach", f"step-{number}", {"number": number})
        messages = await heard.until(50)
    assert [message["data"]["number"] for message in messages] == list(range(50))
    assert dict(messages[7]) == {"sandcastle": "beach", "event": "step-7", "data": {"number": 7}}
    assert messages[7].queue == "sandcastle:beach:events"


async def test_one_sandcastle_is_not_told_of_another(events: SplashSandEvents) -> None:
    heard = Heard()
    async with subscribed(events, "beach", heard):
        await events.publish_deployment_event("dune", "deployed")
        await events.publish_deployment_event("beach", "deployed")
        messages = await heard.until(1)
    assert [message["sandcastle"] for message in messages] == ["beach"]


async def test_a_star_is_every_sandcastle(events: SplashSandEvents) -> None:
    heard = Heard()
    async with subscribed(events, "*", heard):
        await events.publish_deployment_event("dune", "deployed")
        await events.publish_deployment_event("beach", "deployed")
        messages = await heard.until(2)
    assert {message["sandcastle"] for message in messages} == {"dune", "beach"}


async def test_every_subscriber_hears_all_also_from_before_it_came(kept: SplashSandEvents) -> None:
    for number in range(3):
        await kept.publish_deployment_event("beach", "deployed", {"number": number})
    for subscriber in ("dashboard", "audit"):
        heard = Heard()
        task = asyncio.create_task(kept.subscribe_to_events("beach", heard, subscriber=subscriber))
        assert [message["data"]["number"] for message in await heard.until(3)] == [0, 1, 2]
        task.cancel()
        await asyncio.wait({task})


async def test_a_subscriber_that_fails_is_given_the_event_again(kept: SplashSandEvents) -> None:
    heard, again = [], asyncio.Event()

    async def fail_once(message: Message) -> None:
        heard.append(message.id)
        if len(heard) == 1:
            raise RuntimeError("the dashboard is down")
        again.set()

    task = asyncio.create_task(kept.subscribe_to_events("beach", fail_once))
    published = await kept.publish_deployment_event("beach", "deployed")
    async with asyncio.timeout(10):
        await again.wait()
    task.cancel()
    await asyncio.wait({task})
    assert heard == [published, published]


async def test_a_subscriber_can_be_named_where_names_make_no_difference(events: SplashSandEvents) -> None:
    heard = Heard()
    async with subscribed(events, "beach", heard, subscriber="dashboard"):
        await events.publish_deployment_event("beach", "deployed")
        assert len(await heard.until(1)) == 1


async def test_a_bus_without_patterns_has_no_star() -> None:
    async with MemoryMessaging({"broker": "plain", "without": ["patterns", "groups"]}) as bus:
        events = SplashSandEvents(bus)
        for subscriber in (None, "dashboard"):
            with pytest.raises(Unsupported, match="patterns"):
                await events.subscribe_to_events("*", Heard(), subscriber=subscriber)


@pytest.mark.parametrize("name", ["", "*", "a:b", "a b", "-a", "a" * 101, "a\n", None, 7])
async def test_a_name_that_can_not_be_is_refused(events: SplashSandEvents, name: Any) -> None:
    with pytest.raises(InvalidMessage, match="name of a sandcastle"):
        await events.publish_deployment_event(name, "deployed")
    if name != "*":
        with pytest.raises(InvalidMessage, match="name of a sandcastle"):
            await events.subscribe_to_events(name, Heard())


async def test_what_json_can_not_hold_is_refused(events: SplashSandEvents) -> None:
    with pytest.raises(InvalidMessage):
        await events.publish_deployment_event("beach", "deployed", {"secret": object()})
    with pytest.raises(InvalidMessage):
        await events.publish_deployment_event("beach", "")


async def test_it_needs_an_adapter_that_is_initialised() -> None:
    events = SplashSandEvents(MemoryMessaging())
    with pytest.raises(NotInitialized):
        await events.publish_deployment_event("beach", "deployed")
    with pytest.raises(NotInitialized):
        await events.subscribe_to_events("beach", Heard())
