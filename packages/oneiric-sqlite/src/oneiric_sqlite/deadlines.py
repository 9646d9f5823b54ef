"""The deadlines of all calls of a lane, on one timer."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from oneiric_sqlite.job import Job

_RESOLUTION = 0.001
"""Seconds; deadlines this near to one another are looked at together."""


class Deadlines:
    """Calls `expire(job)` for each job that is still here at its deadline.

    Nearly every job is long done by then. A timer of its own for each would be a third of what the event loop does for a
    small read; here there is one, set for the earliest deadline, and looked at anew when it goes off.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, expire: Callable[[Job], None]) -> None:
        self._loop = loop
        self._expire = expire
        self._jobs: set[Job] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    def add(self, job: Job, timeout: float) -> None:
        """Watch a job."""
        job.timeout = timeout
        job.deadline = self._loop.time() + timeout
        self._jobs.add(job)
        if job.deadline < self._timer_at:
            self._set_timer(job.deadline)

    def remove(self, job: Job) -> None:
        """Watch it no longer."""
        self._jobs.discard(job)

    def stop(self) -> None:
        """Let the timer go."""
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, when: float) -> None:
        self.stop()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        now = self._loop.time() + _RESOLUTION
        due = [job for job in self._jobs if job.deadline <= now]
        self._jobs.difference_update(due)
        self._timer_at = inf
        if self._jobs:
            self._set_timer(min(job.deadline for job in self._jobs))
        for job in due:
            self._expire(job)
