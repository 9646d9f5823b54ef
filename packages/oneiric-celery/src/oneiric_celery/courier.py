"""Submits that come at the same time go together: while a few round trips are under way, those that come wait for the next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from oneiric_celery.errors import CleanedUp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

_LANES = 2
"""How many round trips are under way at once; more make the loads smaller, and one alone could hold up all the others."""
_LARGEST = 1000
"""How many tasks go together at most, but for those of one call."""


@dataclass(slots=True, eq=False)
class _Load(Generic[T]):
    """What one call has given, and how long it may take."""

    items: Sequence[T]
    give_up: float
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Courier(Generic[T]):
    """Sends what is given to it by `send`, in loads."""

    def __init__(self, send: Callable[[Sequence[T]], Awaitable[Any]]) -> None:
        self._send = send
        self._waiting: list[_Load[T]] = []
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, items: Sequence[T], give_up: float) -> None:
        """Send them; raises what `send` does. `give_up` is when the caller will, by the loop's clock."""
        if self._under_way < _LANES:
            self._under_way += 1
            try:
                await self._send(items)
            finally:
                self._under_way -= 1
                self._go_on()
            return
        load = _Load(items, give_up)
        self._waiting.append(load)
        try:
            await load.done
        finally:
            if load in self._waiting:
                self._waiting.remove(load)

    async def close(self) -> None:
        """Leave off: who waits is told, what is under way ends with the connections."""
        loads, self._waiting = self._waiting, []
        for load in loads:
            _tell(load.done, asyncio.CancelledError())
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _go_on(self) -> None:
        if self._waiting and self._under_way < _LANES:
            loads = self._next()
            self._under_way += 1
            task = asyncio.create_task(self._carry(loads), name="oneiric-celery-courier")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self) -> list[_Load[T]]:
        """Those who came first, as many as go together."""
        number, size = 0, 0
        for load in self._waiting:
            size += len(load.items)
            if number and size > _LARGEST:
                break
            number += 1
        loads, self._waiting = self._waiting[:number], self._waiting[number:]
        return loads

    async def _carry(self, loads: list[_Load[T]]) -> None:
        error: BaseException | None = None
        try:
            async with asyncio.timeout_at(max(load.give_up for load in loads)):
                await self._send([item for load in loads for item in load.items])
        except BaseException as raised:  # noqa: BLE001 - it is the callers'
            error = raised
        finally:
            self._under_way -= 1
            self._go_on()
        for load in loads:
            _tell(load.done, error)


def _tell(done: asyncio.Future[None], error: BaseException | None) -> None:
    """Tell a caller, where it still waits, how it went."""
    if done.done():
        return
    if error is None:
        done.set_result(None)
    elif isinstance(error, asyncio.CancelledError):
        done.set_exception(CleanedUp())
    else:
        done.set_exception(error)
