"""A lane: jobs on one side, the threads of one or more connections on the other, and the waiting between them."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from asyncio import get_running_loop
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from oneiric.errors import DeadlineExceeded

from oneiric_sqlite.deadlines import Deadlines
from oneiric_sqlite.errors import CleanedUp, OtherLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric_sqlite.connection import Connection
    from oneiric_sqlite.job import Job

_AGAIN = 0.01
"""Seconds until an interrupt is repeated: one that comes between two steps of a statement may be lost."""

_TICK = 0.001
"""Seconds until somebody looks whether finished jobs are waiting behind a slow one."""


class Lane(ABC):
    """Base of the readers and the writer.

    The threads take jobs by themselves until there are none left, and only then wake the event loop, once for all that
    they have done: for small statements, handing over costs more than the work. Where a slow statement comes after quick
    ones, a timer brings the outcomes of these.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._queue: deque[Job] = deque()
        self._outbox: deque[Job] = deque()
        self._deadlines = Deadlines(loop, self._expire)
        self._is_ticking = False
        self._is_closed = False

    @abstractmethod
    def _submit(self, job: Job) -> bool:
        """Queue the job, and wake a thread where that is needed; False where one was awake already."""

    @abstractmethod
    def _help(self) -> bool:
        """Called at a tick: put idle threads to waiting jobs; says whether any are waiting.

        Where none are, each thread hands out by itself what it is doing now, and no tick is needed.
        """

    async def call(self, job: Job, timeout: float) -> Any:
        """Run a job; its value, or its error raised. Past the timeout: DeadlineExceeded, and it is interrupted.

        Raises OtherLoop where this isn't the lane's event loop, before anything is done.
        """
        if get_running_loop() is not self._loop:
            raise OtherLoop
        future = job.future = self._loop.create_future()
        self._deadlines.add(job, timeout)
        try:
            self._enter(job)
            error = await future
        except asyncio.CancelledError:
            self.abandon(job)
            raise
        finally:
            self._deadlines.remove(job)
        if error is not None:
            job.error = None
            try:
                raise error
            finally:  # an error that refers to itself would keep the job's values until the next garbage collection
                del error, future
        return job.value

    async def finish(self, job: Job, timeout: float) -> Any:
        """As `call`, but what has been begun is done: cancelling waits for the job's end, and does not interrupt it."""
        if get_running_loop() is not self._loop:
            raise OtherLoop
        future = job.future = self._loop.create_future()
        self._enter(job)
        timer = self._loop.call_later(timeout, self._resolve, job, _too_late(timeout))
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.shield(future)
            except asyncio.CancelledError as error:
                cancelled = error
        timer.cancel()
        outcome = future.result()
        if cancelled is not None:
            raise cancelled
        if outcome is not None:
            raise outcome
        return job.value

    def abandon(self, job: Job) -> None:
        """Nobody waits for this job any more: skip it where it has not begun, interrupt it where it is running."""
        with self._lock:
            job.is_abandoned = True
            is_running = job.connection is not None and job.connection.current is job
        if is_running:
            self._interrupt(job)

    def close(self) -> None:
        """Refuse what comes, and whatever is waiting; what is running goes on. Works from any event loop."""
        with self._lock:
            self._is_closed = True
            waiting = self._waiting()
        self._at_home(self._refuse, waiting)

    def stop(self) -> None:
        """Let go of the event loop, once the connections are closed."""
        self._at_home(self._deadlines.stop)

    def _at_home(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do something in the lane's own event loop, at once where this is it; where it is closed, nobody waits for it."""
        if get_running_loop() is self._loop:
            work(*arguments)
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(work, *arguments)

    def _refuse(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._resolve(job, CleanedUp())

    def _waiting(self) -> list[Job]:
        """Take every job that has not begun out of the lane; called under the lock."""
        waiting = list(self._queue)
        self._queue.clear()
        return waiting

    def _enter(self, job: Job) -> None:
        if not self._submit(job) and not self._is_ticking:
            self._is_ticking = True
            self._loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        self._is_ticking = self._help()
        self._deliver()
        if self._is_ticking:
            self._loop.call_later(_TICK, self._tick)

    def _start(self, job: Job, connection: Connection) -> bool:
        """In the thread, before a job runs: False where nobody wants it any more."""
        with self._lock:
            if job.is_abandoned:
                connection.current = None
                return False
            job.connection = connection
            connection.current = job
        return True

    def _send(self) -> None:
        """In the thread: have the event loop hand out what is done."""
        if not self._outbox:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:  # the event loop is closed: nobody waits any more
            self._outbox.clear()

    def _deliver(self) -> None:
        while self._outbox:
            job = self._outbox.popleft()
            self._resolve(job, job.error)

    def _resolve(self, job: Job, error: BaseException | None) -> None:
        if not job.future.done():
            job.future.set_result(error)

    def _expire(self, job: Job) -> None:
        if not job.future.done():
            self._resolve(job, _too_late(job.timeout))
            self.abandon(job)

    def _interrupt(self, job: Job) -> None:
        connection = job.connection
        with self._lock:
            if connection is None or connection.current is not job:
                return
            connection.database.interrupt()
        self._loop.call_later(_AGAIN, self._interrupt, job)


def _too_late(timeout: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"The call took longer than its {timeout:g} s.",
        hint="A statement that is slow, or a transaction that is long, keeps others waiting.",
    )
