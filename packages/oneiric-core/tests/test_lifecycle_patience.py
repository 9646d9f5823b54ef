"""Calls that may hang."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from oneiric.lifecycle.patience import MAX_CALLS, Late, called


async def test_what_it_returns_or_raises_is_the_callers():
    assert await called(lambda a, b: a + b, 1, 2, seconds=30) == 3
    with pytest.raises(ZeroDivisionError):
        await called(lambda: 1 / 0, seconds=30)


@pytest.mark.parametrize("kind", [SystemExit, StopIteration, asyncio.CancelledError, KeyboardInterrupt])
async def test_what_a_future_can_not_hold_is_an_error_like_any_other(kind: type[BaseException]):
    def fail() -> None:
        raise kind

    with pytest.raises(RuntimeError, match=kind.__name__):
        await called(fail, seconds=30)


async def test_its_own_timeout_is_not_ours():
    def fail() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await called(fail, seconds=30)


async def test_it_sees_the_callers_context():
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(5)
    assert await called(variable.get, seconds=30) == 5


async def test_calls_that_hang_are_left_behind_and_never_more_than_a_few():
    end, started = threading.Event(), list[int]()

    def hang() -> None:
        started.append(1)
        end.wait()

    try:
        calls = [called(hang, seconds=0.2) for _ in range(2 * MAX_CALLS)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Late}
        assert len(started) == MAX_CALLS
        with pytest.raises(Late):
            await called(hang, seconds=0.05)
    finally:
        end.set()
    assert await called(int, seconds=30) == 0  # their places are free again


async def test_a_cancelled_caller_waits_for_nothing():
    end = threading.Event()
    task = asyncio.create_task(called(end.wait, seconds=30))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    end.set()
