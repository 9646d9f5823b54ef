"""The queue before the pool; what a waiter is given is not looked at, so any object stands for a session."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from oneiric_postgres.errors import CleanedUp
from oneiric_postgres.waiters import Waiters


def session() -> Any:
    return object()


async def test_who_came_first_is_given_first() -> None:
    waiters = Waiters(loop := asyncio.get_running_loop())
    waiting = [waiters.join(loop.time() + 60) for _ in range(3)]
    given = [session(), None, session()]
    assert all(waiters.give(one) for one in given)
    assert await asyncio.gather(*waiting) == given
    assert not waiters.give(session())


async def test_each_waits_until_a_moment_of_its_own() -> None:
    waiters = Waiters(loop := asyncio.get_running_loop())
    order: list[float] = []

    async def wait(seconds: float) -> None:
        until = loop.time() + seconds
        with pytest.raises(TimeoutError):
            await waiters.join(until)
        assert loop.time() >= until - 0.001
        order.append(seconds)

    async with asyncio.timeout(30):
        await asyncio.gather(*(wait(seconds) for seconds in (0.2, 0.05, 0.3, 0.1, 0.1, -1.0)))
    assert order == [-1.0, 0.05, 0.1, 0.1, 0.2, 0.3]


async def test_who_is_too_late_or_cancelled_is_passed_over() -> None:
    waiters = Waiters(loop := asyncio.get_running_loop())
    late, cancelled, patient = waiters.join(loop.time()), waiters.join(loop.time() + 60), waiters.join(loop.time() + 60)
    cancelled.cancel()
    with pytest.raises(TimeoutError):
        await late
    one = session()
    assert waiters.give(one)
    assert await patient is one


async def test_who_was_given_something_is_not_told_that_it_was_late() -> None:
    waiters = Waiters(loop := asyncio.get_running_loop())
    served, late = waiters.join(loop.time() + 0.01), waiters.join(loop.time() + 0.05)
    one = session()
    assert waiters.give(one)
    with pytest.raises(TimeoutError):
        await late
    assert await served is one


async def test_all_are_sent_away_and_nothing_is_left_on_the_clock() -> None:
    waiters = Waiters(loop := asyncio.get_running_loop())
    waiting = [waiters.join(loop.time() + 60) for _ in range(3)]
    waiters.send_away(CleanedUp)
    for waiter in waiting:
        with pytest.raises(CleanedUp):
            await waiter
    assert waiters._alarm is None
