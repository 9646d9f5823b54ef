"""What has arrived for a reader, and waits until it is asked for."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue of so many items, until it is closed. One task puts, any number get."""

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque()
        self._size = size
        self._getters: deque[asyncio.Future[None]] = deque()
        self._putter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether who puts more in has to wait for `room`."""
        return len(self._items) >= self._size

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> list[T]:
        """What waits, the oldest first."""
        return [*self._items]

    def put(self, item: T) -> None:
        """Add an item, also where it is full."""
        self._items.append(item)
        self._wake_one()

    async def room(self) -> None:
        """Wait until there is room, or nobody reads any more."""
        while self.is_full and not self.is_closed:
            self._putter = asyncio.get_running_loop().create_future()
            try:
                await self._putter
            finally:
                self._putter = None

    async def get(self) -> T | None:
        """The next item; None once it is closed, whatever was still there. Raises what it was closed with."""
        while not self._items and not self.is_closed:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except BaseException:
                if getter.done() and not getter.cancelled():
                    self._wake_one()  # it was ours to take, and now is another's
                else:
                    with suppress(ValueError):  # who puts has passed it over
                        self._getters.remove(getter)
                raise
        if self._error is not None:
            raise self._error
        if self.is_closed:
            return None
        item = self._items.popleft()
        if self._putter is not None and not self._putter.done() and not self.is_full:
            self._putter.set_result(None)
        return item

    def close(self, error: BaseException | None = None) -> None:
        """Let nobody have anything more; who waits gets None, or the error."""
        if self.is_closed:
            return
        self.is_closed, self._error = True, error
        while self._getters:
            self._wake_one()
        if self._putter is not None and not self._putter.done():
            self._putter.set_result(None)

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
