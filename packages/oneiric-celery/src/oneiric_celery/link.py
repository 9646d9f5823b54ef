"""Connections to a Redis or Valkey server, in the event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost

from oneiric_celery.errors import CleanedUp

if TYPE_CHECKING:
    from oneiric_celery.settings import CelerySettings
    from oneiric_celery.urls import Server


_CLOSES_WITHIN = 1.0


class Pool(BlockingConnectionPool):
    """Connections that end with their pool: those too that somebody has, or waits for."""

    _is_closed = False

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Connect where it isn't; not any more once the pool is closed."""
        self._check()
        await super().ensure_connection(connection)
        if self._is_closed:
            await connection.disconnect()
            self._check()
        writer = connection._writer  # noqa: SLF001 - redis-py asks nobody whether the other side has closed it
        if writer is None or writer.transport.is_closing():
            # Python 3.13.0 raises AttributeError where such a one is written to.
            await connection.disconnect()
            raise ConnectionLost("The connection was lost.")

    async def aclose(self) -> None:
        """Close everything, and let go of who has a connection."""
        self._is_closed = True
        give_up = time.monotonic() + _CLOSES_WITHIN
        while True:
            await self.disconnect(inuse_connections=True)
            if not self._in_use_connections or time.monotonic() > give_up:
                return
            await asyncio.sleep(0.001)

    def _check(self) -> None:
        if self._is_closed:
            raise CleanedUp


class Client(Redis):
    """redis-py's commands, each sent once, without retries, which are off here, and metrics: a sixth of a read's time."""

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """Send a command; returns its reply."""
        connection = await self.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        try:  # a connection that fails or is cancelled on its way closes itself
            await connection.send_command(*arguments, check_health=False)
            return await self.parse_response(connection, arguments[0], **options)
        finally:
            await self.connection_pool.release(connection)


def client(settings: CelerySettings, server: Server) -> Redis:
    """A client of its own pool; it connects when it is first used. The deadlines are the callers'.

    Nothing is tried again by itself: whether a write may be is known to who sends it.
    """
    pool = Pool(
        max_connections=settings.max_connections,
        timeout=None,
        db=server.database,
        username=server.username,
        password=server.password,
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **_way(settings, server),
    )
    return Client.from_pool(pool)


def _way(settings: CelerySettings, server: Server) -> dict[str, Any]:
    """How the server is reached."""
    if server.scheme == "unix":
        return {"connection_class": UnixDomainSocketConnection, "path": server.path}
    address = {"host": server.host, "port": server.port, "socket_connect_timeout": None}
    if not server.tls:
        return {"connection_class": Connection, **address}
    tls = {"ssl_ca_certs": settings.tls_ca_file, "ssl_check_hostname": True}
    return {"connection_class": SSLConnection, **address, **tls}
