"""One adapter in several event loops: one after the other it may be, and not at once."""

from __future__ import annotations

import asyncio

from oneiric.errors import Unsupported


class LoopLock:
    """What keeps `init()` and `cleanup()` apart, in each event loop anew: `async with self._opening.here():`.

    An asyncio.Lock for which somebody has waited belongs to his loop for ever, and an adapter may live again in another.
    """

    def __init__(self) -> None:
        self._current: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def here(self) -> asyncio.Lock:
        """The lock of the event loop that is running."""
        loop = asyncio.get_running_loop()
        if self._current is None or self._current[0] is not loop:
            self._current = (loop, asyncio.Lock())
        return self._current[1]


def refuse_while_running(loop: asyncio.AbstractEventLoop, adapter: str | None) -> None:
    """Raise Unsupported where the loop runs in which an adapter is open, and which isn't the one that asks."""
    if loop.is_running():
        raise Unsupported(
            "The adapter is in use in another event loop, which is running.",
            adapter=adapter,
            hint="Use one adapter for each event loop, or `cleanup()` in the other first.",
        )
