"""Consumers and subscribers of an adapter that an AdapterManager owns: a swap moves them, and a cleanup ends them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from oneiric.adapters.messaging.base import AT_LEAST_ONCE, GAPS, GROUPS
from oneiric.config import ConfigStore, Instance
from oneiric.discovery import Catalog
from oneiric.lifecycle import AdapterManager, Limits
from oneiric.testing.messaging.ending import Slow
from oneiric.testing.messaging.under_test import MessagingUnderTest, some_turns, soon
from oneiric.testing.patience import PATIENCE, until, within_patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from oneiric.adapters.messaging.base import Gap, MessageAdapter
    from oneiric.spec import AdapterSpec

_NAME = "bus"
_WAITS = "A consumer has nothing to do, and its adapter's {} waits for it: consume() has to end with cleanup()."


class SwappingTests(MessagingUnderTest):
    """`consume` and `subscribe` on the handle that a manager gives."""

    @pytest_asyncio.fixture(loop_scope="function")
    async def manager(self, spec: AdapterSpec, config: Mapping[str, Any]) -> AsyncIterator[AdapterManager]:
        """A manager of one instance, on the same backend; what waits for the end of a drain waits for too long."""
        store = ConfigStore({_NAME: Instance(_NAME, spec.name, dict(config))})
        async with AdapterManager(store, Catalog([spec]), limits=Limits(drain_timeout=2 * PATIENCE)) as manager:
            yield manager

    async def test_a_consumer_goes_on_when_its_adapter_is_swapped(
        self, manager: AdapterManager, config: Mapping[str, Any], new_queue: str
    ) -> None:
        """On the new adapter, in the same call."""
        bus: Any = await manager.get(_NAME)
        async with self.consumer(bus, new_queue) as consumer:
            await within_patience(manager.swap(_NAME, config), _WAITS.format("swap"))

            async def has_come() -> bool:
                await bus.publish(new_queue, {"n": 1})
                return await soon(lambda: consumer.task.done() or bool(consumer.received))

            await until(has_come, "An adapter was swapped, and its consumer is given nothing more.")
            await consumer.has(1)

    async def test_a_swap_waits_for_what_consumers_have_begun(
        self, manager: AdapterManager, config: Mapping[str, Any], new_queue: str
    ) -> None:
        """The callback isn't interrupted."""
        bus: Any = await manager.get(_NAME)
        slow = Slow()
        async with self.consumer(bus, new_queue, slow):
            await bus.publish(new_queue, {"n": 1})
            await slow.has_begun()
            swapping = asyncio.ensure_future(manager.swap(_NAME, config))
            await some_turns()
            slow.release()
            await within_patience(swapping, "The callbacks have returned, and a swap waits on.")
        assert (slow.finished, slow.interrupted) == ([1], [])

    async def test_no_message_is_lost_by_swaps(
        self,
        manager: AdapterManager,
        adapter: MessageAdapter,
        capabilities: frozenset[str],
        config: Mapping[str, Any],
        new_queue: str,
    ) -> None:
        """Those that are published meanwhile are given by one adapter or the other, and each once: none was interrupted."""
        self.needs(capabilities, AT_LEAST_ONCE, GROUPS)
        bus: Any = await manager.get(_NAME)
        async with self.consumer(bus, new_queue, concurrency=4) as consumer:
            for swap in range(3):
                swapping = asyncio.ensure_future(manager.swap(_NAME, config))
                for n in range(20):
                    await adapter.publish(new_queue, {"n": 20 * swap + n})
                await within_patience(swapping, _WAITS.format("swap"))
            await consumer.has(60)
        assert sorted(body["n"] for body in consumer.bodies) == [*range(60)]

    async def test_a_subscription_goes_on_when_its_adapter_is_swapped(
        self, manager: AdapterManager, config: Mapping[str, Any], new_queue: str
    ) -> None:
        """The iterator is the same, and gives what is published from then on."""
        bus: Any = await manager.get(_NAME)
        async with self.subscriber(bus, new_queue) as stream:
            waiting = asyncio.ensure_future(self.taken(stream, 1))
            await some_turns()
            await within_patience(manager.swap(_NAME, config), _WAITS.format("swap"))

            async def has_come() -> bool:
                await bus.publish(new_queue, {"n": 1})
                return await soon(waiting.done)

            await until(has_come, "An adapter was swapped, and a subscription to it gives nothing more.")
            assert dict(waiting.result()[0]) == {"n": 1}

    async def test_who_goes_on_is_told_of_a_gap(
        self, manager: AdapterManager, capabilities: frozenset[str], config: Mapping[str, Any], new_queue: str
    ) -> None:
        """The new adapter may be of another broker, or have begun to listen after something was published."""
        self.needs(capabilities, GAPS)
        bus: Any = await manager.get(_NAME)
        gaps: list[Gap] = []

        async def on_gap(gap: Gap) -> None:
            gaps.append(gap)

        async with self.consumer(bus, new_queue, on_gap=on_gap):
            await within_patience(manager.swap(_NAME, config), _WAITS.format("swap"))
            await until(lambda: gaps, "An adapter was swapped, and the consumer's `on_gap` isn't told.")
        assert gaps[0].queue == new_queue
        assert gaps[0].since.utcoffset() is not None

    async def test_a_consumer_returns_when_its_manager_cleans_up(self, manager: AdapterManager, new_queue: str) -> None:
        """And nothing waits for one that has nothing to do."""
        bus: Any = await manager.get(_NAME)
        async with self.consumer(bus, new_queue) as consumer:
            await within_patience(manager.cleanup(), _WAITS.format("cleanup"))
            await until(consumer.task.done, "An AdapterManager has cleaned up, and a consumer goes on.")
            assert not consumer.task.cancelled(), "consume() raised CancelledError, and nobody had cancelled it."
            assert consumer.task.result() is None
