"""Commands to all workers, over Redis: what `app.control` does, in the event loop, and at once where nobody listens."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from redis.asyncio import Redis

_EXCHANGE = "celery.pidbox"
_REPLIES = "reply.celery.pidbox"
_BINDINGS = f"_kombu.binding.{_REPLIES}"
_SEPARATOR = "\x06\x16"
_PATIENCE = 1.0
"""Seconds that workers get to answer, as Celery's own client gives them."""


class Mailbox:
    """Where the workers of a Redis database listen."""

    def __init__(self, redis: Redis, database: int) -> None:
        self._redis = redis
        self._channel = f"/{database}.{_EXCHANGE}"
        self._forgetting: set[asyncio.Task[None]] = set()

    async def listeners(self) -> int:
        """How many workers are connected, by how many get a message that asks for nothing back."""
        return int(await self._redis.publish(self._channel, _message("ping", {}, None)))

    async def ask(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What each worker says, by its name; those are left out that don't answer within a second.

        It is over as soon as all have answered who are connected, which is at once where nobody is.
        """
        address = str(uuid4())
        queue = f"{address}.{_REPLIES}"
        binding = _SEPARATOR.join([address, "", queue])
        try:
            await self._redis.sadd(_BINDINGS, binding)
            listeners = await self._redis.publish(self._channel, _message(method, arguments, address))
            return await self._replies(queue, listeners)
        finally:
            # By itself: the caller's deadline may have passed, and its cancellation must not wait.
            task = asyncio.create_task(self._forget(binding, queue), name="oneiric-celery-mailbox")
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def close(self) -> None:
        """Leave off."""
        for task in self._forgetting:
            task.cancel()
        if self._forgetting:
            await asyncio.wait(self._forgetting)

    async def _replies(self, queue: str, listeners: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        give_up = time.monotonic() + _PATIENCE
        while len(found) < listeners and (left := give_up - time.monotonic()) > 0:
            popped = await self._redis.brpop([queue], timeout=left)
            if popped is not None:
                found |= _reply(popped[1])
        return found

    async def _forget(self, binding: str, queue: str) -> None:
        """Let no answer that comes late lie about."""
        with suppress(Exception):
            async with asyncio.timeout(_PATIENCE), self._redis.pipeline(transaction=True) as pipe:
                pipe.srem(_BINDINGS, binding)
                pipe.delete(queue)
                await pipe.execute()


def _message(method: str, arguments: dict[str, Any], address: str | None) -> str:
    body: dict[str, Any] = {"method": method, "arguments": arguments, "destination": None, "pattern": None}
    body["matcher"] = None
    if address is not None:
        body |= {"ticket": str(uuid4()), "reply_to": {"exchange": _REPLIES, "routing_key": address}}
    return json.dumps(
        {
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"clock": 0, "expires": time.time() + _PATIENCE},
            "properties": {
                "delivery_mode": 2,
                "delivery_info": {"exchange": _EXCHANGE, "routing_key": ""},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid4()),
            },
        }
    )


def _reply(text: bytes | str) -> dict[str, Any]:
    body = json.loads(text)["body"]
    reply = json.loads(base64.b64decode(body))
    return reply if isinstance(reply, dict) else {}
