"""What a task reports with `oneiric.adapters.queue.report_progress`, in a worker: Celery's own state of a task that runs."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue import progress_goes_to

if TYPE_CHECKING:
    from celery import Celery, Task


def report_as_any(app: Celery) -> None:
    """Have each task of an application report its progress as one of any engine does."""
    for task in app.tasks.values():
        if not hasattr(task, "_oneiric_silent_run"):
            task._oneiric_silent_run, task.run = task.run, _reporting(task)  # noqa: SLF001 - an attribute of our own


def _reporting(task: Task) -> Any:
    run = task.run

    def report(value: Any) -> None:
        if not task.request.called_directly:
            task.update_state(state="PROGRESS", meta=value)

    @wraps(run)
    def reporting(*arguments: Any, **named: Any) -> Any:
        with progress_goes_to(report):
            return run(*arguments, **named)

    return reporting
