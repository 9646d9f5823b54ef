"""A network that fails under those who receive: a connection that is lost is made again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from oneiric.adapters.messaging.base import AT_LEAST_ONCE
from oneiric.testing.messaging.under_test import MessagingUnderTest, soon
from oneiric.testing.patience import until, within_patience
from oneiric.testing.proxy import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.messaging.base import MessageAdapter
    from oneiric.testing.proxy import FaultProxy

FAULTS = pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.RESET, Fault.BLACKHOLE])


class ReconnectingTests(MessagingUnderTest):
    """Consumers and subscribers behind the kit's proxy, and a publisher that isn't."""

    @FAULTS
    async def test_a_consumer_goes_on_when_the_network_does(
        self,
        adapter: MessageAdapter,
        capabilities: frozenset[str],
        behind: Callable[[], MessageAdapter],
        proxy: FaultProxy,
        new_queue: str,
        fault: Fault,
    ) -> None:
        """By itself; where the bus is at-least-once, it is given what was published meanwhile too."""
        async with behind() as reader, self.consumer(reader, new_queue) as consumer:
            await proxy.fail(fault)
            await adapter.publish(new_queue, {"n": 0})
            assert not await soon(lambda: consumer.task.done()), f"The network is {fault}, and consume() has ended."
            await proxy.fail(Fault.NONE)
            number = 0

            async def goes_on() -> bool:
                nonlocal number
                number += 1
                await adapter.publish(new_queue, {"n": number})
                return await soon(lambda: any(body["n"] for body in consumer.bodies))

            await until(goes_on, "The network works again, and a consumer is given nothing that is published.")
            if AT_LEAST_ONCE in capabilities:
                await until(
                    lambda: {body["n"] for body in consumer.bodies} >= {*range(number + 1)},
                    "The network works again, and a message that was published meanwhile never arrives.",
                )

    @FAULTS
    async def test_a_subscription_goes_on_when_the_network_does(
        self,
        adapter: MessageAdapter,
        behind: Callable[[], MessageAdapter],
        proxy: FaultProxy,
        new_queue: str,
        fault: Fault,
    ) -> None:
        """The loop over it neither ends nor raises."""
        async with behind() as reader, self.subscriber(reader, new_queue) as stream:
            await proxy.fail(fault)
            taking = asyncio.ensure_future(self.taken(stream, 1))
            await adapter.publish(new_queue, {"n": 0})
            await soon(taking.done)
            await proxy.fail(Fault.NONE)

            async def goes_on() -> bool:
                await adapter.publish(new_queue, {"n": 1})
                return await soon(taking.done)

            await until(goes_on, "The network works again, and a subscriber is given nothing that is published.")
            (message,) = taking.result()
        assert message["n"] in (0, 1)

    @pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.BLACKHOLE])
    async def test_a_consumer_ends_while_the_network_fails(
        self, behind: Callable[[], MessageAdapter], proxy: FaultProxy, new_queue: str, fault: Fault
    ) -> None:
        """Where it is cancelled, and where its adapter is cleaned up: nobody waits for the network."""
        async with (
            behind() as reader,
            self.consumer(reader, new_queue) as cancelled,
            self.consumer(reader, f"{new_queue}-2") as left,
        ):
            await proxy.fail(fault)
            cancelled.task.cancel()
            await until(cancelled.task.done, f"The network is {fault}, and a consumer that was cancelled goes on.")
            await within_patience(reader.cleanup(), f"The network is {fault}, and cleanup() waits for it.")
            await until(left.task.done, f"The network is {fault}, and a consumer outlives its adapter's cleanup().")
