"""Ids that are claimed before their tasks are sent, where the record of a task is on another server than its broker.

A claim is a record that ends with the deadline of who made it: where that one dies before the task is sent, another may send
it. Whoever comes meanwhile with the same id waits for what becomes of it.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import uuid4

from oneiric_celery import scripts
from oneiric_celery.record import Record, key_of, queued

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.adapters.queue.submission import Submission
    from redis.asyncio import Redis

_LOOK = 0.01
"""Seconds until a claim of somebody else's is looked at again."""


class Claims:
    """The claims of one adapter, and the records of tasks that need none."""

    def __init__(self, redis: Redis, expires: float) -> None:
        self._redis = redis
        self._expires = expires

    async def note(self, submissions: Sequence[Submission], list_names: Sequence[str | None]) -> None:
        """Write the records of tasks with new ids, but for those whose workers have been quicker."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for submission, name in zip(submissions, list_names, strict=True):
                record = queued(submission, list_name=name)
                pipe.set(key_of(submission.task_id), record, nx=True, px=int(self._expires * 1000))
            await pipe.execute()

    async def claim(self, submissions: Sequence[Submission], lease: float) -> dict[str, str]:
        """Claim ids for so many seconds: those that are ours now, with the claim. The others' tasks have been sent."""
        ours: dict[str, str] = {}
        waiting = {submission.task_id: submission for submission in submissions}
        while waiting:
            claims = {task_id: _claim(submission) for task_id, submission in waiting.items()}
            async with self._redis.pipeline(transaction=False) as pipe:
                for task_id, text in claims.items():
                    pipe.set(key_of(task_id), text, nx=True, px=int(lease * 1000) + 1, get=True)
                found = await pipe.execute()
            for task_id, was in zip(claims, found, strict=True):
                if was is None:
                    ours[task_id] = claims[task_id]
                if was is None or "claim" not in Record(task_id, was).ours:
                    del waiting[task_id]
            if waiting:
                await asyncio.sleep(_LOOK)
        return ours

    async def confirm(
        self, submissions: Sequence[Submission], claims: dict[str, str], list_names: Sequence[str | None]
    ) -> None:
        """Turn claims into records of tasks that were sent, but for those whose workers have written since."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for submission, name in zip(submissions, list_names, strict=True):
                record = queued(submission, list_name=name)
                milliseconds = int(self._expires * 1000)
                pipe.eval(
                    scripts.REPLACE, 1, key_of(submission.task_id), claims[submission.task_id], record, milliseconds
                )
            await pipe.execute()

    async def give_up(self, claims: dict[str, str]) -> None:
        """Let go of claims whose tasks were not sent."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for task_id, text in claims.items():
                pipe.eval(scripts.REPLACE, 1, key_of(task_id), text, "", 0)
            await pipe.execute()


def _claim(submission: Submission) -> str:
    meta = json.loads(queued(submission, list_name=None))
    meta["oneiric"]["claim"] = str(uuid4())
    return json.dumps(meta)
