"""What the adapters of this package have in common: init, health and cleanup of a pool of connections to one server."""

from __future__ import annotations

import asyncio
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from oneiric.adapters.base import Adapter, Health
from oneiric.adapters.event_loops import LoopLock, refuse_while_running
from oneiric.embedded import join

from oneiric_postgres.connecting import arguments, connect
from oneiric_postgres.embedded import PostgresEngine
from oneiric_postgres.errors import OtherLoop, translated, unreachable
from oneiric_postgres.pool import Pool
from oneiric_postgres.server import parse
from oneiric_postgres.settings import ServerSettings

if TYPE_CHECKING:
    import asyncpg
    from oneiric.embedded import Member

    from oneiric_postgres.server import Dsn

_HEALTH_WITHIN = 5.0
"""Seconds that a health check takes at most."""


class ServerAdapter(Adapter):
    """An adapter with a pool. A subclass may `_prepare` each new connection, and do more in `_opened` and `_closing`."""

    settings_class: ClassVar[type[ServerSettings]] = ServerSettings
    settings: ServerSettings

    _pool: Pool | None = None
    _member: Member | None = None

    async def init(self) -> None:
        """Connect, as often as `pool_min_size` says.

        What another event loop left open is forgotten; Unsupported where that loop is still running.
        """
        async with self._opening.here():
            self._forget_another_loops()
            if self._pool is not None:
                return
            try:
                self._pool = await self._open()
            except Exception as error:
                ours = unreachable(error, self.name)
                if ours is error:
                    raise
                raise ours from error

    async def health(self) -> Health:
        """Whether the server answers a query within five seconds (or `timeout`, where that is less)."""
        pool = self._pool
        if pool is None:
            return Health(False, "Not initialised.")
        start = time.perf_counter()
        detail = ""
        try:
            async with asyncio.timeout(min(_HEALTH_WITHIN, self.settings.timeout)):
                await self._ask(pool)
        except TimeoutError:
            detail = "No answer in time: the server is silent, or all connections are busy with slow statements."
        except Exception as error:  # noqa: BLE001 - a health check never raises
            detail = str(unreachable(error, None))
        return Health(not detail, detail, round((time.perf_counter() - start) * 1000, 3))

    async def cleanup(self) -> None:
        """Close all connections; calls that are under way get two seconds to finish."""
        async with self._opening.here():  # an init() that is under way would open what nobody closes
            pool, self._pool = self._pool, None
            if pool is None:
                return
            try:
                await self._closing()
            finally:
                try:
                    await (pool.close() if pool.loop is asyncio.get_running_loop() else self._abandon(pool))
                finally:
                    await self._leave()

    async def _prepare(self, connection: asyncpg.Connection) -> None:
        """Set a new connection up, before anybody uses it."""

    async def _opened(self, pool: Pool, given: dict[str, Any], /) -> None:
        """What else `init()` has to do once the pool is there; `given` is what its connections are made with."""

    async def _closing(self) -> None:
        """What `cleanup()` has to do before the pool is closed."""

    def _ready(self) -> Pool:
        if self._pool is None:
            raise self.not_initialized()
        if self._pool.loop is not asyncio.get_running_loop():
            raise translated(OtherLoop(), self.name)
        return self._pool

    async def _open(self) -> Pool:
        try:
            return await self._open_pool(await self._reached())
        except BaseException:
            await self._leave()
            raise

    async def _reached(self) -> Dsn:
        """The server to connect to; an embedded one is started, unless it is up."""
        if self.settings.dsn is None or not self.settings.is_embedded:
            return self.settings.server
        member = await join(self.settings.dsn, PostgresEngine(), timeout=self.settings.timeout)
        previous, self._member = self._member, member
        if previous is not None:  # of an event loop that has ended
            await previous.leave()
        return parse(member.url)

    async def _leave(self) -> None:
        """Leave the embedded server, which ends soon after its last member has left."""
        member, self._member = self._member, None
        if member is not None:
            await member.leave()

    async def _open_pool(self, server: Dsn) -> Pool:
        given = arguments(self.settings, server)
        pool = Pool(
            lambda: self._connect(given),
            at_least=self.settings.pool_min_size,
            at_most=self.settings.pool_max_size,
            reset="never" if self.settings.pgbouncer else self.settings.reset,
        )
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                await pool.open()
                await self._opened(pool, given)
        except BaseException:
            await pool.close()
            raise
        return pool

    async def _connect(self, given: dict[str, Any]) -> asyncpg.Connection:
        connection = await connect(given)
        try:
            await self._prepare(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _ask(self, pool: Pool) -> None:
        session = pool.take() or await pool.acquire(_HEALTH_WITHIN)
        try:
            await session.connection.fetchval("SELECT 1", timeout=_HEALTH_WITHIN)
        finally:
            pool.release(session)

    @cached_property
    def _opening(self) -> LoopLock:
        return LoopLock()

    def _forget_another_loops(self) -> None:
        pool = self._pool
        if pool is None or pool.loop is asyncio.get_running_loop():
            return
        refuse_while_running(pool.loop, self.name)
        self._pool = None
        pool.abandon()

    async def _abandon(self, pool: Pool) -> None:
        pool.abandon()
