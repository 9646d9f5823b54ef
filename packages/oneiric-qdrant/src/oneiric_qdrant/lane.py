"""One thread, in which jobs are done in their order: what blocks there blocks no event loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from oneiric_qdrant.errors import CleanedUp

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oneiric_qdrant.store import Store

T = TypeVar("T")


class Job(Generic[T]):
    """A call on its way through the thread."""

    def __init__(self, work: Callable[[Any], Coroutine[Any, Any, T]]) -> None:
        self._work: Callable[[Any], Coroutine[Any, Any, T]] | None = work
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[T] = self._loop.create_future()
        self.is_abandoned = False

    async def outcome(self) -> T:
        """What it gives, or raises; cancelled, it is skipped where it hasn't begun, and nobody waits for it where it has."""
        try:
            return await self._future
        except asyncio.CancelledError:
            self.is_abandoned = True
            raise

    def run(self, store: Store) -> None:
        """Do it, in the thread."""
        work, self._work = self._work, None
        if self.is_abandoned or work is None:
            return
        try:
            value = finished(work(store))
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self._send(self._fail, error)
        else:
            self._send(self._succeed, value)

    def fail(self, error: BaseException) -> None:
        """Don't do it: the caller gets the error."""
        self._send(self._fail, error)

    def _send(self, resolve: Callable[[Any], None], outcome: Any) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(resolve, outcome)

    def _succeed(self, value: T) -> None:
        if not self._future.done():
            self._future.set_result(value)

    def _fail(self, error: BaseException) -> None:
        if not self._future.done():
            self._future.set_exception(error)


class Lane:
    """The thread and its store, which is opened and closed there too.

    Its calls may come from any event loop. A daemon: a process that is ending doesn't wait for a search.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open = open_store
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="oneiric-qdrant", daemon=True)
        self._is_closed = False
        self._lock = threading.Lock()
        self.store: Store | None = None

    async def open(self) -> Store:
        """Start the thread, and wait until the store is open."""
        self._opening: Job[Store] = Job(_itself)
        self._thread.start()
        return await self._opening.outcome()

    async def call(self, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """What the work gives, after all that was asked for before it."""
        job = Job(work)
        with self._lock:
            if self._is_closed:
                raise CleanedUp
            self._jobs.put(job)
        return await job.outcome()

    async def close(self, grace: float) -> bool:
        """Refuse what waits, and close the store after what is running; False where that takes longer than the grace.

        The thread then ends by itself, later.
        """
        with self._lock:
            self._is_closed = True
            self._jobs.put(None)
        if self._thread.ident is None:
            return True
        await asyncio.to_thread(self._thread.join, grace)
        return not self._thread.is_alive()

    def _run(self) -> None:
        opening = self._opening
        try:
            store = self.store = self._open()
        except BaseException as error:  # noqa: BLE001 - who opens it gets it
            opening.fail(error)
            return
        opening.run(store)
        del opening
        try:
            while (job := self._jobs.get()) is not None:
                if self._is_closed:
                    job.fail(CleanedUp())
                else:
                    job.run(store)
                del job  # with what it has found, until the next one comes
        finally:
            finished(store.close())


async def _itself(store: Store) -> Store:
    return store


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    coroutine.close()
    raise RuntimeError("A call of local mode waits for an event loop.")
