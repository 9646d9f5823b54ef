"""What the queue in memory knows of one task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue.base import FINAL, PROGRESS, RESULTS, CancelOutcome, TaskState, TaskStatus

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

    from oneiric.adapters.queue.submission import Submission

_WAITING = frozenset({TaskState.QUEUED, TaskState.RETRYING})


@dataclass(eq=False)
class TaskRecord:
    """One task, from its submit to its end."""

    submission: Submission
    number: int
    """Which it is of all that were submitted."""
    submitted_at: datetime
    stored_state: TaskState = TaskState.QUEUED
    result: str | None = None
    """As JSON text."""
    error: str | None = None
    traceback: str | None = None
    retries: int = 0
    progress: str | None = None
    """As JSON text."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled: CancelOutcome | None = None
    """What a cancel of it came to, where it came to anything."""
    call: asyncio.Future[Any] | None = None
    """The call under way of its function."""

    @property
    def state(self) -> TaskState:
        """Its state now: time alone makes a scheduled task queued, and an expired one cancelled."""
        if self.stored_state is TaskState.QUEUED and self.started_at is None:
            now = datetime.now(UTC)
            if self.submission.expires_at and now > self.submission.expires_at:
                return TaskState.CANCELLED
            if self.submission.starts_at and now < self.submission.starts_at:
                return TaskState.SCHEDULED
        return self.stored_state

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in FINAL

    @property
    def is_waiting(self) -> bool:
        """Whether a worker may take it now."""
        return self.state in _WAITING

    @property
    def turn(self) -> tuple[int, int]:
        """Which of those that wait is taken: the lowest. A retried task keeps its place."""
        return -(self.submission.priority or 0), self.number

    def seconds_to_change(self) -> float | None:
        """How long until time alone changes its state."""
        times = (self.submission.starts_at, self.submission.expires_at)
        now = datetime.now(UTC)
        return min(((time - now).total_seconds() for time in times if time and time >= now), default=None)

    def cancel(self, *, stop: bool) -> CancelOutcome:
        """Keep it from starting, or end it where it runs and is to be stopped."""
        if self.cancelled:
            return self.cancelled
        if self.state is TaskState.RUNNING and stop and self.call:
            self.cancelled = CancelOutcome.STOPPED
            self.call.cancel()
        elif self.is_waiting or self.state is TaskState.SCHEDULED:
            self.cancelled = CancelOutcome.PREVENTED
            self.end(TaskState.CANCELLED)
        return self.cancelled or CancelOutcome.TOO_LATE

    def note_progress(self, value: Any) -> None:
        """It reports how far it is."""
        self.progress = json.dumps(value)

    def start(self) -> None:
        """A worker has taken it."""
        self.stored_state = TaskState.RUNNING
        self.started_at = datetime.now(UTC)

    def end(self, state: TaskState) -> None:
        """It has ended."""
        self.stored_state = state
        self.ended_at = datetime.now(UTC)

    def status(self, capabilities: Collection[str]) -> TaskStatus:
        """What is known of it, as an adapter with these capabilities says it."""
        status = TaskStatus(task_id=self.submission.task_id, state=self.state, retries=self.retries)
        status["submitted_at"] = self.submitted_at.isoformat()
        if self.started_at:
            status["started_at"] = self.started_at.isoformat()
        if self.ended_at:
            status["ended_at"] = self.ended_at.isoformat()
        if PROGRESS in capabilities and self.progress is not None:
            status["progress"] = json.loads(self.progress)
        if RESULTS in capabilities:
            self._add_outcome(status)
        return status

    def _add_outcome(self, status: TaskStatus) -> None:
        if self.result is not None:
            status["result"] = json.loads(self.result)
        if self.error is not None:
            status["error"] = self.error
        if self.traceback is not None:
            status["traceback"] = self.traceback
