"""Those who work for a consumer: so many tasks, each with one message at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_GRACE = 1.0
"""Seconds that callbacks get to end once they were cancelled."""


class Crew:
    """Runs `work` in several tasks, each until it returns. `stop` lets it return when it is done with what it has begun."""

    def __init__(self, work: Callable[[], Coroutine[None, None, None]], size: int, stop: Callable[[], None]) -> None:
        self._work = work
        self._size = size
        self._stop = stop
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until stopped, or cancelled: what was begun is finished then, unless we are cancelled once more.

        Raises what a task of `work` raises; the others are stopped then.
        """
        self.tasks = {asyncio.create_task(self._work(), name="oneiric-redis-consumer") for _ in range(self._size)}
        try:
            try:
                await asyncio.wait(self.tasks, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                self._stop()
                await self._all_done()
        finally:
            await self._abandoned()
        errors = [error for task in self.tasks if not task.cancelled() and (error := task.exception())]
        if errors:
            raise errors[0]

    def abandon(self) -> None:
        """Cancel the callbacks that still run."""
        for task in self.tasks:
            task.cancel()

    async def _all_done(self) -> None:
        while pending := {task for task in self.tasks if not task.done()}:
            await asyncio.wait(pending)

    async def _abandoned(self) -> None:
        pending = {task for task in self.tasks if not task.done()}
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=_GRACE)
