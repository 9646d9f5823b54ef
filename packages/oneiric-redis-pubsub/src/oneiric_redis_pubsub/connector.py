"""How a connection to the server comes about: with TLS, the credentials and a deadline, and without retries of its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

    from oneiric_redis_pubsub.server import Server
    from oneiric_redis_pubsub.settings import RedisSettings


class Connector:
    """Makes connections by the settings.

    RESP2, in which a connection that listens gets nothing but what it listens to, and the answers to its PINGs. What a client
    of the driver retries by itself may be done twice: so there are no retries here.
    """

    def __init__(self, settings: RedisSettings, server: Server) -> None:
        self._timeout = settings.connect_timeout
        self._class, where = _where(settings, server)
        self._options: dict[str, Any] = {
            **where,
            **settings.login(server),
            "db": server.database,
            "client_name": settings.client_name,
            "driver_info": None,
            "protocol": 2,
            "socket_timeout": None,
            "socket_connect_timeout": settings.connect_timeout,
        }

    async def connect(self) -> AbstractConnection:
        """A new connection. Raises what the driver does, or TimeoutError."""
        connection = self._class(**self._options)
        try:
            async with asyncio.timeout(self._timeout):
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await close(connection)
            raise
        return connection

    def client(self) -> Redis:
        """The driver's own client, which connects when it is used."""
        options = {**self._options, "socket_timeout": self._timeout}
        return Redis.from_pool(ConnectionPool(connection_class=self._class, **options))


async def close(connection: AbstractConnection) -> None:
    """Close a connection without waiting for the other side."""
    with suppress(Exception):
        await connection.disconnect(nowait=True)


def _where(settings: RedisSettings, server: Server) -> tuple[type[AbstractConnection], dict[str, Any]]:
    if server.socket is not None:
        return UnixDomainSocketConnection, {"path": server.socket}
    place = {"host": server.host, "port": server.port}
    if not server.tls:
        return Connection, place
    tls = {
        "ssl_ca_certs": settings.tls_ca_file,
        "ssl_certfile": settings.tls_cert_file,
        "ssl_keyfile": settings.tls_key_file,
        "ssl_check_hostname": settings.tls_check_hostname,
    }
    return SSLConnection, {**place, **tls}
