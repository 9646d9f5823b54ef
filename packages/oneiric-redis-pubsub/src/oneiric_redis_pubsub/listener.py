"""Who listens to a channel or a pattern, on a connection of their own, which is made again where it breaks."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from oneiric.adapters.messaging import Gap
from oneiric.errors import OneiricError
from redis import exceptions as driver

from oneiric_redis_pubsub.connector import close
from oneiric_redis_pubsub.errors import translated
from oneiric_redis_pubsub.watchdog import Watchdog

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

    from oneiric_redis_pubsub.inbox import Inbox
    from oneiric_redis_pubsub.session import Session

logger = logging.getLogger("oneiric_redis_pubsub")

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
"""Seconds until the next attempt to connect."""
_BROKEN = (driver.RedisError, OSError, EOFError, OneiricError)

Arrived = tuple[bytes, bytes]
"""The channel, and what was published to it."""


@dataclass(frozen=True, slots=True)
class Joined:
    """From here on it listens."""

    gap: Gap | None
    """What may have been lost before; None at the first time."""


class Listener:
    """Puts what arrives into an inbox, and when it begins to listen, or does so again, a Joined.

    While the inbox is full nothing is read, so that memory is bounded here; the server then buffers, and closes the
    connection when that is too much for it.
    """

    def __init__(
        self, session: Session, command: str, channel: str, queue: str, inbox: Inbox[Arrived | Joined]
    ) -> None:
        self._session = session
        self._subscribe = (command, channel)
        self._queue = queue
        self._inbox = inbox
        self._heard: float | None = None
        """When it last listened, on the event loop's clock; None before the first time."""
        self._reason = ""
        self._has_listened = self._was_behind = False
        self.task = session.loop.create_task(self._run(), name="oneiric-redis-listener")

    async def stop(self) -> None:
        """Listen no more."""
        self.task.cancel()
        await asyncio.wait({self.task})

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            self._has_listened = self._was_behind = False
            try:
                await self._listen()
            except _BROKEN as error:
                ours = translated(error, self._session.adapter)
                if not ours.transient:
                    self._inbox.close(ours)
                    return
                self._broke(ours)
            pause = _FIRST_PAUSE if self._has_listened else min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - so that not all come at once

    def _broke(self, error: OneiricError) -> None:
        if self._was_behind:
            self._reason = "The server closed the connection of a reader that was too slow for it, or it broke."
        elif self._has_listened or not self._reason:
            self._reason = f"The connection broke: {error.message}"
        logger.warning("Listening was interrupted, and is tried again. %s", error.message)

    async def _listen(self) -> None:
        connection = await self._session.connector.connect()
        try:
            async with asyncio.timeout(self._session.settings.connect_timeout):
                await connection.send_command(*self._subscribe, check_health=False)
                await connection.read_response(timeout=math.inf, disconnect_on_error=False)
            self._inbox.put(Joined(None if self._heard is None else self._gap(self._heard)))
            await self._read(connection)
        finally:
            await close(connection)

    async def _read(self, connection: AbstractConnection) -> None:
        read, now, inbox = connection.read_response, self._session.loop.time, self._inbox
        watchdog = Watchdog(connection, self._session.settings.watchdog)
        self._has_listened = True
        try:
            while True:
                arrived: list[Any] = await read(timeout=math.inf, disconnect_on_error=False)
                watchdog.heard = now()
                if arrived[0] == b"message":
                    inbox.put((arrived[1], arrived[2]))
                elif arrived[0] == b"pmessage":
                    inbox.put((arrived[2], arrived[3]))
                if inbox.is_full:
                    watchdog.is_asleep = self._was_behind = True
                    await inbox.room()
                    watchdog.wake()
        except _BROKEN as error:
            if watchdog.has_bitten:
                raise OneiricError("It said nothing, though it was asked.", transient=True) from error
            raise
        finally:
            watchdog.stop()
            self._heard = watchdog.heard

    def _gap(self, heard: float) -> Gap:
        ago = timedelta(seconds=self._session.loop.time() - heard)
        return Gap(self._queue, datetime.now(UTC) - ago, self._reason)
