"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0
"""Seconds until the kit gives up on what has to happen: a right adapter needs none of them, on any machine."""


async def until(condition: Callable[[], Any], otherwise: str) -> None:
    """Wait until something is so; fail with the sentence `otherwise` where it never is. The condition may be awaitable."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + PATIENCE
    pause = 0.001
    while True:
        met = condition()
        if await met if inspect.isawaitable(met) else met:
            return
        if loop.time() > give_up:
            pytest.fail(f"{otherwise} ({PATIENCE:.0f} s were given.)")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)


async def within_patience(awaited: Any, otherwise: str) -> Any:
    """The result of something awaitable; fail with the sentence `otherwise` where it doesn't come."""
    limit = asyncio.timeout(PATIENCE)
    try:
        async with limit:
            return await awaited
    except TimeoutError:
        if not limit.expired():
            raise
        pytest.fail(f"{otherwise} ({PATIENCE:.0f} s were given.)")
