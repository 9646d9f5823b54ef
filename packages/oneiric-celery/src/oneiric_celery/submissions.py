"""What is checked of a task beyond what every queue checks: what Celery would misread, and what can't be kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue.submission import Submission, checked
from oneiric.errors import InvalidTask

from oneiric_celery.settings import CAPABILITIES

if TYPE_CHECKING:
    from oneiric.adapters.queue import Task

    from oneiric_celery.settings import CelerySettings

_MARKS = {"__type__", "__value__"}
"""The keys of an object that kombu reads as a date, a decimal, bytes… instead of what it is."""


def submission(task: Task, settings: CelerySettings, adapter: str | None) -> Submission:
    """What is to be sent of a task. Raises InvalidTask and Unsupported."""
    made = checked(task, queue=settings.queue, capabilities=CAPABILITIES - settings.lacks(), adapter=adapter)
    size = len(made.args.encode()) + len(made.kwargs.encode())
    if size > settings.max_task_bytes:
        raise InvalidTask(
            f"The arguments are {size:,} bytes as JSON, and `max_task_bytes` is {settings.max_task_bytes:,}; "
            "nothing was submitted.",
            adapter=adapter,
            hint="Put the data where the task can fetch them, and submit where that is.",
        )
    if any("__type__" in text and _is_marked(json.loads(text)) for text in (made.args, made.kwargs)):
        raise InvalidTask(
            "An argument holds an object whose keys are `__type__` and `__value__`, which Celery would read as something "
            "else; nothing was submitted.",
            adapter=adapter,
        )
    _check_times(made, settings, adapter)
    return made


def _is_marked(value: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() == _MARKS or any(map(_is_marked, value.values()))
    return isinstance(value, list) and any(map(_is_marked, value))


def _check_times(made: Submission, settings: CelerySettings, adapter: str | None) -> None:
    """Refuse a time for which a worker would have to hold the task for longer than the broker lets it."""
    is_parked = settings.is_direct and not settings.plain_workers
    if made.starts_at is None or is_parked:
        return
    if made.starts_at - datetime.now(UTC) > timedelta(seconds=settings.visibility_timeout):
        raise InvalidTask(
            f"The task is to start later than in the {settings.visibility_timeout:g} s of `visibility_timeout`, after which "
            "the broker would give it to several workers; nothing was submitted.",
            adapter=adapter,
            hint="With broker and results in one Redis database, and workers of `oneiric-celery worker`, it may be any time.",
        )
