"""An async context manager that is held open by a task of its own, for a test that isn't async itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")


class Kept(Generic[T]):
    """`value` is what the manager gave. Entered and left in one task, as timeouts and task groups inside it need."""

    value: T

    def __init__(self, manager: AbstractAsyncContextManager[T]) -> None:
        self._manager = manager
        self._is_open = asyncio.Event()
        self._is_to_close = asyncio.Event()
        self._task = asyncio.ensure_future(self._keep())

    @classmethod
    async def opened(cls, manager: AbstractAsyncContextManager[T]) -> Kept[T]:
        """Enter it, or raise what entering it raises."""
        kept = cls(manager)
        entered = asyncio.ensure_future(kept._is_open.wait())
        await asyncio.wait([entered, kept._task], return_when=asyncio.FIRST_COMPLETED)
        if not kept._is_open.is_set():
            entered.cancel()
            await kept._task
        return kept

    async def close(self) -> None:
        """Leave it, and raise what leaving it raises."""
        self._is_to_close.set()
        await self._task

    async def _keep(self) -> None:
        async with self._manager as self.value:
            self._is_open.set()
            await self._is_to_close.wait()
