"""Where RQ keeps what it knows."""

from __future__ import annotations

import re

from rq.defaults import RQ_KEY_PREFIX

PREFIX = RQ_KEY_PREFIX
"""With what every key begins; RQ takes another one from the environment."""

QUEUES = f"{PREFIX}:queues"
"""A set: the keys of all queues that were ever used."""
WORKERS = f"{PREFIX}:workers"
"""A set: the keys of all workers."""
WORKER = f"{PREFIX}:worker:"
_ID = re.compile(r"[A-Za-z0-9_-]{1,1000}")


def is_id(task_id: object) -> bool:
    """Whether there can be a task of that id, whoever has submitted it."""
    return isinstance(task_id, str) and _ID.fullmatch(task_id) is not None


def job(task_id: str) -> str:
    """A hash: all of a task but its result."""
    return f"{PREFIX}:job:{task_id}"


def results(task_id: str) -> str:
    """A stream: how the task ended, each time."""
    return f"{PREFIX}:results:{task_id}"


def queue(name: str) -> str:
    """A list: the ids of the tasks that wait."""
    return f"{PREFIX}:queue:{name}"


def scheduled(name: str) -> str:
    """A sorted set: the ids of the tasks for later, by their time."""
    return f"{PREFIX}:scheduled:{name}"


def deferred(name: str) -> str:
    """A sorted set: the ids of the tasks that wait for other tasks."""
    return f"{PREFIX}:deferred:{name}"


def dependencies(task_id: str) -> str:
    """A set: the ids of the tasks that it waits for. RQ writes two colons."""
    return f"{PREFIX}:job::{task_id}:dependencies"


def commands(worker: str) -> str:
    """A channel: what a worker is told."""
    return f"{PREFIX}:pubsub:{worker}"


def executions(worker_key: str) -> str:
    """A set: what a worker runs, as `task:execution`."""
    return f"{worker_key}:executions"
