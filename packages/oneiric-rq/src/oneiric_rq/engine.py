"""What an initialised adapter holds: its connections, and who watches for results."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.embedded import join
from oneiric.embedded.valkey import ValkeyEngine
from redis.exceptions import RedisError

from oneiric_rq.address import Address, Scheme
from oneiric_rq.connection import Route
from oneiric_rq.errors import unreadable
from oneiric_rq.pool import Pool
from oneiric_rq.waiting import Watcher

if TYPE_CHECKING:
    from oneiric.embedded import Member
    from redis.asyncio import Redis

    from oneiric_rq.settings import RedisQueueSettings

_CLOSES_WITHIN = 1.0
"""Seconds for the connections of `raw`, which its users may have left in the middle of something."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that is opened, and belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    pool: Pool
    watcher: Watcher
    client: Redis
    member: Member | None
    """Of the embedded server, where it is one."""

    @classmethod
    async def open(cls, settings: RedisQueueSettings) -> Engine:
        """Connect, and see that the broker answers."""
        address, member = Address.parse(settings.url), None
        if address.scheme is Scheme.EMBEDDED:
            member = await join(settings.url, ValkeyEngine("oneiric-rq"), timeout=settings.timeout)
            address = Address.parse(member.url)
        pool: Pool | None = None
        try:
            route = await _route(address, settings)
            pool = Pool(route, settings.max_connections)
            await pool.call("PING")
        except BaseException:
            if pool is not None:
                pool.close()
            if member is not None:
                await member.leave()
            raise
        return cls(asyncio.get_running_loop(), pool, Watcher(pool), route.client(), member)

    async def close(self) -> None:
        """Close everything, whatever the broker does."""
        self.pool.close()
        await self.watcher.close()
        try:
            with suppress(TimeoutError, RedisError):
                async with asyncio.timeout(_CLOSES_WITHIN):
                    await self.client.aclose(close_connection_pool=True)
        finally:
            if self.member is not None:
                await self.member.leave()


async def _route(address: Address, settings: RedisQueueSettings) -> Route:
    try:
        return await Route.to(address, settings)
    except OSError as error:
        raise unreadable(error) from error
