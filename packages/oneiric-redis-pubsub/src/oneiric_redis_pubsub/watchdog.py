"""Watches a connection that is listened on: one that says nothing is asked, and closed where it says nothing then either."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

_LOOKS = 8
"""How often it looks, in the time that it allows."""


class Watchdog:
    """Asks (PING) after half of the time, and closes the connection after all of it."""

    def __init__(self, connection: AbstractConnection, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]  # noqa: SLF001 - as in Wire
        self._ping = b"".join(connection.pack_command("PING"))
        self._seconds = seconds
        self._asked = 0.0
        self.heard = self._loop.time()
        """When the connection last said something; set by who reads."""
        self.is_asleep = False
        """Whether nobody reads just now, so that its silence says nothing."""
        self.has_bitten = False
        self._timer = self._loop.call_later(seconds / _LOOKS, self._look)

    def wake(self) -> None:
        """Watch again: somebody reads."""
        self.heard, self.is_asleep = self._loop.time(), False

    def stop(self) -> None:
        """Watch no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        silence = 0.0 if self.is_asleep else now - self.heard
        if silence >= self._seconds:
            self.has_bitten = True
            self._writer.transport.abort()
            return
        if silence >= self._seconds / 2 and self._asked <= self.heard:
            self._asked = now
            self._writer.write(self._ping)
        self._timer = self._loop.call_later(self._seconds / _LOOKS, self._look)
