"""A consumer's place in its group: what it reads, keeps, acknowledges, puts aside and hands back, on the server."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

from oneiric.errors import OneiricError

from oneiric_redis_pubsub.errors import code_of
from oneiric_redis_pubsub.streams import scripts
from oneiric_redis_pubsub.streams.entry import Delivery, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oneiric_redis_pubsub.line import Line
    from oneiric_redis_pubsub.streams.keys import Keys

NOBODY = "~"
"""The owner of what was handed back."""
LONG_AGO = 10 * 365 * 86_400 * 1000
"""How long what was handed back has been idle, in milliseconds: longer than anybody waits."""


class Lost(Exception):
    """The message is another consumer's by now: we were silent for too long."""


class Membership:
    """One consumer of one group of one queue."""

    def __init__(self, line: Line, keys: Keys, group: str) -> None:
        self._line = line
        self._keys = keys
        self.group = group
        self.name = f"{socket.gethostname()[:60]}-{os.getpid()}-{os.urandom(4).hex()}"
        self._done = (keys.stream, keys.tries(group), keys.followers(group))

    async def join(self, since: str | None) -> bool:
        """Make the group, where there is none; whether there was none. It begins with the oldest message, or after `since`."""
        arguments = (self.group, since or "0", "0" if since is None else "1")
        return bool(await scripts.JOIN.run(self._line, [self._keys.stream], arguments))

    async def read(self, line: Line, count: int, wait: float) -> list[Delivery]:
        """Messages that nobody has had, on a line that may wait for them."""
        found = await line.call(
            *("XREADGROUP", "GROUP", self.group, self.name, "COUNT", count, "BLOCK", max(1, int(wait * 1000))),
            *("STREAMS", self._keys.stream, ">"),
        )
        return [Delivery(entry[0], fields_of(entry[1]), 1) for entry in found[0][1]] if found else []

    async def wake(self, client: int) -> None:
        """Let a `read` that waits return."""
        await self._line.call("CLIENT", "UNBLOCK", client)

    async def may_begin(self, pairs: Sequence[tuple[bytes, bytes]]) -> list[bool]:
        """Whether of each message the one before it of its key is done; where not, it goes to who has that one."""
        keys = (self._keys.stream, self._keys.followers(self.group))
        flat = [each for pair in pairs for each in pair]
        return [bool(may) for may in await scripts.FOLLOW.run(self._line, keys, (self.group, *flat))]

    async def acknowledge(self, ids: Sequence[bytes]) -> None:
        """Messages without a key were handled."""
        await self._line.call("XACK", self._keys.stream, self.group, *ids)

    async def forget(self, ids: Sequence[bytes]) -> None:
        """What had become of the earlier deliveries of messages that were handled."""
        await self._line.call("HDEL", self._keys.tries(self.group), *ids)

    async def acknowledge_keyed(self, delivery: Delivery) -> Delivery | None:
        """A message with a key was handled; the next of its key, where that has waited elsewhere. Raises Lost."""
        arguments = (self.group, self.name, delivery.id)
        return _next(await scripts.ACKNOWLEDGE.run(self._line, self._done, arguments))

    async def bury(self, delivery: Delivery, error: str) -> Delivery | None:
        """Put a message aside; the next of its key, where that has waited elsewhere. Raises Lost."""
        keys = (*self._done, self._keys.dead(self.group))
        history = json.dumps(delivery.history)
        arguments = (self.group, self.name, delivery.id, delivery.count, error, history)
        return _next(await scripts.BURY.run(self._line, keys, arguments))

    async def remember(self, delivery: Delivery) -> None:
        """Keep what has become of a message so far, for whoever has it next."""
        await self._line.call("HSET", self._keys.tries(self.group), delivery.id, json.dumps(delivery.history))

    async def retake(self, delivery: Delivery) -> bool:
        """Count one more delivery of a message, which begins; whether we still have it."""
        arguments = (self.group, self.name, delivery.id)
        count = await scripts.RETAKE.run(self._line, [self._keys.stream], arguments)
        delivery.count = count or delivery.count
        return bool(count)

    async def keep(self, ids: Iterable[bytes]) -> list[bytes]:
        """Say that we still have these messages; those that we have not."""
        arguments = (self.group, self.name, *ids)
        lost: list[bytes] = await scripts.KEEP.run(self._line, [self._keys.stream], arguments)
        return lost

    async def reclaim(self, idle: float, count: int) -> list[Delivery]:
        """Messages whose consumer hasn't said for so many seconds that it has them."""
        taken: list[Delivery] = []
        start = "-"
        while start and len(taken) < count:
            arguments = (self.group, self.name, int(idle * 1000), start, count - len(taken))
            after, found = await scripts.RECLAIM.run(self._line, self._done, arguments)
            start = after.decode()
            taken += [each for each in map(_delivery, found) if each is not None]
        return taken

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Let others have messages, at once; the delivery of one that wasn't begun doesn't count."""
        flat = [each for delivery in deliveries for each in (delivery.id, int(delivery.is_begun))]
        if flat:
            arguments = (self.group, self.name, NOBODY, LONG_AGO, *flat)
            await scripts.HAND_BACK.run(self._line, [self._keys.stream], arguments)

    async def leave(self) -> None:
        """Hand back whatever an answer that was lost may have given us, and be no consumer any more."""
        try:
            await scripts.LEAVE.run(self._line, [self._keys.stream], (self.group, self.name, NOBODY, LONG_AGO))
        except OneiricError as error:
            if not is_groupless(error):
                raise


def is_groupless(error: OneiricError) -> bool:
    """Whether the group, or the whole stream, is not there any more."""
    return error.__cause__ is not None and code_of(error.__cause__) == "NOGROUP"


def _next(found: list[Any] | None) -> Delivery | None:
    if found is None:
        raise Lost
    return _delivery(found)


def _delivery(found: list[Any]) -> Delivery | None:
    if not found:
        return None
    history = found[3] if len(found) > 3 and found[3] else b"[]"
    return Delivery(found[0], fields_of(found[1]), found[2], json.loads(history))
