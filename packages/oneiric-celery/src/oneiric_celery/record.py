"""The record of a task: what lies under its id in the result backend, in Celery's own form, and what it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from oneiric.adapters.queue import CancelOutcome, TaskState, TaskStatus
from oneiric.errors import QueueError, TaskCancelled, TaskFailed

if TYPE_CHECKING:
    from oneiric.adapters.queue.submission import Submission

_STATES = {
    "PENDING": TaskState.QUEUED,
    "RECEIVED": TaskState.QUEUED,
    "STARTED": TaskState.RUNNING,
    "RETRY": TaskState.RETRYING,
    "SUCCESS": TaskState.SUCCEEDED,
    "FAILURE": TaskState.FAILED,
    "REJECTED": TaskState.FAILED,
    "REVOKED": TaskState.CANCELLED,
    "IGNORED": TaskState.CANCELLED,
}
"""Celery's states; whatever else a task calls itself, it runs, and that is its progress."""
_OUTCOMES = {"revoked": CancelOutcome.PREVENTED, "terminated": CancelOutcome.STOPPED}
_OURS = "oneiric"


def key_of(task_id: str) -> str:
    """The key of a task's record, which is also the channel on which its worker tells of it."""
    return f"celery-task-meta-{task_id}"


def queued(submission: Submission, *, list_name: str | None, is_parked: bool = False) -> str:
    """The record of a task that is submitted: Celery's PENDING, which Celery itself never writes down."""
    return _text(
        submission.task_id,
        "PENDING",
        None,
        {
            "submitted_at": datetime.now(UTC).isoformat(),
            "starts_at": _iso(submission.starts_at),
            "expires_at": _iso(submission.expires_at),
            "queue": submission.queue,
            "list": list_name,
            "parked": is_parked,
        },
    )


def revoked(task_id: str, ours: dict[str, Any]) -> str:
    """The record of a task that was cancelled before it started, as a worker would write it."""
    result = {"exc_type": "TaskRevokedError", "exc_message": ["revoked"], "exc_module": "celery.exceptions"}
    return _text(task_id, "REVOKED", result, ours, ended_at=datetime.now(UTC).isoformat())


class Record:
    """A record that was read."""

    def __init__(self, task_id: str, text: bytes) -> None:
        self.task_id = task_id
        self.text = text
        self.meta = _meta(text)
        self.ours: dict[str, Any] = self.meta.get(_OURS) or {}

    @property
    def state(self) -> TaskState:
        """Its state now: time alone makes a scheduled task queued, and one that has expired cancelled."""
        state = _STATES.get(self.meta["status"], TaskState.RUNNING)
        if state is not TaskState.QUEUED:
            return state
        now = datetime.now(UTC)
        if (expires_at := _time(self.ours.get("expires_at"))) and now > expires_at:
            return TaskState.CANCELLED
        if (starts_at := _time(self.ours.get("starts_at"))) and now < starts_at:
            return TaskState.SCHEDULED
        return TaskState.QUEUED

    @property
    def outcome(self) -> CancelOutcome | None:
        """What a cancel of it came to, where it was cancelled."""
        if self.meta["status"] != "REVOKED":
            return None
        message = (self._exception or {}).get("exc_message") or ["expired"]
        return _OUTCOMES.get(str(message[0] if isinstance(message, list) else message))

    @property
    def status(self) -> TaskStatus:
        """What it says, as the contract has it."""
        state = self.state
        status = TaskStatus(task_id=self.task_id, state=state)
        if isinstance(self.meta.get("retries"), int):
            status["retries"] = self.meta["retries"]
        if self.ours.get("submitted_at"):
            status["submitted_at"] = self.ours["submitted_at"]
        if ended_at := _time(self.meta.get("date_done")):
            status["ended_at"] = ended_at.isoformat()
        if state is TaskState.SUCCEEDED:
            status["result"] = self.meta.get("result")
        elif state in (TaskState.FAILED, TaskState.RETRYING):
            status["error"] = self.error
            if self.meta.get("traceback"):
                status["traceback"] = str(self.meta["traceback"])
        elif self.meta["status"] not in _STATES:
            status["progress"] = self.meta.get("result")
        return status

    @property
    def error(self) -> str:
        """Its exception as `ValueError: …`."""
        exception = self._exception
        if exception is None:
            return str(self.meta.get("result"))
        message = exception.get("exc_message", "")
        parts = message if isinstance(message, list) else [message]
        return f"{exception.get('exc_type', 'Exception')}: {', '.join(map(str, parts))}"

    def result(self, adapter: str | None) -> Any:
        """What it returned, or an error that says how it ended."""
        state = self.state
        if state is TaskState.SUCCEEDED:
            return self.meta.get("result")
        if state is TaskState.FAILED:
            traceback = self.meta.get("traceback")
            raise TaskFailed(
                f"The task has failed: {self.error}",
                error=self.error,
                traceback=None if traceback is None else str(traceback),
                adapter=adapter,
            )
        raise TaskCancelled("The task was cancelled, or has expired.", adapter=adapter)

    @property
    def _exception(self) -> dict[str, Any] | None:
        result = self.meta.get("result")
        return result if isinstance(result, dict) and "exc_type" in result else None


def _meta(text: bytes) -> dict[str, Any]:
    try:
        meta = _decode(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), str):
        raise QueueError(
            "The record of this task is not JSON as Celery writes it.",
            hint="Its worker stores results with another serializer: set `result_serializer = 'json'` there.",
        )
    return meta


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_decode = json.JSONDecoder(parse_constant=_refuse).decode  # made once: `json.loads` would make one for each text


def _text(task_id: str, status: str, result: Any, ours: dict[str, Any], ended_at: str | None = None) -> str:
    meta = {"status": status, "result": result, "traceback": None, "children": [], "date_done": ended_at}
    return json.dumps({**meta, "task_id": task_id, _OURS: ours})


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: object) -> datetime | None:
    """A time that was written down, in UTC; Celery leaves the zone out where it keeps to UTC itself."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
