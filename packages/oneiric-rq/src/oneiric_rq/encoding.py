"""A task as RQ writes it down: the fields of the job's hash, as `rq.job.Job.to_dict()` gives them."""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oneiric_rq import keys
from oneiric_rq.scripts import SUBMIT

if TYPE_CHECKING:
    from oneiric.adapters.queue.submission import Submission

    from oneiric_rq.connection import Command
    from oneiric_rq.settings import RedisQueueSettings

MAX_RETRIES = "oneiric_max_retries"
"""A field of ours, which RQ leaves alone: it counts retries down, and forgets from where."""

SMALL = 100_000
"""Characters that are packed or unpacked at once; more in a thread, as they would hold up the event loop."""

_EMPTY = (
    "success_callback_name",
    "failure_callback_name",
    "stopped_callback_name",
    "started_at",
    "ended_at",
    "last_heartbeat",
    "worker_name",
    "group_id",
)
_NOTHING_YET = tuple(part for name in _EMPTY for part in (name, ""))


async def encoded(task: Submission, settings: RedisQueueSettings) -> tuple[list[str], Command]:
    """The keys and arguments of the script that submits the task."""
    if len(task.args) + len(task.kwargs) > SMALL:
        return await asyncio.to_thread(submission, task, settings)
    return submission(task, settings)


def submission(task: Submission, settings: RedisQueueSettings) -> tuple[list[str], Command]:
    """The keys and arguments of the script that submits the task."""
    starts, expires = task.starts_at, task.expires_at
    is_later = starts is not None and starts > datetime.now(UTC)
    queue = keys.queue(task.queue)
    arguments = [
        task.task_id,
        queue,
        math.ceil(starts.timestamp()) if is_later and starts is not None else "",  # RQ's scheduler counts in seconds
        int(expires.timestamp() * 1000) if expires is not None else "",
        *fields(task, settings, "scheduled" if is_later else "queued"),
    ]
    return [keys.job(task.task_id), keys.QUEUES, keys.scheduled(task.queue) if is_later else queue], arguments


def fields(task: Submission, settings: RedisQueueSettings, status: str) -> list[str | bytes | int]:
    """Names and values, by turns.

    The description, which RQ's workers log, is the task's name alone: its arguments are nobody's business.
    """
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    pairs: list[str | bytes | int] = ["created_at", now, "data", _data(task), *_NOTHING_YET]
    pairs += ["origin", task.queue, "description", task.name, "timeout", settings.job_timeout]
    pairs += ["result_ttl", settings.result_ttl, "failure_ttl", settings.failure_ttl, "status", status]
    if status == "queued":
        pairs += ["enqueued_at", now]
    if task.max_retries:
        pairs += ["retries_left", task.max_retries, "retry_intervals", "[0]", MAX_RETRIES, task.max_retries]
    return pairs


def batch(submissions: list[tuple[list[str], Command]]) -> list[Command]:
    """Commands that submit all of them, or none where the connection breaks off before the last one."""
    first, *others = submissions
    return [("MULTI",), SUBMIT.in_full(*first), *(SUBMIT.by_digest(*each) for each in others), ("EXEC",)]


def _data(task: Submission) -> bytes:
    """What the JSON serializer makes of name, instance, arguments; compressed as RQ does."""
    return zlib.compress(f"[{json.dumps(task.name)},null,{task.args},{task.kwargs}]".encode())
