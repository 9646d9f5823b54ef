"""Publishing to a stream: messages that come at the same time are published in one step of the server's."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from oneiric.errors import ConnectionFailed, DeadlineExceeded, OneiricError

from oneiric_redis_pubsub.streams import scripts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.adapters.messaging.checking import Checked

    from oneiric_redis_pubsub.session import Session
    from oneiric_redis_pubsub.streams.keys import Keys

_BATCH = 200
"""Messages that are published in one step: others wait that long."""
_CLEANED_UP = "The adapter was cleaned up before this call was done."


Waiting = tuple["Checked", "asyncio.Future[bytes]"]
"""A message, and the id that it gets."""


class Publisher:
    """Publishes to one queue. Who is alone is sent at once; who comes while others are under way, with those that come too."""

    def __init__(self, session: Session, keys: Keys, remembered: float) -> None:
        self.session = session
        self._keys = keys
        self._names = (keys.stream, keys.tail, keys.latest, keys.ages)
        self._remembered = int(remembered * 1000)
        self._under_way = 0
        self._waiting: list[Waiting] = []
        self.tidied_at: float | None = None
        """When the queue is to be trimmed next, on the event loop's clock; None where it wasn't published to yet."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way and not self._waiting

    async def publish_one(self, message: Checked, group: str, timeout: float) -> str:
        """Publish a message, perhaps with others; returns its id."""
        if self.is_idle:
            return (await self.publish([message], group, timeout))[0]
        answer: asyncio.Future[bytes] = self.session.loop.create_future()
        if not self._waiting:
            self.session.loop.call_soon(self._send, group)
        self._waiting.append((message, answer))
        if timeout == self.session.settings.timeout:
            return (await answer).decode()  # it ends then with all that are sent together: a timer for each costs much
        try:
            async with asyncio.timeout(timeout):
                return (await answer).decode()
        except TimeoutError as error:
            what = "The server didn't answer in time; whether it has done it is not known."
            raise DeadlineExceeded(what, adapter=self.session.adapter) from error

    async def publish(self, messages: Sequence[Checked], group: str, timeout: float) -> list[str]:
        """Publish messages in their order; returns their ids. `group` is made, where it isn't empty."""
        end = self.session.loop.time() + timeout
        ids: list[str] = []
        for start in range(0, len(messages), _BATCH):
            batch = messages[start : start + _BATCH]
            ids += [each.decode() for each in await self._step(batch, group, end - self.session.loop.time())]
        return ids

    def _send(self, group: str) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _BATCH):
            batch = waiting[start : start + _BATCH]
            self.session.aside(self._together(batch, group)).add_done_callback(partial(self._ended, batch))

    async def _together(self, batch: list[Waiting], group: str) -> None:
        """Publish what has waited; those who were cancelled before it was sent are left out."""
        batch = [(message, answer) for message, answer in batch if not answer.done()]
        if not batch:
            return
        try:
            ids = await self._step([message for message, _ in batch], group, self.session.settings.timeout)
        except OneiricError as error:
            for _, answer in batch:
                _fail(answer, error)
            return
        for (_, answer), each in zip(batch, ids, strict=True):
            if not answer.done():
                answer.set_result(each)

    def _ended(self, batch: list[Waiting], _task: asyncio.Task[None]) -> None:
        """Let nobody wait on: a cleanup may have cancelled the task, even before it began."""
        for _, answer in batch:
            if not answer.done():
                _fail(answer, ConnectionFailed(_CLEANED_UP, adapter=self.session.adapter, transient=False))

    async def _step(self, messages: Sequence[Checked], group: str, timeout: float) -> list[bytes]:
        arguments: list[Any] = [self._keys.channel, group, self._keys.once, self._remembered]
        for message in messages:
            headers = json.dumps(message.headers, ensure_ascii=False) if message.headers else ""
            arguments += (message.body, headers, message.key or "", message.idempotency_key or "")
        self._under_way += 1
        try:
            found: list[bytes] = await scripts.PUBLISH.run(self.session.line, self._names, arguments, timeout)
        finally:
            self._under_way -= 1
        return found


def _fail(answer: asyncio.Future[bytes], error: OneiricError) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # who waited for it may be gone
