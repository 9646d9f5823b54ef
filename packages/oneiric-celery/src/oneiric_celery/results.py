"""The result backend: the records of tasks, and word of their changes."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oneiric_celery import scripts
from oneiric_celery.record import Record, key_of, revoked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

_CONNECTS_WITHIN = 5.0
_PAUSE = 0.5
"""Seconds until a connection that failed is made anew."""
_LOOK = 0.05
"""Seconds after which it is looked whether others wait now."""


class Results:
    """The records of all tasks, on a Redis or Valkey server."""

    def __init__(self, redis: Redis, listener: Redis, expires: float) -> None:
        self.redis = redis
        self.notices = Notices(listener)
        self._milliseconds = int(expires * 1000)

    async def size_chord(self, group_id: str, size: int) -> None:
        """Note how many tasks a chord waits for, where workers count them."""
        await self.redis.set(f"celery-taskset-meta-{group_id}.s", size, px=self._milliseconds)

    async def ping(self) -> None:
        """Raise unless it answers."""
        await self.redis.ping()

    async def read(self, task_id: str) -> Record | None:
        """The record of a task; None where there is none. Ids that can't be are of no task."""
        try:
            key = key_of(task_id).encode()
        except UnicodeEncodeError:
            return None
        text = await self.redis.get(key)
        return Record(task_id, text) if isinstance(text, bytes) else None

    async def revoke(self, record: Record) -> Record | None:
        """Write that a task is revoked, unless it runs or has ended by now; the record as it was before, if there was one."""
        new = revoked(record.task_id, record.ours)
        was = await self._run(scripts.REVOKE, [key_of(record.task_id)], [new, self._milliseconds])
        return None if was is None else Record(record.task_id, was)

    async def put_back(self, task_id: str, now: bytes, before: bytes) -> None:
        """Undo a change of a record, unless somebody else has changed it since."""
        await self._run(scripts.REPLACE, [key_of(task_id)], [now, before, self._milliseconds])

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        await self.notices.close()
        await self.redis.aclose()

    async def _run(self, script: str, keys: list[Any], arguments: list[Any]) -> Any:
        return await self.redis.eval(script, len(keys), *keys, *arguments)


class Notices:
    """Word of changed records: workers publish each on the channel of its key. One connection of its own listens for all.

    Word may be lost, as where the connection is: who waits looks at the record now and then besides.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[bytes, set[asyncio.Event]] = {}
        self._changed = asyncio.Event()

    @contextmanager
    def of(self, task_id: str) -> Iterator[asyncio.Event]:
        """An event that is set when there is word of a task, and once its channel is listened to."""
        channel, event = key_of(task_id).encode(), asyncio.Event()
        self._waiting.setdefault(channel, set()).add(event)
        self._listen()
        try:
            yield event
        finally:
            left = self._waiting[channel]
            left.discard(event)
            if not left:
                del self._waiting[channel]
                self._changed.set()

    async def close(self) -> None:
        """Stop listening."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])
        await self._redis.aclose()

    def _listen(self) -> None:
        self._changed.set()
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="oneiric-celery-notices")

    async def _read(self) -> None:
        """Listen for as long as anybody waits; a connection that fails is made anew."""
        while self._waiting:
            try:
                await self._follow()
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - who waits looks at the record now and then, whatever happened here
                await asyncio.sleep(_PAUSE)

    async def _follow(self) -> None:
        pubsub = self._redis.pubsub()
        heard: set[bytes] = set()
        try:
            while wanted := set(self._waiting):
                self._changed.clear()
                async with asyncio.timeout(_CONNECTS_WITHIN):
                    if new := wanted - heard:
                        await pubsub.subscribe(*new)
                    if old := heard - wanted:
                        await pubsub.unsubscribe(*old)
                heard = wanted
                await self._hear(pubsub)
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def _hear(self, pubsub: PubSub) -> None:
        """Pass on what comes, until who waits has changed."""
        while not self._changed.is_set():
            message = await pubsub.get_message(timeout=_LOOK)
            if message is not None and message["type"] in ("message", "subscribe"):
                for event in self._waiting.get(message["channel"], ()):
                    event.set()
