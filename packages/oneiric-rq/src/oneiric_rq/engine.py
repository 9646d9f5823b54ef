"""What an initialised adapter holds: its connections, and who watches for results."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.errors import Unsupported

from oneiric_rq.address import Address, Scheme
from oneiric_rq.connection import Route
from oneiric_rq.errors import unreadable
from oneiric_rq.pool import Pool
from oneiric_rq.waiting import Watcher

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oneiric_rq.settings import RedisQueueSettings


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that is opened, and belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    pool: Pool
    watcher: Watcher
    client: Redis

    @classmethod
    async def open(cls, settings: RedisQueueSettings) -> Engine:
        """Connect, and see that the broker answers."""
        address = Address.parse(settings.url)
        if address.scheme is Scheme.EMBEDDED:
            raise Unsupported("`embedded://` is not there yet.")
        try:
            route = await Route.to(address, settings)
        except OSError as error:
            raise unreadable(error) from error
        pool = Pool(route, settings.max_connections)
        try:
            await pool.call("PING")
        except BaseException:
            pool.close()
            raise
        return cls(asyncio.get_running_loop(), pool, Watcher(pool), route.client())

    async def close(self) -> None:
        """Close everything, whatever the broker does."""
        self.pool.close()
        await self.watcher.close()
        await self.client.aclose()
