"""News of a change, for all who wait for one."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Change:
    """Who waits is woken by the next `tell()`, and looks for themself at what has changed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        """Wake all who wait."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for the next change, and not longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._next.wait()
