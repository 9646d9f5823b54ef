"""From a block to a page in the library: what an application does with both."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from oneiric.adapters.queue import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oneiric.adapters.queue import TaskStatus

    from fastblocks.block import Block
    from fastblocks.library import Library
    from fastblocks.page import Page
    from fastblocks.pipeline import FastBlocksPipeline

_LOOKS_EVERY = 0.05
"""Seconds between two looks at a task's progress."""
_ENDED_BADLY = (TaskState.FAILED, TaskState.CANCELLED)


async def publish(
    pipeline: FastBlocksPipeline,
    library: Library,
    block: Block,
    steps: Sequence[str],
    *,
    on_status: Callable[[Block, TaskStatus], None] = lambda *_: None,
    timeout: float = 600.0,
) -> Page:
    """Have a page made and keep it; `on_status` is told what is known of its task while it is made.

    Where this process is killed and does it again, the task that it has submitted is found, and not made anew. Raises what
    `process_block` and `wait_for_page` raise.
    """
    task_id = await _submitted(pipeline, block, steps)
    made = asyncio.ensure_future(pipeline.wait_for_page(task_id, timeout=timeout))
    try:
        while not made.done():
            on_status(block, await pipeline.get_status(task_id))
            await asyncio.wait({made}, timeout=_LOOKS_EVERY)
        page = await made
    finally:
        made.cancel()
    on_status(block, await pipeline.get_status(task_id))
    await library.save(page)
    return page


async def _submitted(pipeline: FastBlocksPipeline, block: Block, steps: Sequence[str]) -> str:
    """The id of the one task for this block with these steps; of another one, where that has failed."""
    task_id = f"fastblocks-{block.digest(list(steps))}"
    if (await pipeline.get_status(task_id))["state"] in _ENDED_BADLY:
        task_id = f"{task_id}-{uuid4().hex[:8]}"
    return await pipeline.process_block(block, steps, task_id=task_id)
