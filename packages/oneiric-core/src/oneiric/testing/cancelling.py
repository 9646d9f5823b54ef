"""A call that is cancelled at a chosen await, so that each of its awaits can be tried."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator

MOST_AWAITS = 100
"""Of a call that awaits more often, the first ones are tried."""
_ENDS_WITHIN = 30.0
"""Seconds in which a call that was cancelled has to end."""


@dataclass(slots=True)
class Outcome:
    """What came of a call."""

    was_cancelled: bool
    """Whether it reached the await at which it was to be cancelled."""
    ended: str
    """`cancelled`, `returned`, or the error that it raised."""


async def cancel_at(number: int, call: Coroutine[Any, Any, Any]) -> Outcome:
    """Run a call in a task of its own and cancel it at its await of that number, counted from 0."""
    steps = _Steps(call, number)
    task = asyncio.ensure_future(steps.run())
    await asyncio.wait({task}, timeout=_ENDS_WITHIN)
    if not task.done():
        pytest.fail(f"A call that was cancelled at its await no. {number + 1} did not end within {_ENDS_WITHIN:.0f} s.")
    return Outcome(steps.is_cancelled, _ending(task))


async def cancel_after(turns: int, call: Coroutine[Any, Any, Any]) -> Outcome:
    """Run a call in a task of its own and cancel it after so many turns of the event loop, wherever it is."""
    task = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    was_cancelled = task.cancel()
    await asyncio.wait({task}, timeout=_ENDS_WITHIN)
    if not task.done():
        pytest.fail(
            f"A call that was cancelled after {turns} turns of the loop did not end within {_ENDS_WITHIN:.0f} s."
        )
    return Outcome(was_cancelled, _ending(task))


def awaits() -> Iterator[int]:
    """The numbers of the awaits to be tried."""
    yield from range(MOST_AWAITS)


async def each_cancelled(begin: Callable[[], Coroutine[Any, Any, Any]], what: str) -> AsyncIterator[str]:
    """Make a call again and again, each time cancelled one await later, and in the end not at all; what it left is looked at
    between. Fails where it was cancelled and did not end so; gives what was done, as half a sentence.
    """
    for number in awaits():
        outcome = await cancel_at(number, begin())
        if outcome.was_cancelled and outcome.ended != "cancelled":
            pytest.fail(
                f"{what} was cancelled at its await no. {number + 1}, and did not end as cancelled: {outcome.ended}."
            )
        if not outcome.was_cancelled:
            assert outcome.ended == "returned", f"{what}, after others that were cancelled, raised {outcome.ended}."
            yield f"{what} has returned"
            return
        yield f"{what} was cancelled at its await no. {number + 1}"


def _ending(task: asyncio.Task[Any]) -> str:
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return "returned" if error is None else f"{type(error).__name__}: {error}"


class _Steps:
    """Drives a coroutine by hand, and cancels the task that it runs in when it suspends for the nth time."""

    def __init__(self, call: Coroutine[Any, Any, Any], number: int) -> None:
        self._call = call
        self._number = number
        self.is_cancelled = False

    async def run(self) -> Any:
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        step = 0
        thrown: BaseException | None = None
        while True:
            try:
                awaited = self._call.send(None) if thrown is None else self._call.throw(thrown)
            except StopIteration as end:
                return end.value
            task = asyncio.current_task()
            if step == self._number and task is not None:
                self.is_cancelled = True
                task.cancel()
            step, thrown = step + 1, None
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 - it is the call's to see
                thrown = error
