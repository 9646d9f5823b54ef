"""Tasks that wait for other tasks, as RQ's `depends_on` writes them down."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oneiric.errors import InvalidTask, UnknownTask

from oneiric_rq import encoding, keys
from oneiric_rq.scripts import SUBMIT_AFTER

if TYPE_CHECKING:
    from oneiric.adapters.queue.submission import Submission

    from oneiric_rq.connection import Command
    from oneiric_rq.pool import Pool
    from oneiric_rq.settings import RedisQueueSettings

MOST = 1000
_UNKNOWN = -1


def checked(after: object) -> list[str]:
    """The ids of the tasks that are waited for, each once. Raises InvalidTask for what is no list of such ids."""
    if isinstance(after, str) or not isinstance(after, Sequence) or not all(map(keys.is_id, after)):
        raise InvalidTask("`after` is not a list of ids of tasks; nothing was submitted.")
    ids = list(dict.fromkeys(after))
    if not 1 <= len(ids) <= MOST:
        raise InvalidTask(f"`after` has not 1 to {MOST} ids; nothing was submitted.")
    return ids


async def submit(
    pool: Pool, settings: RedisQueueSettings, task: Submission, after: Sequence[str], *, even_if_failed: bool
) -> None:
    """Submit a task that starts when those of the ids have succeeded, all in one step."""
    task_keys = [
        keys.job(task.task_id),
        keys.QUEUES,
        keys.queue(task.queue),
        keys.deferred(task.queue),
        keys.dependencies(task.task_id),
    ]
    arguments: Command = [
        task.task_id,
        int(time.time()),
        keys.job(""),
        int(even_if_failed),
        len(after),
        *after,
        *encoding.fields(task, settings, "queued"),
        *_fields(after, even_if_failed=even_if_failed),
    ]
    if await SUBMIT_AFTER.run(pool, task_keys, arguments) == _UNKNOWN:
        raise UnknownTask("One of the tasks that it is to wait for isn't there; nothing was submitted.")


def _fields(after: Sequence[str], *, even_if_failed: bool) -> Command:
    found = ["dependency_id", after[0], "dependency_ids", json.dumps(list(after))]
    return [*found, "allow_dependency_failures", "1"] if even_if_failed else found
