"""The pipeline: blocks go in, tasks of whichever queue make pages of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from oneiric.adapters.queue import TaskState

from fastblocks.page import Page, all_done
from fastblocks.rendering import check
from fastblocks.steps import check_steps
from fastblocks.tasks import PROCESS_BLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.adapters.queue import QueueAdapter, TaskStatus

    from fastblocks.block import Block

_RETRIES = 2
"""For a worker that is killed; a block that fails, fails again."""


class FastBlocksPipeline:
    """Renders blocks on the workers of a queue, Celery's or RQ's, without knowing which."""

    def __init__(self, queue_adapter: QueueAdapter) -> None:
        self.queue = queue_adapter

    async def process_block(self, block: Block, pipeline_steps: Sequence[str], *, task_id: str | None = None) -> str:
        """Submit a block; returns the id of its task. With a `task_id` of one's own there is one task, however often it is called.

        Raises InvalidBlock for a template that can't be parsed and for steps that there aren't, and what the queue raises.
        """
        steps = check_steps(pipeline_steps)
        check(block)
        return await self.queue.submit_task(
            PROCESS_BLOCK, [block.as_json(), steps], task_id=task_id, max_retries=_RETRIES
        )

    async def get_status(self, task_id: str) -> TaskStatus:
        """What is known of a task: its `state`, and as `progress` a Progress from its first step on."""
        status = await self.queue.get_task_status(task_id)
        if status["state"] is TaskState.SUCCEEDED:  # of which engines say it, or not
            status["progress"] = all_done(status["result"])
        return status

    async def wait_for_page(self, task_id: str, *, timeout: float | None = None) -> Page:
        """The page, when it is made. Raises TaskFailed, TaskCancelled, UnknownTask, and DeadlineExceeded after `timeout` seconds."""
        return cast("Page", await self.queue.wait_for_result(task_id, timeout=timeout))
