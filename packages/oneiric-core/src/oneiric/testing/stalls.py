"""How long the event loop stood still, as far as the adapter is to blame."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable

_BEAT = 0.001
_SCHEDULER = Path("/proc/thread-self/schedstat")
"""Linux says here how long this thread was ready to run and had no processor: that was another program's doing."""


async def longest_stall(work: Awaitable[object]) -> float:
    """Await `work`; returns for how many seconds the loop ran nothing else, at most. Collections of garbage wait."""
    gc.collect()
    gc.disable()
    longest = [0.0]
    heart = asyncio.ensure_future(_beat(longest))
    try:
        await work
        await asyncio.sleep(2 * _BEAT)  # a stall at the very end shows at the next beat
    finally:
        gc.enable()
        heart.cancel()
        with suppress(asyncio.CancelledError):
            await heart
    return longest[0]


async def _beat(longest: list[float]) -> None:
    while True:
        started, waited = time.perf_counter(), _waited()
        await asyncio.sleep(_BEAT)
        stall = time.perf_counter() - started - _BEAT - (_waited() - waited)
        longest[0] = max(longest[0], stall)


def _waited() -> float:
    """Seconds that this thread has waited for a processor; 0 where the system doesn't say."""
    try:
        return int(_SCHEDULER.read_bytes().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
