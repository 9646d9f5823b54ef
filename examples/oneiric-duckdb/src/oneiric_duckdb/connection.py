"""One of DuckDB's connections and the thread that it is used in: its driver blocks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import duckdb
from oneiric.adapters.cancellation import undisturbed

from oneiric_duckdb.errors import cleaned_up
from oneiric_duckdb.work import Call

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

_PAUSE = 0.01
"""Seconds between two interrupts of a call that nobody waits for any more."""

P = ParamSpec("P")
T = TypeVar("T")


class Connection:
    """A connection, its thread, and a lock: one call at a time."""

    def __init__(self, raw: duckdb.DuckDBPyConnection) -> None:
        self.raw = raw
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duckdb")
        self._lock = asyncio.Lock()
        self._is_closed = False

    def another(self) -> Connection:
        """A second connection to the same database."""
        if self._is_closed:
            raise cleaned_up()
        return Connection(self.raw.cursor())

    async def run(
        self, give_up: float, work: Callable[Concatenate[Call, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run something in the thread. It is interrupted at `give_up`, by the loop's clock, and where it is cancelled.

        Comes back only when the thread is done with it, so that the next call finds the connection as it should be.
        """
        async with asyncio.timeout_at(give_up):
            await self._lock.acquire()
        try:
            stop = Event()
            call = Call(self.raw, stop)
            future = self._submitted(lambda: work(call, *args, **kwargs))
            try:
                await asyncio.wait({future}, timeout=give_up - asyncio.get_running_loop().time())
            finally:
                stop.set()
                await self._ended(future)
            try:
                return future.result()
            except duckdb.InterruptException:
                if self._is_closed:
                    raise cleaned_up() from None
                raise
        finally:
            self._lock.release()

    async def finish(self, work: Callable[[Call], T]) -> T:
        """Run something that nothing keeps from its end; the call that is running comes first, and is short."""
        return await undisturbed(self._submitted(lambda: work(Call(self.raw, Event()))))

    async def close(self) -> None:
        """Interrupt what is running, and close."""
        if self._is_closed:
            return
        closing = self._submitted(self.raw.close)
        self._is_closed = True
        await self._ended(closing)
        self._thread.shutdown()

    def _submitted(self, work: Callable[[], T]) -> asyncio.Future[T]:
        if self._is_closed:
            raise cleaned_up()
        return asyncio.wrap_future(self._thread.submit(work))

    async def _ended(self, future: asyncio.Future[T]) -> None:
        future.add_done_callback(asyncio.Future.exception)  # for which nobody may ask after a cancellation
        if not future.done():
            await undisturbed(self._interrupt(future))

    async def _interrupt(self, future: asyncio.Future[T]) -> None:
        while not future.done():
            with suppress(duckdb.ConnectionException):  # it has been closed just now
                self.raw.interrupt()
            await asyncio.wait({future}, timeout=_PAUSE)


async def opened(path: str, seconds: float) -> Connection:
    """Open the database; raises the driver's errors, and TimeoutError. Cancelled, it leaves nothing open."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="duckdb-open")
    submitted = thread.submit(_connect, path)
    thread.shutdown(wait=False)
    opening = asyncio.wrap_future(submitted)
    try:
        await asyncio.wait({opening}, timeout=seconds)
        if not opening.done():
            raise TimeoutError
    except BaseException:
        submitted.add_done_callback(_close)
        raise
    return Connection(opening.result())


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    # Without this a query could have DuckDB fetch a part of itself from the network.
    return duckdb.connect(Path(path).expanduser(), config={"autoinstall_known_extensions": "false"})


def _close(opening: Future[duckdb.DuckDBPyConnection]) -> None:
    if opening.exception() is None:
        opening.result().close()
