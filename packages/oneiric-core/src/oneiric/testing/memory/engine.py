"""The connection of `MemoryDatabase`, its thread, and the errors that come out of it."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from oneiric.adapters.cancellation import ended
from oneiric.errors import ConnectionFailed, ConstraintViolation, DeadlineExceeded, OneiricError, QueryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call may take where it isn't told otherwise."""

_STEPS = 1_000
"""After how many steps of SQLite's machine a running statement looks whether it is to stop."""

_OF_BINDING = (TypeError, ValueError, OverflowError)
T = TypeVar("T")


class Engine:
    """One connection, one thread that it runs in, and a lock for whoever uses it."""

    def __init__(self, label: str | None) -> None:
        self._label = label
        self._database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA foreign_keys = ON")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="memory-database")
        self._lock = asyncio.Lock()
        self._stop = Event()
        self._is_closed = False

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection."""
        return self._database

    @asynccontextmanager
    async def held(self, timeout: float | None) -> AsyncIterator[float]:
        """Have the connection to oneself; gives the seconds that are left of the timeout."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + (DEFAULT_TIMEOUT if timeout is None else timeout)
        try:
            async with asyncio.timeout_at(give_up):
                await self._lock.acquire()
        except TimeoutError:
            message = "Another call or transaction held the connection for too long."
            raise DeadlineExceeded(message, adapter=self._label) from None
        try:
            yield give_up - loop.time()
        finally:
            self._lock.release()

    async def run(self, work: Callable[[sqlite3.Connection], T], timeout: float | None) -> T:
        """Run something in the thread. Past the timeout, or cancelled, it is interrupted, and its end waited for."""
        stop = self._stop = Event()

        def call() -> T:
            self._database.set_progress_handler(stop.is_set, _STEPS)
            return work(self._database)

        future = self._submitted(call)
        try:
            await asyncio.wait({future}, timeout=DEFAULT_TIMEOUT if timeout is None else timeout)
        finally:
            stop.set()
            await ended(future)
        return self._result(future)

    async def finish(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run something that no cancellation keeps from its end."""

        def call() -> T:
            self._database.set_progress_handler(None, 0)
            return work(self._database)

        future = self._submitted(call)
        await ended(future)
        return self._result(future)

    async def close(self) -> None:
        """Interrupt what is running, and close."""
        closing = self._submitted(self._database.close)
        self._is_closed = True
        self._stop.set()
        await ended(closing)
        self._thread.shutdown()

    def _submitted(self, work: Callable[[], T]) -> asyncio.Future[T]:
        if self._is_closed:
            message = "The adapter was cleaned up before this call was done."
            raise ConnectionFailed(message, adapter=self._label, transient=False)
        return asyncio.wrap_future(self._thread.submit(work))

    def _result(self, future: asyncio.Future[T]) -> T:
        try:
            return future.result()
        except Exception as error:
            ours = _translated(error)
            if ours is None:
                raise
            ours.adapter = self._label
            if ours is error:
                raise
            raise ours from error


def _translated(error: Exception) -> OneiricError | None:
    """Our error for one of sqlite3's; None where it is not one of these."""
    if isinstance(error, OneiricError):
        return error
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintViolation(f"{error}.")
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return DeadlineExceeded("The statement didn't end in time; it was interrupted.")
    if isinstance(error, sqlite3.Error | sqlite3.Warning):
        return QueryError(f"{str(error).rstrip('.')}.")
    if isinstance(error, _OF_BINDING):  # its own sentence may show a piece of the value
        return QueryError(f"SQLite can't take one of the values: {type(error).__name__}.")
    return None
