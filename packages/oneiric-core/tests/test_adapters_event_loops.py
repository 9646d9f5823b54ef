"""An adapter's lock is its event loop's, and a loop that runs keeps what is open in it."""

from __future__ import annotations

import asyncio

import pytest
from oneiric.adapters.event_loops import LoopLock, refuse_while_running
from oneiric.errors import Unsupported


def test_in_each_event_loop_it_keeps_tasks_apart_whoever_has_waited_in_the_last():
    lock = LoopLock()
    inside = 0

    async def enter() -> None:
        nonlocal inside
        async with lock.here():
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    async def crowd() -> None:
        await asyncio.gather(*(enter() for _ in range(5)))

    for _ in range(3):
        asyncio.run(crowd())


def test_one_that_is_held_in_a_loop_that_is_over_holds_up_nobody():
    lock = LoopLock()

    async def take() -> None:
        await asyncio.wait_for(lock.here().acquire(), 10)

    asyncio.run(take())
    asyncio.run(take())


async def test_a_loop_that_runs_is_refused_with_the_adapters_name():
    with pytest.raises(Unsupported, match="another event loop, which is running") as caught:
        refuse_while_running(asyncio.get_running_loop(), "orders")
    assert caught.value.adapter == "orders"
    over = asyncio.new_event_loop()
    refuse_while_running(over, "orders")
    over.close()
    refuse_while_running(over, "orders")
