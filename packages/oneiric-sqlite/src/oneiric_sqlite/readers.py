"""The readers: a pool of connections that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oneiric_sqlite.errors import CleanedUp
from oneiric_sqlite.lane import Lane

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from oneiric_sqlite.connection import Connection
    from oneiric_sqlite.job import Job


class Readers(Lane):
    """Connections that take reads from one queue.

    One thread is woken at a time: the next one where reads are still waiting a moment later. Threads that all wake at
    once for small reads would only fight for the interpreter.
    """

    def __init__(self, connections: Sequence[Connection], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.connections = tuple(connections)
        self._idle = list(connections)
        self._is_waking = False

    def _submit(self, job: Job) -> bool:
        with self._lock:
            if self._is_closed:
                raise CleanedUp
            self._queue.append(job)
            if self._is_waking or not self._idle:
                return False
            connection = self._wake()
        connection.post(lambda: self._drain(connection))
        return True

    def _help(self) -> bool:
        with self._lock:
            is_waiting = bool(self._queue)
            connection = self._wake() if is_waiting and self._idle and not self._is_waking else None
        if connection is not None:
            connection.post(lambda: self._drain(connection))
        return is_waiting

    def _wake(self) -> Connection:
        """The connection that was used last: its cache is warm."""
        self._is_waking = True
        return self._idle.pop()

    def _drain(self, connection: Connection) -> None:
        while (job := self._next(connection)) is not None:
            job.run(connection.database)
            self._outbox.append(job)
        self._send()

    def _next(self, connection: Connection) -> Job | None:
        with self._lock:
            self._is_waking = False
            while self._queue:
                job = self._queue.popleft()
                if not job.is_abandoned:
                    job.connection = connection
                    connection.current = job
                    return job
            connection.current = None
            self._idle.append(connection)
        return None
