"""Connections to the broker: redis-py's, with what a pool that can be cancelled anywhere asks of them."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis.asyncio import Connection, ConnectionPool, Redis, UnixDomainSocketConnection
from redis.exceptions import InvalidResponse, ResponseError

from oneiric_rq.address import Address, Scheme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oneiric_rq.settings import RedisQueueSettings

    Command = Sequence[str | bytes | int]


AT_ONCE = 100
"""How many commands are packed, or replies read, before others get their turn."""


async def turn(number: int) -> None:
    """Let others have theirs, now and then; `number` counts what is done."""
    if number and not number % AT_ONCE:
        await asyncio.sleep(0)


class _Conversation:
    """What redis-py's connections of either kind are given besides."""

    _reader: asyncio.StreamReader | None
    _writer: asyncio.StreamWriter | None

    async def exchange(self: Any, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one go; returns their replies, in which one that was refused is its error.

        A thousand commands are a good while's work: others get their turn between.
        """
        for start in range(0, len(commands), AT_ONCE):
            await turn(start)
            await self.send_packed_command(self.pack_commands(commands[start : start + AT_ONCE]), check_health=False)
        replies = []
        for number in range(len(commands)):
            await turn(number)
            replies.append(await self._reply())
        return replies

    async def _reply(self: Any) -> Any:
        try:
            return await self.read_response()
        except ResponseError as error:
            return error
        except ValueError as error:  # of asyncio, of a line without an end: this is no Redis
            raise InvalidResponse("A line without an end.") from error

    @property
    def is_usable(self) -> bool:
        """Whether it is open, as far as is known, and no reply is left in it."""
        reader, writer = self._reader, self._writer
        if reader is None or writer is None or writer.is_closing():
            return False
        return not reader.at_eof() and reader.exception() is None

    def abort(self: Any) -> None:
        """Close it at once: what was not sent yet is thrown away."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._close()


class TcpConnection(_Conversation, Connection):
    """By TCP."""


class TlsConnection(_Conversation, Connection):
    """By TLS, with a context that was made once: to load the authorities takes as long as many calls."""

    def __init__(self, *, tls: ssl.SSLContext, **arguments: Any) -> None:
        self._tls = tls
        super().__init__(**arguments)

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._tls}


class UnixConnection(_Conversation, UnixDomainSocketConnection):
    """By a socket in the file system."""


BrokerConnection = TcpConnection | TlsConnection | UnixConnection


@dataclass(frozen=True, slots=True)
class Route:
    """How connections to the broker are made."""

    kind: type[BrokerConnection]
    arguments: dict[str, Any] = field(repr=False)

    @classmethod
    async def to(cls, address: Address, settings: RedisQueueSettings) -> Route:
        """The way to that address. Raises OSError where a file of the settings can't be read."""
        arguments: dict[str, Any] = {
            "db": address.database,
            **settings.login(address),
            "protocol": 2,
            "socket_timeout": None,  # the deadline is that of the call
            "socket_connect_timeout": None,
            "driver_info": None,
        }
        if address.scheme is Scheme.UNIX:
            return cls(UnixConnection, {**arguments, "path": address.path})
        arguments |= {"host": address.host, "port": address.port}
        if address.scheme is Scheme.TLS:
            return cls(TlsConnection, {**arguments, "tls": await asyncio.to_thread(_tls, settings)})
        return cls(TcpConnection, arguments)

    def dial(self) -> BrokerConnection:
        """A connection that is not connected yet."""
        return self.kind(**self.arguments)

    def client(self) -> Redis:
        """A client of redis-py that goes the same way; it connects when it is used."""
        return Redis(connection_pool=ConnectionPool(connection_class=self.kind, **self.arguments))


def _tls(settings: RedisQueueSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.tls_ca_file)
    if settings.tls_cert_file is not None:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    return context
