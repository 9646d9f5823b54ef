"""The pool: connections that are held, taken last in first out, and reset only where they were dirtied.

asyncpg's own pool resets a connection after each use, which is a round trip: half the time of a point query. Here who uses a
session says whether it may have changed it (`Session.is_dirty`), and only then it is reset, behind the caller's back, before
anybody else gets it. What broke off, by a deadline or a cancellation, is mended the same way, or closed.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Literal

from oneiric_postgres.errors import CleanedUp, Late
from oneiric_postgres.session import Session
from oneiric_postgres.waiters import Waiters

Reset = Literal["dirty", "always", "never"]
"""When a session is reset: where it is dirty, after each use, or not at all, as behind PgBouncer, where it is nobody's."""

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg

_MEND_WITHIN = 5.0
"""Seconds that a connection is given to be as new again before it is closed."""
_CLOSE_WITHIN = 2.0
"""Seconds that the connections are given to say goodbye, and calls that are under way to finish."""
_STALE_AFTER = 300.0
"""Seconds after which an idle connection is closed and not used: firewalls forget such ones without a word."""


class Pool:
    """Connections of one event loop. `take` or `acquire` a session, and `release` it, whatever happened."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        at_least: int,
        at_most: int,
        reset: Reset = "dirty",
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._connect = connect
        self._at_least = at_least
        self._at_most = at_most
        self._idle: list[Session] = []
        self._lent: set[Session] = set()
        self._waiters = Waiters(self.loop)
        self._opening = 0
        self._mending: dict[asyncio.Task[None], Session] = {}
        self._is_closed = False
        self._reset = reset

    @property
    def size(self) -> int:
        """How many connections there are, those that are being opened or mended included."""
        return len(self._idle) + len(self._lent) + len(self._mending) + self._opening

    async def open(self) -> None:
        """Open the first connections. Raises what connecting raises; `close()` then."""
        # The first one alone: where the server refuses, it is asked once.
        for number in (min(1, self._at_least), self._at_least - 1):
            opened = await asyncio.gather(*(self._open() for _ in range(number)), return_exceptions=True)
            for one in opened:
                if isinstance(one, Session):
                    self.release(one)
            errors = [one for one in opened if isinstance(one, BaseException)]
            if errors:
                raise errors[0]

    def take(self) -> Session | None:
        """An idle session at once, or None."""
        while self._idle:
            session = self._idle.pop()
            if session.connection.is_closed():
                continue
            if self.loop.time() - session.since > _STALE_AFTER:
                self._mend(session, close=True)
                continue
            self._lent.add(session)
            return session
        return None

    async def acquire(self, within: float) -> Session:
        """A session, waited for where need be. Raises Late, or what connecting raises."""
        until = self.loop.time() + within
        while not self._is_closed:
            session = self.take()
            if session is not None:
                return session
            if self.size < self._at_most:
                return await self._open_by(until)
            session = await self._wait(until)
            if session is not None:
                return session
        raise CleanedUp

    @asynccontextmanager
    async def session(self, within: float) -> AsyncIterator[Session]:
        """A session for a block of work. It is dirty unless `is_dirty` is set False at the block's end."""
        session = self.take() or await self.acquire(within)
        session.is_dirty = True
        try:
            yield session
        finally:
            self.release(session)

    def release(self, session: Session) -> None:
        """Give a session back; what isn't as new is mended first, and nobody waits for that."""
        self._lent.discard(session)
        if self._is_closed:
            session.connection.terminate()
        elif session.is_settled and not self._is_to_be_reset(session):
            self._put(session)
        elif session.connection.is_closed():
            session.connection.terminate()  # which frees what asyncpg still has of it
            self._wake()
        else:
            self._mend(session, close=False)

    async def close(self) -> None:
        """Close every connection: those in use after a moment, or the end of their calls. Idempotent."""
        self._is_closed = True
        self._waiters.send_away(CleanedUp)
        idle, self._idle = self._idle, []
        try:
            await asyncio.gather(*(_close(session) for session in idle))
            give_up = self.loop.time() + _CLOSE_WITHIN
            while (self._lent or self._opening or self._mending) and self.loop.time() < give_up:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        finally:
            for session in (*idle, *self._lent, *self._mending.values()):
                session.connection.terminate()
            for task in self._mending:
                task.cancel()

    def abandon(self) -> None:
        """Forget what was opened in an event loop that is over."""
        self._is_closed = True
        for session in (*self._idle, *self._lent, *self._mending.values()):
            with suppress(RuntimeError):  # the loop is closed
                session.connection.terminate()
        self._idle = []

    async def _open_by(self, until: float) -> Session:
        limit = asyncio.timeout_at(until)
        try:
            async with limit:
                return await self._open()
        except TimeoutError:
            if not limit.expired():
                raise
            raise Late(self._why_late()) from None

    async def _open(self) -> Session:
        self._opening += 1
        try:
            session = Session(await self._connect())
        except BaseException:
            self._opening -= 1
            self._wake()  # somebody who waits may have more luck
            raise
        self._opening -= 1
        if self._is_closed:
            session.connection.terminate()
            raise CleanedUp
        self._lent.add(session)
        return session

    async def _wait(self, until: float) -> Session | None:
        """What is released next, or None where it is worth while to look again."""
        waiter = self._waiters.join(until)
        try:
            return await waiter
        except TimeoutError:
            raise Late(self._why_late()) from None
        except asyncio.CancelledError:
            if not waiter.cancelled() and waiter.done() and waiter.exception() is None:
                session = waiter.result()  # it came at the same moment: the next one's
                if session is not None:
                    self.release(session)
                else:
                    self._wake()
            raise

    def _put(self, session: Session) -> None:
        """To who waits longest, or onto the stack."""
        if self._waiters.give(session):
            self._lent.add(session)
            return
        session.since = self.loop.time()
        self._idle.append(session)
        oldest = self._idle[0]
        if session.since - oldest.since > _STALE_AFTER and self.size > self._at_least:
            self._idle.pop(0)
            self._mend(oldest, close=True)

    def _wake(self) -> None:
        """Have who waits longest look again: there is room for a connection."""
        self._waiters.give(None)

    def _mend(self, session: Session, *, close: bool) -> None:
        task = self.loop.create_task(_close(session) if close else self._restore(session))
        self._mending[task] = session
        task.add_done_callback(self._mended)

    def _is_to_be_reset(self, session: Session) -> bool:
        if self._reset == "dirty":
            return session.is_dirty
        return self._reset == "always"

    async def _restore(self, session: Session) -> None:
        try:
            await session.restore(_MEND_WITHIN, reset=self._reset != "never")
        except Exception:  # noqa: BLE001 - whatever it was, this connection is not to be trusted
            session.connection.terminate()

    def _mended(self, task: asyncio.Task[None]) -> None:
        session = self._mending.pop(task)
        if task.cancelled() or self._is_closed:
            session.connection.terminate()
        elif session.connection.is_closed():
            self._wake()
        else:
            self._put(session)

    def _why_late(self) -> str:
        if self._opening:
            return "No connection could be opened in time."
        return (
            f"All {self._at_most} connections were busy until the deadline; raise `pool_max_size`, or keep calls short."
        )


async def _close(session: Session) -> None:
    with suppress(Exception):
        await session.connection.close(timeout=_CLOSE_WITHIN)
    session.connection.terminate()
