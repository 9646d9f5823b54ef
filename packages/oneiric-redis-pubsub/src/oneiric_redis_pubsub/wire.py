"""One connection on which any number of calls are under way, each with its own answer."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Any

from redis import exceptions as driver

from oneiric_redis_pubsub.connector import close

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis.asyncio.connection import AbstractConnection

_ANSWERS = (driver.ResponseError, driver.AuthenticationError, driver.BusyLoadingError)
"""Errors that are the server's answer to one command. All others are the end of the connection."""
_MOST_UNSENT = 4 * 1024 * 1024
"""Bytes that may wait to be sent; beyond them who sends more waits too."""

Command = tuple[Any, ...]


class Wire:
    """Sends commands as they come, and hands out the answers in the same order.

    The answer to a call that was cancelled, or whose deadline has passed, is read and dropped: it can't reach another. A call
    that is alone is sent at once; those that come while others are under way are sent together, at the next turn of the loop.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        # The driver's way to send is a coroutine that closes the connection where its task is cancelled.
        self._writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]  # noqa: SLF001
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._unsent: list[bytes] = []
        self._is_flushing = False
        self.heard = self._loop.time()
        """When the server last said something."""
        self.error: BaseException | None = None
        """Why it is of no use any more."""
        self._reading = self._loop.create_task(self._read(), name="oneiric-redis-wire")

    async def call(self, command: Command) -> Any:
        """The answer to a command. Raises what the driver makes of the server's errors."""
        answer = self._send(self._connection.pack_command(*command))
        await self._has_room()
        return await answer

    async def call_many(self, commands: Iterable[Command]) -> list[Any]:
        """The answers to commands that are sent together, in order; an error is one of them."""
        answers = [self._send(self._connection.pack_command(*command)) for command in commands]
        try:
            await self._has_room()
            if answers:
                await asyncio.wait(answers[-1:])  # the answers come in order, so with the last all are there
        except BaseException:
            for answer in answers:
                answer.cancel()
            raise
        return [answer.exception() or answer.result() for answer in answers]

    async def close(self, error: BaseException | None = None) -> None:
        """Close the connection; calls under way end with the error."""
        self._fail(error or driver.ConnectionError("closed"))
        self._reading.cancel()
        await close(self._connection)

    def _send(self, packed: Sequence[bytes]) -> asyncio.Future[Any]:
        if self.error is not None:
            raise self.error
        answer = self._loop.create_future()
        is_alone = not self._waiting and not self._unsent
        self._waiting.append(answer)
        self._unsent.extend(packed)
        if is_alone:
            self._flush()
        elif not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)
        return answer

    def _flush(self) -> None:
        self._is_flushing = False
        if self._unsent and self.error is None:
            unsent, self._unsent = self._unsent, []
            self._writer.write(b"".join(unsent))

    async def _has_room(self) -> None:
        """Wait where too much is still to be sent."""
        if self._writer.transport.get_write_buffer_size() < _MOST_UNSENT:
            return
        try:
            await self._writer.drain()
        except OSError as error:
            self._fail(error)

    async def _read(self) -> None:
        read = self._connection.read_response
        try:
            while True:
                try:
                    answer = await read(timeout=math.inf, disconnect_on_error=False)
                except _ANSWERS as error:
                    answer = error
                self._answer(answer)
        except BaseException as error:
            self._fail(error)
            await close(self._connection)
            if not isinstance(error, Exception):
                raise

    def _answer(self, answer: Any) -> None:
        self.heard = self._loop.time()
        waiting = self._waiting.popleft()  # IndexError, and the end of the connection, for what nobody has asked for
        if waiting.done():
            return
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error if isinstance(error, Exception) else driver.ConnectionError("closed")
        waiting, self._waiting = self._waiting, deque()
        self._unsent.clear()
        for each in waiting:
            if not each.done():
                each.set_exception(self.error)
                each.exception()  # who waited for it may be gone
