"""One connection on which any number of calls are under way, each with its own answer."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Any

from redis import exceptions as driver

from oneiric_redis_pubsub.connector import close
from oneiric_redis_pubsub.replies import PENDING, Replies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio.connection import AbstractConnection

_ANSWERS = (driver.ResponseError, driver.AuthenticationError, driver.BusyLoadingError)
"""Errors that are the server's answer to one command. All others are the end of the connection."""
_MOST_UNSENT = 4 * 1024 * 1024
"""Bytes that may wait to be sent; beyond them who sends more waits too."""

_IN_TIME = 0.001
"""Seconds; deadlines this near to one another are looked at together."""

Command = tuple[str | bytes | int | float, ...]


Call = tuple["asyncio.Future[Any]", float, float]
"""A command that was sent: where its answer goes, when it was sent, and its deadline. A class would take longer to make."""


class Wire:
    """Sends commands as they come, and hands out the answers in the same order.

    The answer to a call that was cancelled, or whose deadline has passed, is read and dropped: it can't reach another. A call
    that is alone is sent at once; those that come while others are under way are sent together, at the next turn of the loop.
    Where a deadline passes and nothing was heard since the call was sent, the connection is taken for dead.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        # The driver's ways to send and to read are coroutines that close the connection where their task is cancelled, and
        # cost as much as all the rest; so its streams are used as they are.
        self._writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]  # noqa: SLF001
        self._loop = asyncio.get_running_loop()
        self._calls: deque[Call] = deque()
        self._unsent: list[bytes] = []
        self._is_flushing = False
        self._is_full = False
        """Whether too much was still to be sent when something was written last."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._heard = self._loop.time()
        self.error: Exception | None = None
        """Why it is of no use any more."""
        self._reading = self._loop.create_task(self._read(), name="oneiric-redis-wire")

    async def call(self, command: Command, timeout: float) -> Any:
        """The answer to a command. Raises what the driver makes of the server's errors, or TimeoutError."""
        answer = self._send(packed(command), timeout)
        if self._is_full:
            await self._room()
        return await answer

    async def call_many(self, commands: Iterable[Command], timeout: float) -> list[Any]:
        """The answers to commands that are sent together, in order; an error is one of them."""
        answers = [self._send(packed(command), timeout) for command in commands]
        try:
            if self._is_full:
                await self._room()
            if answers:
                await asyncio.wait(answers[-1:])  # the answers come in order, so with the last all are there
        except BaseException:
            for answer in answers:
                answer.cancel()
            raise
        return [answer.exception() or answer.result() for answer in answers]

    async def close(self, error: Exception | None = None) -> None:
        """Close the connection; calls under way end with the error."""
        self._fail(error or driver.ConnectionError("closed"))
        self._reading.cancel()
        await close(self._connection)

    def _send(self, data: bytes, timeout: float) -> asyncio.Future[Any]:
        if self.error is not None:
            raise self.error
        now = self._loop.time()
        answer = self._loop.create_future()
        is_alone = not self._calls and not self._unsent
        self._calls.append((answer, now, now + timeout))
        if now + timeout < self._timer_at:
            self._set_timer(now + timeout)
        if is_alone:
            self._write(data)
        else:
            self._unsent.append(data)
            if not self._is_flushing:
                self._is_flushing = True
                self._loop.call_soon(self._flush)
        return answer

    def _flush(self) -> None:
        self._is_flushing = False
        if self._unsent and self.error is None:
            unsent, self._unsent = self._unsent, []
            self._write(b"".join(unsent))

    def _write(self, data: bytes) -> None:
        self._writer.write(data)
        self._is_full = self._writer.transport.get_write_buffer_size() >= _MOST_UNSENT

    async def _room(self) -> None:
        """Wait until less is to be sent."""
        try:
            await self._writer.drain()
        except OSError as error:
            self._fail(error)
        self._is_full = False

    async def _read(self) -> None:
        replies = Replies(self._connection._reader)  # type: ignore[arg-type]  # noqa: SLF001 - see above
        try:
            while True:
                await replies.more()
                self._heard = self._loop.time()
                while (answer := replies.next()) is not PENDING:
                    if isinstance(answer, Exception) and not isinstance(answer, _ANSWERS):
                        raise answer
                    self._answer(answer)
        except BaseException as error:
            self._fail(error if isinstance(error, Exception) else driver.ConnectionError("closed"))
            await close(self._connection)
            if not isinstance(error, Exception):
                raise

    def _answer(self, answer: Any) -> None:
        # IndexError, and the end of the connection, for what nobody has asked for
        waiting = self._calls.popleft()[0]
        if waiting.done():
            return
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """End the calls whose deadline has passed."""
        now = self._loop.time() + _IN_TIME
        late = [(answer, sent) for answer, sent, deadline in self._calls if deadline <= now and not answer.done()]
        for answer, _ in late:
            answer.set_exception(TimeoutError())
        if any(sent > self._heard for _, sent in late):
            self._fail(TimeoutError())
            self._writer.transport.abort()
            return
        self._timer_at = math.inf
        waiting = [deadline for answer, _, deadline in self._calls if not answer.done()]
        if waiting:
            self._set_timer(min(waiting))

    def _fail(self, error: Exception) -> None:
        if self.error is None:
            self.error = error
        if self._timer is not None:
            self._timer.cancel()
        calls, self._calls = self._calls, deque()
        self._unsent.clear()
        for answer, _, _ in calls:
            if not answer.done():
                answer.set_exception(self.error)
                answer.exception()  # who waited for it may be gone


def packed(command: Command) -> bytes:
    """A command as it is sent: an array of strings."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        data = argument.encode() if type(argument) is str else argument
        if not isinstance(data, bytes):
            data = str(data).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)
