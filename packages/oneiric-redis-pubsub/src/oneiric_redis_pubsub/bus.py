"""What both adapters have in common: their life, their health, and what is checked before anything is sent."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from oneiric.adapters.base import Health
from oneiric.adapters.event_loops import LoopLock
from oneiric.adapters.messaging import MessageAdapter
from oneiric.adapters.messaging.checking import Checks
from oneiric.embedded import join
from oneiric.embedded.valkey import ValkeyEngine
from oneiric.errors import InvalidMessage, OneiricError, Unsupported

from oneiric_redis_pubsub.server import parse
from oneiric_redis_pubsub.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oneiric.adapters.messaging import Outgoing
    from oneiric.adapters.messaging.checking import Checked
    from redis.asyncio import Redis

    from oneiric_redis_pubsub.settings import RedisSettings

_HEALTH_WITHIN = 5.0
"""Seconds that a health check takes at most."""
_OLDEST = {"redis": 7, "valkey": 8}


class RedisBus(MessageAdapter):
    """A message bus on one server of Redis or Valkey."""

    settings: RedisSettings
    capabilities: frozenset[str] = frozenset()
    """What the adapter can do, with any settings."""
    commands: tuple[str, ...] = ()
    """What it needs of the server."""

    _session: Session | None = None
    _closing: asyncio.Task[None] | None = None
    """The end of the last session, which a cancelled cleanup() leaves to itself."""

    def __init__(self, settings: RedisSettings | Mapping[str, Any] | None = None) -> None:
        super().__init__(settings)
        self._opening = LoopLock()

    async def init(self) -> None:
        """Connect, and see that the server can do what is needed."""
        async with self._opening.here():
            await self._forget_another_loops()
            if self._session is None:
                self._session = await self._opened()

    async def health(self) -> Health:
        """Whether the server answers a PING."""
        session = self._session
        if session is None:
            return Health(False, "Not initialised.")
        start = time.perf_counter()
        try:
            async with asyncio.timeout(min(_HEALTH_WITHIN, self.settings.timeout)):
                detail = await self._asked(session)
        except TimeoutError:
            return Health(False, "The server didn't answer in time.")
        except OneiricError as error:
            return Health(False, error.message)
        return Health(True, detail, round((time.perf_counter() - start) * 1000, 3))

    async def cleanup(self) -> None:
        """Let consumers finish what they have begun (`drain` seconds at most), and close all connections."""
        async with self._opening.here():  # an init() that is under way would open what nobody closes
            await self._forget_another_loops()
            session, self._session = self._session, None
            if session is not None:
                self._closing = session.stop()
        is_own = session is not None and session.is_handled_in(asyncio.current_task())
        if self._closing is not None and not is_own:  # a callback's cleanup can't wait for the callback
            await asyncio.shield(self._closing)

    @property
    def raw(self) -> Redis:
        """A `redis.asyncio.Redis` on connections of its own; nothing that goes wrong on it disturbs the adapter."""
        return self._ready().raw

    async def publish(
        self,
        queue: str,
        message: Mapping[str, Any],
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Publish a message; returns its id."""
        session, checks = self._ready(), self._checks
        checks.queue(queue)
        one = self._fitting(checks.outgoing(message, key, {} if headers is None else headers, idempotency_key))
        return (await self._publish(session, queue, [one], timeout))[0]

    async def publish_many(
        self, queue: str, messages: Iterable[Mapping[str, Any] | Outgoing], *, timeout: float | None = None
    ) -> list[str]:
        """Publish messages in their order, together; returns their ids."""
        session, checks = self._ready(), self._checks
        checks.queue(queue)
        checked = [self._fitting(checks.message(message)) for message in messages]
        return await self._publish(session, queue, checked, timeout)

    async def _publish(self, session: Session, queue: str, messages: list[Checked], timeout: float | None) -> list[str]:
        raise NotImplementedError

    async def _forget_another_loops(self) -> None:
        """Let go of what another event loop, which has ended, has left open."""
        loop = asyncio.get_running_loop()
        if self._closing is not None and self._closing.get_loop() is not loop:
            self._closing = None
        session = self._session
        if session is None or session.loop is loop:
            return
        if not session.loop.is_closed():
            what = "The adapter is in use in another event loop, which still runs."
            raise Unsupported(what, adapter=self.name, hint="Call `cleanup()` there, or make another adapter here.")
        self._session = None
        await session.forget()

    async def _opened(self) -> Session:
        server, member = self.settings.server, None
        if server.is_embedded:
            member = await join(self.settings.url, ValkeyEngine("oneiric-redis-pubsub"), timeout=self.settings.timeout)
            server = parse(member.url)
        session = Session(self.settings, server, self.name, member)
        try:
            await session.line.open()
            await self._look_at(session)
        except BaseException:
            await session.stop()
            raise
        return session

    async def _look_at(self, session: Session) -> None:
        """See that the server is new enough and has the commands that are needed, as far as it says."""
        asked = [("INFO", "server"), ("COMMAND", "INFO", *self.commands)]
        info, commands = await session.line.call_all(asked, timeout=self.settings.connect_timeout)
        # An error: it needn't let everybody look.
        found = None if isinstance(info, Exception) else _version(info)
        if found is not None and found[1] < _OLDEST[found[0]]:
            raise Unsupported(
                f"The server is {found[0].capitalize()} {found[1]}; {_OLDEST[found[0]]} is the least.",
                adapter=self.name,
            )
        if isinstance(commands, Exception):
            return
        lacking = [name for name, about in zip(self.commands, commands, strict=True) if not about]
        if lacking:
            hint = "Its config may have renamed what this adapter needs."
            raise Unsupported(f"The server lacks {', '.join(lacking)}.", adapter=self.name, hint=hint)

    async def _asked(self, session: Session) -> str:
        await session.line.call("PING")
        return ""

    def _ready(self) -> Session:
        session = self._session
        if session is None or session.loop is not asyncio.get_running_loop():
            raise self.not_initialized()
        return session

    @property
    def _checks(self) -> Checks:
        return Checks(self.capabilities, self.name)

    def _fitting(self, checked: Checked) -> Checked:
        """The message, which is not too large."""
        if len(checked.body) > self.settings.max_message_bytes // 4:
            size = len(checked.body.encode())
            if size > self.settings.max_message_bytes:
                hint = "Store it elsewhere and publish where it is, or raise `max_message_bytes`."
                raise InvalidMessage(f"The message has {size} bytes as JSON.", adapter=self.name, hint=hint)
        return checked


def _version(info: bytes) -> tuple[str, int] | None:
    """The server's name and major version, where it says them."""
    lines = dict(line.split(":", 1) for line in info.decode(errors="replace").split("\r\n") if ":" in line)
    for name in ("valkey", "redis"):
        major = lines.get(f"{name}_version", "").partition(".")[0]
        if major.isdigit():
            return name, int(major)
    return None
