"""Tasks that are submitted again and again, at the times of a cron expression."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from croniter import croniter  # type: ignore[import-untyped]
from oneiric.errors import ConfigError, OneiricError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from oneiric_rq.adapter import RedisQueueAdapter
    from oneiric_rq.settings import Recurring

logger = logging.getLogger("oneiric_rq.schedule")

_TRY_AGAIN = 1.0
_LONGEST_SLEEP = 60.0
"""Seconds: a clock may be set meanwhile, and a laptop sleep."""


async def run(adapter: RedisQueueAdapter, schedule: Mapping[str, Recurring]) -> None:
    """Submit each task at each of its times, in UTC, until cancelled; what was missed while nothing ran is not made up.

    The id of a task is `NAME-SECONDS`, so however many run the same schedule, each is submitted once. Raises ConfigError for
    a time that can't be.
    """
    for name, recurring in schedule.items():
        if not croniter.is_valid(recurring.cron):
            raise ConfigError(f"`schedule.{name}.cron` is no time as cron has it.", adapter=adapter.name)
    async with asyncio.TaskGroup() as group:
        for name, recurring in schedule.items():
            group.create_task(_repeat(adapter, name, recurring), name=f"oneiric-rq schedule {name}")


async def _repeat(adapter: RedisQueueAdapter, name: str, recurring: Recurring) -> None:
    last = datetime.now(UTC)
    while True:
        due: datetime = croniter(recurring.cron, last).get_next(datetime)
        await _until(due)
        await _submit(adapter, f"{name}-{int(due.timestamp())}", recurring)
        last = max(due, datetime.now(UTC))


async def _until(time: datetime) -> None:
    seconds = (time - datetime.now(UTC)).total_seconds()
    while seconds > 0:
        await asyncio.sleep(min(seconds, _LONGEST_SLEEP))
        seconds = (time - datetime.now(UTC)).total_seconds()


async def _submit(adapter: RedisQueueAdapter, task_id: str, recurring: Recurring) -> None:
    """Submit one, whatever becomes of the broker meanwhile."""
    options: dict[str, Any] = {"queue": recurring.queue, "max_retries": recurring.max_retries}
    while True:
        try:
            await adapter.submit_task(recurring.task, recurring.args, recurring.kwargs, task_id=task_id, **options)
        except OneiricError as error:
            if not error.transient:
                raise
            logger.warning("%s was not submitted yet: %s", task_id, error)
            await asyncio.sleep(_TRY_AGAIN)
        else:
            return
