"""A task as Celery sends it, made without a connection: the same bytes as those of `send_task`, which a test holds."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kombu.serialization import dumps as serialized
from kombu.utils.json import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery import Celery
    from oneiric.adapters.queue import Task
    from oneiric.adapters.queue.submission import Submission

MAX_RETRIES = "oneiric_max_retries"
"""The header that tells a worker of ours how often it is to run a task again."""
_SEPARATOR = "\x06\x16"
"""What kombu puts between the name of a queue and the priority of one of its lists."""
_LOWEST = 9
"""The last to be served on Redis, whose priorities go the other way."""


@dataclass(frozen=True, slots=True)
class Message:
    """A task that can be pushed as it stands."""

    submission: Submission
    key: str
    """The Redis list that it goes to."""
    text: str


def options_of(submission: Submission, *, is_redis: bool) -> dict[str, Any]:
    """What `send_task` is to be given for a task, besides its name and arguments."""
    priority = submission.priority
    found = {
        "task_id": submission.task_id,
        "queue": submission.queue,
        "eta": submission.starts_at if _is_later(submission) else None,
        "expires": submission.expires_at,
        "priority": _LOWEST - priority if priority is not None and is_redis else priority,
        "headers": None if submission.max_retries is None else {MAX_RETRIES: submission.max_retries},
    }
    return {name: value for name, value in found.items() if value is not None}


def message(
    app: Celery, submission: Submission, task: Task, steps: Sequence[int], embedded: dict[str, Any] | None = None
) -> Message:
    """A task as it lies in a Redis list. `embedded` is what else `send_task` takes for it: callbacks, a group, a chord."""
    options = options_of(submission, is_redis=True)
    headers, properties, body, _ = app.amqp.create_task_message(
        submission.task_id,
        submission.name,
        task.args,
        task.kwargs,
        eta=options.get("eta"),
        expires=options.get("expires"),
        reply_to=app.thread_oid,
        ignore_result=None,
        **(embedded or {}),
    )
    headers.update(options.get("headers", {}))
    content_type, content_encoding, payload = serialized(body, serializer="json")
    priority = options.get("priority", 0)
    raw = {
        "body": base64.b64encode(payload.encode()).decode(),
        "content-encoding": content_encoding,
        "content-type": content_type,
        "headers": headers,
        "properties": {
            **properties,
            "delivery_mode": 2,
            **_expiration(submission),
            "delivery_info": {"exchange": "", "routing_key": submission.queue},
            "priority": priority,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }
    return Message(submission, list_of(submission.queue, priority, steps), dumps(raw))


def list_of(queue: str, priority: int, steps: Sequence[int]) -> str:
    """The list of a queue that holds the tasks of a priority."""
    step = max(each for each in steps if each <= priority)
    return f"{queue}{_SEPARATOR}{step}" if step else queue


def lists_of(queue: str, steps: Sequence[int]) -> list[str]:
    """All lists of a queue."""
    return [list_of(queue, step, steps) for step in steps]


def _is_later(submission: Submission) -> bool:
    return submission.starts_at is not None and submission.starts_at > datetime.now(UTC)


def _expiration(submission: Submission) -> dict[str, str]:
    if submission.expires_at is None:
        return {}
    seconds = max(0.0, (submission.expires_at - datetime.now(UTC)).total_seconds())
    return {"expiration": str(int(seconds * 1000))}
