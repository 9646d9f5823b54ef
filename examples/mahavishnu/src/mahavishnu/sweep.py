"""A sweep: a task for each repository, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue import FINAL, Task, TaskState

from mahavishnu import tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from oneiric.adapters.queue import TaskStatus

TASK = f"{tasks.__name__}.{tasks.count_repository.__name__}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """The tasks of one sweep, by the paths of their repositories."""

    id: str
    """Letters, digits, `-` and `_`. Whoever submits a sweep of the same id again makes no second task, and can wait for it."""
    tasks: Mapping[str, str]

    @classmethod
    def over(cls, sweep_id: str, repositories: Iterable[Path]) -> Sweep:
        """The sweep over these repositories; the same ones give the same tasks."""
        return cls(sweep_id, {str(path): f"{sweep_id}-{_digest(str(path))}" for path in repositories})

    def to_submit(self, max_retries: int) -> list[Task]:
        """The tasks as a queue takes them."""
        return [
            Task(name=TASK, args=[path], task_id=task_id, max_retries=max_retries or None)
            for path, task_id in self.tasks.items()
        ]


@dataclass(slots=True)
class SweepReport:
    """How a sweep stands."""

    sweep_id: str
    statuses: dict[str, TaskStatus] = field(default_factory=dict)
    """Of each repository, by its path."""

    @property
    def is_complete(self) -> bool:
        """Whether every task has ended, or is forgotten."""
        return all(status["state"] in FINAL | {TaskState.UNKNOWN} for status in self.statuses.values())

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """What the tasks that succeeded have returned."""
        return {
            path: status["result"] for path, status in self.statuses.items() if status["state"] is TaskState.SUCCEEDED
        }

    @property
    def failures(self) -> dict[str, str]:
        """Why the others of those that have ended did not."""
        ended = {TaskState.FAILED, TaskState.CANCELLED, TaskState.UNKNOWN}
        return {
            path: status.get("error", str(status["state"]))
            for path, status in self.statuses.items()
            if status["state"] in ended
        }

    @property
    def totals(self) -> dict[str, int]:
        """The sums over all repositories that were counted."""
        counted = self.results.values()
        sums = {key: sum(each[key] for each in counted) for key in ("files", "bytes", "lines", "python_lines")}
        return {"repositories": len(counted), **sums}


def _digest(path: str) -> str:
    return blake2b(path.encode(errors="surrogatepass"), digest_size=8).hexdigest()
