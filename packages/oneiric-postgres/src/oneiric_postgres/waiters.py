"""Those who wait for a session: first come, first served, each until a moment of its own."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from oneiric_postgres.session import Session

    Waiter = asyncio.Future[Session | None]


class Waiters:
    """A queue in one event loop.

    One timer watches over all of it: with more tasks than connections nearly every query waits for a moment, and to set and
    cancel a timer of its own would take longer than the pool does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[tuple[float, Waiter]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    def join(self, until: float) -> Waiter:
        """Queue up. What is awaited is what `give` gives; TimeoutError, where that is nothing until then."""
        waiter: Waiter = self._loop.create_future()
        self._queue.append((until, waiter))
        if self._alarm is None or until < self._alarm.when():
            self._watch(until)
        return waiter

    def give(self, session: Session | None) -> bool:
        """Give a session, or None for a hint to look again, to who waits longest; whether there is anybody."""
        while self._queue:
            _, waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(session)
                return True
        return False

    def send_away(self, error: type[Exception]) -> None:
        """Have all of them raise this."""
        for _, waiter in self._queue:
            if not waiter.done():
                waiter.set_exception(error())
        self._queue.clear()
        self._unwatch()

    def _watch(self, until: float) -> None:
        self._unwatch()
        self._alarm = self._loop.call_at(until, self._end_late)

    def _unwatch(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None

    def _end_late(self) -> None:
        assert self._alarm is not None
        now, self._alarm = self._alarm.when(), None  # not the clock's, which may be a little before
        for until, waiter in self._queue:
            if until <= now and not waiter.done():
                waiter.set_exception(TimeoutError())
        self._queue = deque((until, waiter) for until, waiter in self._queue if not waiter.done())
        if self._queue:
            self._watch(min(until for until, _ in self._queue))
