"""The reading of a group's messages: a connection that waits for them, and is made again where it breaks."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oneiric.adapters.messaging import Gap
from oneiric.errors import OneiricError

from oneiric_redis_pubsub.line import Line
from oneiric_redis_pubsub.streams.membership import is_groupless
from oneiric_redis_pubsub.subscription import told

if TYPE_CHECKING:
    from oneiric.adapters.messaging import OnGap

    from oneiric_redis_pubsub.session import Session
    from oneiric_redis_pubsub.settings import RedisStreamSettings
    from oneiric_redis_pubsub.streams.holdings import Holdings
    from oneiric_redis_pubsub.streams.membership import Membership

logger = logging.getLogger("oneiric_redis_pubsub")

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_GROUP_GONE = (
    "The consumer group, or the whole stream, was deleted; what is still kept is given again from the oldest on."
)


class Reading:
    """Reads as many messages as there is use for, and no more."""

    def __init__(
        self,
        session: Session,
        settings: RedisStreamSettings,
        queue: str,
        membership: Membership,
        holdings: Holdings,
        on_gap: OnGap | None,
    ) -> None:
        self._queue = queue
        self._wait = settings.watchdog / 2
        # A read waits for half of the watchdog's time; one that isn't answered in all of it is on a dead connection.
        self._line = Line(session.connector, session.adapter, settings.watchdog, greeting=("CLIENT", "ID"))
        self._membership = membership
        self._holdings = holdings
        self._on_gap = on_gap
        self._heard = datetime.now(UTC)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run(), name="oneiric-redis-reading")

    async def stop(self) -> None:
        """Wait for the end of the last read, which is woken."""
        pause = 0.01
        while self._task is not None and not self._task.done():
            try:
                if self._line.greeted is not None:
                    await self._membership.wake(self._line.greeted)
            except OneiricError as error:
                logger.debug("A read that waits can't be woken: %s", error.message)
            await asyncio.wait({self._task}, timeout=pause)
            pause = min(2 * pause, 0.5)

    async def abort(self) -> None:
        """End, without waiting for anything."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._line.close()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        try:
            while count := await self._holdings.wanted():
                try:
                    await self._read(count)
                    pause = _FIRST_PAUSE
                except OneiricError as error:
                    await self._broke(error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except OneiricError as error:
            self._holdings.close(error)

    async def _read(self, count: int) -> None:
        deliveries = await self._membership.read(self._line, count, self._wait)
        self._heard = datetime.now(UTC)
        await self._holdings.accept(deliveries)

    async def _broke(self, error: OneiricError) -> None:
        """Go on after an error, or raise it where it stays."""
        if is_groupless(error):
            try:
                made = await self._membership.join(None)
            except OneiricError as another:
                error = another
            else:
                if made:
                    await told(self._on_gap, Gap(self._queue, self._heard, _GROUP_GONE))
                return
        if not error.transient:
            raise error
        logger.warning("Reading was interrupted, and is tried again. %s", error.message)
