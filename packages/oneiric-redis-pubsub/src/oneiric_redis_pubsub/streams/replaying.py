"""A subscriber to a stream: live over Pub/Sub, and from the stream itself where something is missing."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from oneiric.adapters.messaging import Gap
from oneiric.errors import OneiricError

from oneiric_redis_pubsub.inbox import Inbox
from oneiric_redis_pubsub.listener import Joined, Listener
from oneiric_redis_pubsub.streams.entry import fields_of, message_of, number_of, time_of
from oneiric_redis_pubsub.subscription import told

if TYPE_CHECKING:
    from oneiric.adapters.messaging import Message, OnGap

    from oneiric_redis_pubsub.listener import Arrived
    from oneiric_redis_pubsub.session import Session
    from oneiric_redis_pubsub.streams.keys import Keys

logger = logging.getLogger("oneiric_redis_pubsub")

_BATCH = 200
_AHEAD = 1000
"""How many messages may wait for the subscriber; beyond them no more are read, and what is lost by that is in the stream."""
_TRIMMED = "Messages were trimmed before they could be read."
_RESTORED = "The stream was deleted, or its server has lost a part of it."
_FIRST = b"0-0"
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
"""Seconds until what was interrupted is tried again."""


class Replay:
    """The messages of a queue after a point, and those that follow, each once and in order."""

    def __init__(self, session: Session, keys: Keys, last: str | None, on_gap: OnGap | None) -> None:
        self._session = session
        self._keys = keys
        self._on_gap = on_gap
        self._is_new = last is None
        self._has_joined = False
        """Whether it listens since a moment ago, and has still to look what it may have lost before."""
        self._is_behind = False
        """Whether the stream has, or may have, more than was seen of it."""
        self._last = _FIRST if last is None else last.encode()
        self._waiting: deque[Message] = deque()
        self._inbox: Inbox[Arrived | Joined] = Inbox(_AHEAD)
        self._listener: Listener | None = None

    async def next(self) -> Message | None:
        """The next message; None once it is stopped."""
        if self._listener is None:
            await self._begin()
        pause = _FIRST_PAUSE
        while not self._waiting and not self._inbox.is_closed:
            try:
                await self._go_on()
            except OneiricError as error:
                await self._interrupted(error, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        return None if self._inbox.is_closed else self._waiting.popleft()

    def stop(self) -> None:
        """Give nothing more."""
        self._inbox.close()

    async def close(self) -> None:
        """Let go of the connection."""
        self._inbox.close()
        if self._listener is not None:
            await self._listener.stop()

    async def _begin(self) -> None:
        """Note where the stream ends before it is listened to: what comes between is in the stream."""
        if self._is_new:
            end = await self._end()
            self._last = end[0] if end else _FIRST
        self._listener = Listener(self._session, "SUBSCRIBE", self._keys.channel, self._keys.queue, self._inbox)

    async def _interrupted(self, error: OneiricError, pause: float) -> None:
        """Wait before another attempt: the line may break, or be found dead, apart from the connection that listens."""
        if not error.transient:
            raise error
        if self._inbox.is_closed:
            return
        logger.warning("Reading a stream was interrupted, and is tried again. %s", error.message)
        await asyncio.sleep(pause)

    async def _go_on(self) -> None:
        """One step: nothing of it is lost where it fails."""
        if self._has_joined:
            await self._look_for_losses()
            self._has_joined, self._is_behind = False, True
        elif self._is_behind:
            await self._fill()
        else:
            await self._listen()

    async def _listen(self) -> None:
        arrived = await self._inbox.get()
        if isinstance(arrived, Joined):
            self._has_joined = True
        elif arrived is not None:
            self._arrived(arrived[1])

    def _arrived(self, payload: bytes) -> None:
        """A message was published; where it isn't the next one, those between are in the stream."""
        entry_id, before, key, headers, body = payload.split(b"\n", 4)
        if number_of(entry_id) <= number_of(self._last):
            return
        if before and number_of(before) > number_of(self._last):
            self._is_behind = True
            return
        self._last = entry_id
        self._take(
            entry_id, [b"body", body, *([b"headers", headers] if headers else []), *([b"key", key] if key else [])]
        )

    async def _fill(self) -> None:
        """Read a piece of what the stream has beyond the last message."""
        beyond = b"(" + self._last
        found = await self._session.line.call("XRANGE", self._keys.stream, beyond, "+", "COUNT", _BATCH)
        for entry_id, flat in found:
            self._last = entry_id
            self._take(entry_id, flat)
        self._is_behind = len(found) == _BATCH

    async def _look_for_losses(self) -> None:
        """Tell of what the stream doesn't have any more."""
        if self._last == _FIRST:
            return
        end = await self._end()
        reason = ""
        if end is None or number_of(end[0]) < number_of(self._last):
            reason = _RESTORED
        elif number_of(end[1]) > number_of(self._last):
            reason = _TRIMMED
        if reason:
            await told(self._on_gap, Gap(self._keys.queue, time_of(self._last), reason))
        if reason == _RESTORED:
            self._last = _FIRST

    async def _end(self) -> tuple[bytes, bytes] | None:
        """The id of the last entry that there ever was, and of the last that was deleted; None where there is no stream."""
        try:
            flat = await self._session.line.call("XINFO", "STREAM", self._keys.stream)
        except OneiricError as error:
            if error.__cause__ is not None and "no such key" in str(error.__cause__):
                return None
            raise
        about = fields_of(flat)
        return about[b"last-generated-id"], about.get(b"max-deleted-entry-id", _FIRST)

    def _take(self, entry_id: bytes, flat: list[bytes]) -> None:
        try:
            self._waiting.append(message_of(self._keys.queue, entry_id, fields_of(flat)))
        except ValueError:
            logger.warning("An entry of a stream that is subscribed to is no message; it is left out.")
