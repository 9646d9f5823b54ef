"""What RQ knows of a task, as a status."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oneiric.adapters.queue import FINAL, TaskState, TaskStatus

from oneiric_rq.encoding import MAX_RETRIES
from oneiric_rq.outcome import UNREADABLE, Outcome

FIELDS = (
    "status",
    "created_at",
    "started_at",
    "ended_at",
    "meta",
    "retries_left",
    "number_of_retries",
    "repeat_intervals",
    MAX_RETRIES,
)
"""What is asked of a job's hash: not its data, which may be large."""
ASKED = tuple(name.encode() for name in FIELDS)
"""The same as it is sent: encoded once, and not for each question."""

STATES = {
    "created": TaskState.SCHEDULED,
    "deferred": TaskState.SCHEDULED,
    "rate_limited": TaskState.SCHEDULED,
    "scheduled": TaskState.SCHEDULED,
    "ready_to_enqueue": TaskState.QUEUED,
    "queued": TaskState.QUEUED,
    "started": TaskState.RUNNING,
    "finished": TaskState.SUCCEEDED,
    "failed": TaskState.FAILED,
    "stopped": TaskState.CANCELLED,
    "canceled": TaskState.CANCELLED,
}
"""What each of RQ's states is in the contract: what no worker could take yet is scheduled."""


@dataclass(frozen=True, slots=True)
class Record:
    """A job's hash, less what isn't needed."""

    task_id: str
    values: dict[str, bytes]

    @classmethod
    def of(cls, task_id: str, reply: list[bytes | None]) -> Record:
        """What the broker has answered to the question for FIELDS."""
        return cls(task_id, {name: value for name, value in zip(FIELDS, reply, strict=True) if value})

    @property
    def state(self) -> TaskState:
        """The contract's word for RQ's state; a task that waits again has been run before."""
        state = STATES.get(self._text("status"), TaskState.UNKNOWN)
        if "created_at" not in self.values:  # a worker's last sign of life can leave a hash with nothing else in it
            return TaskState.UNKNOWN
        was_run = "started_at" in self.values and "repeat_intervals" not in self.values
        if state in {TaskState.QUEUED, TaskState.SCHEDULED} and was_run:
            return TaskState.RETRYING
        return state

    def status(self, outcome: Outcome | None) -> TaskStatus:
        """The status; `outcome` is how the task has ended, where it has."""
        status = TaskStatus(task_id=self.task_id, state=self.state)
        if status["state"] is TaskState.UNKNOWN:
            return status
        _keep(status, "submitted_at", self._time("created_at"))
        _keep(status, "started_at", self._time("started_at"))
        _keep(status, "retries", self._retries())
        _keep(status, "progress", self._progress())
        if status["state"] in FINAL:
            _keep(status, "ended_at", self._time("ended_at"))
        if outcome is not None:
            self._conclude(status, outcome)
        return status

    def _conclude(self, status: TaskStatus, outcome: Outcome) -> None:
        if status["state"] is TaskState.SUCCEEDED and outcome.error is None:
            if outcome.is_unreadable:
                status["error"] = UNREADABLE
            else:
                status["result"] = outcome.result
        elif outcome.error is not None and status["state"] is not TaskState.CANCELLED:
            status["state"] = TaskState.FAILED
            status["error"] = outcome.error
            _keep(status, "traceback", outcome.traceback)

    def _retries(self) -> int | None:
        returned = self._number("number_of_retries") or 0
        most, left = self._number(MAX_RETRIES), self._number("retries_left")
        if most is not None and left is not None:
            return most - left + returned
        return returned or None

    def _progress(self) -> Any:
        """What the task has put under that name; nothing, where another serializer than JSON has written it."""
        try:
            meta = json.loads(self.values.get("meta", b"null"))
            return meta.get("progress") if isinstance(meta, dict) else None
        except (ValueError, RecursionError):
            return None

    def _time(self, name: str) -> str | None:
        try:
            return datetime.fromisoformat(self._text(name)).astimezone(UTC).isoformat()
        except ValueError:
            return None

    def _number(self, name: str) -> int | None:
        text = self._text(name)
        return int(text) if text.isdecimal() else None

    def _text(self, name: str) -> str:
        return self.values.get(name, b"").decode(errors="replace")


def _keep(status: dict[str, Any] | TaskStatus, name: str, value: Any) -> None:
    if value is not None:
        status[name] = value  # type: ignore[literal-required]
