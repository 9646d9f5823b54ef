"""Chains, groups and chords by the names of tasks: what Celery's canvas puts into messages, made without its task classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from oneiric_celery.message import options_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery import Celery
    from oneiric.adapters.queue import Task
    from oneiric.adapters.queue.submission import Submission

    from oneiric_celery.engine import Sending


def chain(app: Celery, tasks: Sequence[Sending], *, is_redis: bool, passing: bool) -> Sending:
    """The first task of a chain, with the others in its message; each is submitted by the worker of the one before."""
    (submission, task, _), *following = tasks
    signatures = [_signature(app, *each[:2], is_redis=is_redis, passing=passing) for each in following]
    return submission, task, {"chain": signatures[::-1]}


def group(tasks: Sequence[Sending]) -> tuple[str, list[Sending]]:
    """The tasks of a group, and its id."""
    group_id = str(uuid4())
    return group_id, [
        (submission, task, {"group_id": group_id, "group_index": index})
        for index, (submission, task, _) in enumerate(tasks)
    ]


def chord(app: Celery, tasks: Sequence[Sending], callback: Sending, *, is_redis: bool) -> tuple[str, list[Sending]]:
    """The tasks of a chord, with the callback in the message of each, and the id of their group."""
    signature = _signature(app, *callback[:2], is_redis=is_redis, passing=True)
    signature["chord_size"] = len(tasks)
    group_id, members = group(tasks)
    return group_id, [(submission, task, {**embedded, "chord": signature}) for submission, task, embedded in members]


def _signature(app: Celery, submission: Submission, task: Task, *, is_redis: bool, passing: bool) -> dict[str, Any]:
    """A task as a worker is told to submit it. `passing`: it gets what came before as its first argument."""
    return dict(
        app.signature(
            submission.name,
            args=list(task.args),
            kwargs=dict(task.kwargs),
            options=options_of(submission, is_redis=is_redis),
            immutable=not passing,
        )
    )
