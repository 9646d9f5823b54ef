"""The pipeline, on the queue in memory: what is refused before it is submitted, and what fails in a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue import TaskState
from oneiric.errors import TaskFailed
from oneiric.testing.memory import MemoryQueue

from fastblocks import Block, FastBlocksPipeline, InvalidBlock
from fastblocks.tasks import PROCESS_BLOCK, process_block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def pipeline() -> AsyncIterator[FastBlocksPipeline]:
    async with MemoryQueue({"broker": "fastblocks"}) as queue, queue.worker({PROCESS_BLOCK: process_block}):
        yield FastBlocksPipeline(queue)


async def test_a_block_becomes_a_page(pipeline: FastBlocksPipeline) -> None:
    block = Block(name="hello", template="<h1>Hello {{ who }}</h1>", context={"who": "<you>"})
    task_id = await pipeline.process_block(block, ["render", "outline"])
    page = await pipeline.wait_for_page(task_id)
    assert page == {
        "name": "hello",
        "steps": ["render", "outline"],
        "html": "<h1>Hello &lt;you&gt;</h1>",
        "outline": [{"level": 1, "text": "Hello <you>"}],
    }
    status = await pipeline.get_status(task_id)
    assert (status["state"], status["progress"]) == (TaskState.SUCCEEDED, {"step": "outline", "done": 2, "of": 2})


@pytest.mark.parametrize(
    ("block", "steps", "said"),
    [
        ({}, ["render", "minfy"], "Did you mean `minify`"),
        ({}, ["render", "x"], "The steps are render, "),
        ({}, ["text"], "begins with `render`"),
        ({}, [], "begins with `render`"),
        ({}, ["render", "text", "text"], "each step once"),
        ({"template": "{% if %}"}, ["render"], "The template `a` can't be parsed"),
        ({"partials": {"_b": "{{"}}, ["render"], "The template `_b` can't be parsed"),
    ],
)
async def test_what_no_worker_could_render_is_not_submitted(
    pipeline: FastBlocksPipeline, block: dict[str, Any], steps: list[str], said: str
) -> None:
    with pytest.raises(InvalidBlock, match=said):
        await pipeline.process_block(Block(**{"name": "a", "template": "a", **block}), steps)
    assert await pipeline.queue.queue_depth() == 0


@pytest.mark.parametrize("name", ["", "a\nb", "a" * 201])
def test_a_name_is_one_that_can_be_shown(name: str) -> None:
    with pytest.raises(InvalidBlock):
        Block(name=name, template="")


async def test_a_block_that_fails_says_at_which_step_and_why(pipeline: FastBlocksPipeline) -> None:
    task_id = await pipeline.process_block(Block(name="a", template="{{ nobody.said }}"), ["render"])
    with pytest.raises(TaskFailed, match="'nobody' is undefined"):
        await pipeline.wait_for_page(task_id)
    status = await pipeline.get_status(task_id)
    assert (status["state"], status["progress"]["step"]) == (TaskState.FAILED, "render")


async def test_a_task_that_nobody_has_submitted_is_unknown(pipeline: FastBlocksPipeline) -> None:
    assert (await pipeline.get_status("nothing"))["state"] is TaskState.UNKNOWN
