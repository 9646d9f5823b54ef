"""What a consumer does beside its messages: it keeps them, takes over those of the dead, and has old ones trimmed."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from oneiric.errors import OneiricError

from oneiric_redis_pubsub.streams import scripts

if TYPE_CHECKING:
    from oneiric_redis_pubsub.line import Line
    from oneiric_redis_pubsub.session import Session
    from oneiric_redis_pubsub.settings import RedisStreamSettings
    from oneiric_redis_pubsub.streams.holdings import Holdings
    from oneiric_redis_pubsub.streams.keys import Keys
    from oneiric_redis_pubsub.streams.membership import Membership

logger = logging.getLogger("oneiric_redis_pubsub")

_LOOK_AFTER = 1.0
"""Seconds between two looks for messages that were handed back, at most."""
_LOOK_AGAIN_AFTER = 0.02
_MISSED = 3
"""Heartbeats after which a consumer is taken for dead."""
_TIDY_AFTER = 60.0
_CONSUMER_KEPT = 3_600_000
"""Milliseconds for which a consumer that has no messages and does nothing is kept, at least."""


class Upkeep:
    """Runs as long as its consumer does, also where nothing comes."""

    def __init__(
        self,
        session: Session,
        settings: RedisStreamSettings,
        keys: Keys,
        membership: Membership,
        holdings: Holdings,
        concurrency: int,
    ) -> None:
        self._loop = session.loop
        self._line = session.line
        self._settings = settings
        self._keys = keys
        self._membership = membership
        self._holdings = holdings
        self._concurrency = concurrency
        self._task: asyncio.Task[None] | None = None
        self._next_heartbeat = self._next_tidying = self._next_reclaiming = 0.0

    def start(self) -> None:
        """Begin."""
        self._next_heartbeat = self._loop.time() + self._settings.heartbeat
        self._task = asyncio.create_task(self._run(), name="oneiric-redis-upkeep")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            pause = min(self._settings.heartbeat, _LOOK_AFTER)
            try:
                if await self._look():
                    pause = _LOOK_AGAIN_AFTER
            except OneiricError as error:
                logger.warning("The upkeep of a consumer was interrupted, and is tried again. %s", error.message)
            await asyncio.sleep(pause)

    async def _look(self) -> bool:
        """Do what is due; whether there may be more to take over at once."""
        now = self._loop.time()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + self._settings.heartbeat
            await self._keep()
        if now >= self._next_tidying:
            self._next_tidying = now + tidied_after(self._settings)
            await tidy(self._line, self._keys, self._settings)
        is_idle = self._holdings.has_idle_workers
        if not is_idle and now < self._next_reclaiming:
            return True
        self._next_reclaiming = now + min(self._settings.heartbeat, _LOOK_AFTER)
        most = self._settings.batch if is_idle else self._concurrency
        idle = _MISSED * self._settings.heartbeat
        taken = await self._membership.reclaim(idle, most)
        await self._holdings.reclaimed(taken)
        return bool(taken)

    async def _keep(self) -> None:
        held = [*self._holdings.held]
        for start in range(0, len(held), 1000):
            await self._holdings.lost(await self._membership.keep(held[start : start + 1000]))
        await self._holdings.give_up_waiting(self._loop.time() - self._settings.heartbeat)


def tidied_after(settings: RedisStreamSettings) -> float:
    """Seconds between two trimmings of a queue."""
    return min(_TIDY_AFTER, settings.retention / 4)


async def tidy(line: Line, keys: Keys, settings: RedisStreamSettings) -> None:
    """Have a queue's old messages trimmed: those that every group has acknowledged."""
    old = int((time.time() - settings.retention) * 1000)
    idle = max(_CONSUMER_KEPT, int(10 * _MISSED * settings.heartbeat * 1000))
    await scripts.TIDY.run(line, (keys.stream, keys.latest, keys.ages), (max(old, 0), idle))
