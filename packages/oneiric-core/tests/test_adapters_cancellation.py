"""What is awaited undisturbed is done, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from oneiric.adapters.cancellation import ended, undisturbed


class Closing:
    """Something that takes until it is let go on, and ends as it is told."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.goes_on = asyncio.Event()
        self.is_done = False
        self._error = error

    async def run(self) -> str:
        await self.goes_on.wait()
        self.is_done = True
        if self._error is not None:
            raise self._error
        return "closed"


async def cancelled_twice(task: asyncio.Task[Any], closing: Closing) -> None:
    for _ in range(2):
        await turns()
        task.cancel()
    await turns()
    assert not task.done()
    assert not closing.is_done
    closing.goes_on.set()
    await asyncio.wait({task}, timeout=10)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_it_returns_or_raises_comes_out():
    closing = Closing()
    closing.goes_on.set()
    assert await undisturbed(closing.run()) == "closed"
    failing = Closing(OSError("no"))
    failing.goes_on.set()
    with pytest.raises(OSError, match="no"):
        await undisturbed(failing.run())


async def test_a_cancelled_task_waits_for_the_end_and_is_cancelled_then():
    closing = Closing()
    task = asyncio.create_task(undisturbed(closing.run()))
    await cancelled_twice(task, closing)
    assert closing.is_done
    assert task.cancelled()


async def test_a_deadline_around_it_is_kept_after_the_end():
    closing = Closing()
    asyncio.get_running_loop().call_later(0.1, closing.goes_on.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await undisturbed(closing.run())
    assert closing.is_done


async def test_an_error_after_a_cancellation_is_dropped_without_a_word():
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    closing = Closing(OSError("no"))
    task = asyncio.create_task(undisturbed(closing.run()))
    await cancelled_twice(task, closing)
    assert task.cancelled()
    del task, closing
    gc.collect()
    assert said == []


async def test_what_cancels_itself_ends_as_cancelled():
    closing = Closing(asyncio.CancelledError())
    closing.goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await undisturbed(closing.run())


async def test_a_future_is_awaited_too():
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 7)
    assert await undisturbed(future) == 7
    assert await undisturbed(future) == 7


async def test_ended_leaves_the_outcome_to_the_caller():
    closing = Closing(OSError("no"))
    closing.goes_on.set()
    future = asyncio.ensure_future(closing.run())
    await ended(future)
    with pytest.raises(OSError, match="no"):
        future.result()


async def test_ended_of_a_cancelled_task_raises_nothing():
    future = asyncio.ensure_future(Closing().run())
    future.cancel()
    await ended(future)
    assert future.cancelled()


async def test_ended_in_a_cancelled_task_is_cancelled_after_the_end():
    closing = Closing()
    task = asyncio.create_task(ended(asyncio.ensure_future(closing.run())))
    await cancelled_twice(task, closing)
    assert closing.is_done
    assert task.cancelled()
