"""The contract of a task queue.

An application submits tasks by name, with arguments that JSON can hold; workers, which are the engine's own, run them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence  # noqa: TC003 - of a dataclass's fields
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypedDict

from oneiric.adapters.base import Adapter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

DURABLE = "durable"
"""A task, once its submit has returned, survives a restart of the broker."""
BATCH = "batch"
"""`submit_many` is one round trip."""
CANCEL = "cancel"
"""A task that has not started can be kept from starting."""
CANCEL_RUNNING = "cancel-running"
"""A task that runs can be stopped."""
EXPIRES = "expires"
"""A task that has not started by a given time is not run any more."""
IDEMPOTENCY = "idempotency"
"""Submitting a `task_id` a second time makes no second task."""
PRIORITY = "priority"
"""Tasks of higher priority are started first."""
PROGRESS = "progress"
"""A status has the progress that the task reports."""
RESULTS = "results"
"""Results, errors and tracebacks can be had: `wait_for_result`, and in a status."""
RETRIES = "retries"
"""A task that fails can be run again by the queue."""
SCHEDULE = "schedule"
"""A task can be submitted for a later time."""
WORKERS = "workers"
"""`list_workers` knows the workers."""

HIGHEST_PRIORITY = 9


class TaskState(StrEnum):
    """Where a task is in its life."""

    SCHEDULED = "scheduled"
    """Accepted for a later time."""
    QUEUED = "queued"
    """Waiting for a worker."""
    RUNNING = "running"
    RETRYING = "retrying"
    """Has failed, and will be run again."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """No trace of it: never submitted, or so long ago that its record has expired."""


FINAL = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED})
"""The states that a task doesn't leave."""


class TaskStatus(TypedDict, total=False):
    """What is known of a task. `task_id` and `state` are always there, the others where the queue knows them."""

    task_id: str
    state: TaskState
    result: Any
    """What it returned, where it succeeded."""
    error: str
    """`ValueError: …`, where it failed or is retried."""
    traceback: str
    retries: int
    """How often it was run again."""
    progress: Any
    """What it reports of itself."""
    submitted_at: str
    """ISO 8601, in UTC, as the other times."""
    started_at: str
    ended_at: str


class WorkerInfo(TypedDict, total=False):
    """A worker, as the queue knows it. `name` is always there."""

    name: str
    queues: list[str]
    running: list[str]
    """The ids of the tasks that it runs."""


class CancelOutcome(StrEnum):
    """What came of a cancel."""

    PREVENTED = "prevented"
    """The task will not start."""
    STOPPED = "stopped"
    """It was running, and has been stopped, or told to."""
    TOO_LATE = "too_late"
    """It has ended, or is running and was to be left alone."""
    UNKNOWN = "unknown"
    """There is no such task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One of many to be submitted. The fields are the arguments of `submit_task`."""

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    queue: str | None = None
    task_id: str | None = None
    delay: timedelta | float | None = None
    eta: datetime | None = None
    expires: timedelta | float | datetime | None = None
    priority: int | None = None
    max_retries: int | None = None


class QueueAdapter(Adapter):
    """A task queue.

    Each method raises NotInitialized before `init`, ConnectionFailed and DeadlineExceeded, whatever the broker does, and
    Unsupported for what the queue can't do, before anything is sent: each option belongs to a capability, as does each method
    but those of submitting, status and depth. `timeout` is in seconds; None is the adapter's default.
    """

    @abstractmethod
    async def submit_task(
        self,
        task_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        delay: timedelta | float | None = None,
        eta: datetime | None = None,
        expires: timedelta | float | datetime | None = None,
        priority: int | None = None,
        max_retries: int | None = None,
        timeout: float | None = None,
    ) -> str:
        """Submit a task; returns its id once the broker has it.

        `queue` (letters, digits and `-_.:`, up to 128) is the adapter's default where None. `task_id` (letters, digits, `-`
        and `_`, up to 128) makes the submit idempotent: a second one with it makes no second task and returns the id. `delay`
        (seconds) or `eta` (aware) is when it may start, at the earliest, and at once where that has passed; `expires` (seconds
        or aware) when at the latest: one that didn't start by then never does, and is `cancelled`, or `unknown` where the
        queue forgets it. `priority` is 0 to 9, 9 the first. `max_retries` is how often the queue runs it again where it fails.
        Raises InvalidTask for arguments that JSON can't hold, and options that can't be.

        A task of a name that no worker knows fails, and so does one that returns what JSON can't hold.
        """

    @abstractmethod
    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        """Submit tasks; returns their ids in order. All are checked before any is sent.

        Where the connection fails meanwhile some may have been accepted: with ids of one's own it can be called again.
        """

    @abstractmethod
    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:
        """What is known of a task now. Its state is `unknown` where it was never seen, or its record has expired."""

    @abstractmethod
    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        """What a task returns, when it has.

        Raises TaskFailed or TaskCancelled where that is how it ended, UnknownTask where there is no such task, and
        DeadlineExceeded after `timeout` seconds.
        """

    @abstractmethod
    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:
        """Keep a task from starting; with `stop`, end it where it runs. A second cancel of it says the same again.

        A task that was stopped ends as `cancelled`, and is not run again.
        """

    @abstractmethod
    async def queue_depth(self, queue: str | None = None, *, timeout: float | None = None) -> int:
        """How many tasks wait in a queue (the default, where None) for a worker; 0 where there is none of that name.

        Whether those that may only start later are counted is the engine's.
        """

    @abstractmethod
    async def list_workers(self, *, timeout: float | None = None) -> list[WorkerInfo]:
        """The workers that answer now, in the order of their names."""

    @property
    @abstractmethod
    def raw(self) -> Any:
        """The engine's own object, for what the contract doesn't cover. Raises NotInitialized."""
