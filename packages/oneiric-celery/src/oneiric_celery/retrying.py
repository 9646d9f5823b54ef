"""`max_retries` of a submit, in a worker: Celery's own retry, for tasks that know nothing of it."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from celery.exceptions import Ignore, Reject, Retry

from oneiric_celery.message import MAX_RETRIES

if TYPE_CHECKING:
    from celery import Celery, Task

_FIRST = 0.25
_LONGEST = 60.0
"""Seconds between a failure and the next run: a quarter, a half, one, two, and so on."""


def retry_as_submitted(app: Celery) -> None:
    """Have each task of an application run again, where it fails, as often as who submitted it has asked for."""
    for task in app.tasks.values():
        if not hasattr(task, "_oneiric_run"):
            task._oneiric_run, task.run = task.run, _retrying(task)  # noqa: SLF001 - an attribute of our own


def _retrying(task: Task) -> Any:
    run = task.run

    @wraps(run)
    def retrying(*arguments: Any, **named: Any) -> Any:
        try:
            return run(*arguments, **named)
        except (Ignore, Reject, Retry):
            raise
        except Exception as error:
            most = task.request.get(MAX_RETRIES)
            done = task.request.retries or 0
            if not isinstance(most, int) or done >= most or task.request.called_directly:
                raise
            raise task.retry(exc=error, countdown=min(_FIRST * 2**done, _LONGEST), max_retries=most) from error

    return retrying
