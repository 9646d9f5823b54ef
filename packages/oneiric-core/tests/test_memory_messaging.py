"""The bus in memory passes the kit, also where it is to do without what it can; and what it is beyond the contract."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric.errors import ConfigError
from oneiric.testing.memory import MemoryMessaging
from oneiric.testing.memory.messaging import CAPABILITIES, SPEC
from oneiric.testing.messaging.suite import MessagingSuite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.adapters.messaging.base import Gap, Message
    from oneiric.spec import AdapterSpec


class TestMemoryMessaging(MessagingSuite):
    adapter_name = "memory-messaging"

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex}

    @pytest.fixture
    def interrupt(self) -> Any:
        async def interrupt(adapter: Any) -> None:
            adapter.report_gap()

        return interrupt


class TestMemoryMessagingThatCanDoLittle(TestMemoryMessaging):
    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex, "without": CAPABILITIES}


class TestMemoryMessagingWithoutGroups(TestMemoryMessaging):
    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex, "without": {"groups", "dead-letters"}}


async def test_a_gap_can_be_reported_to_see_what_an_application_does() -> None:
    heard: list[Gap] = []
    told = asyncio.Event()

    async def on_gap(gap: Gap) -> None:
        heard.append(gap)
        told.set()

    async def callback(message: Message) -> None:
        """Take a message."""

    async with MemoryMessaging() as bus:
        consuming = asyncio.create_task(bus.consume("a:*", callback, on_gap=on_gap))
        while not told.is_set():
            bus.report_gap("The network was gone.")
            await asyncio.sleep(0)
    await consuming
    assert (heard[0].queue, heard[0].reason) == ("a:*", "The network was gone.")


async def test_a_callback_that_hangs_does_not_keep_a_cleanup_for_ever() -> None:
    begun = asyncio.Event()

    async def callback(message: Message) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with MemoryMessaging({"drain": 0.1}) as bus:
        consuming = asyncio.create_task(bus.consume("a", callback))
        await bus.publish("a", {})
        await begun.wait()
    await asyncio.wait_for(consuming, 10)


async def test_tests_are_apart_though_they_name_no_broker() -> None:
    for _ in range(2):
        async with MemoryMessaging() as bus:
            assert await bus.publish("a", {}) == "1"
        del bus


async def test_a_capability_that_is_none_is_refused_in_the_settings() -> None:
    with pytest.raises(ConfigError, match="without"):
        MemoryMessaging({"without": ["group"]})


def test_what_a_test_that_failed_still_holds_is_not_found_by_the_next() -> None:
    async def used() -> Any:
        async with MemoryMessaging() as bus:
            assert await bus.publish("a", {}) == "1"
            return bus.raw

    held = [asyncio.run(used()) for _ in range(2)]  # as a traceback does; each test has an event loop of its own
    assert held[0] is not held[1]
