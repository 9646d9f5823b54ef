"""What the demo does with a task queue: tasks of a real worker process, one that fails, and one that is cancelled."""

from __future__ import annotations

import asyncio
import tempfile
import time
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue import CancelOutcome, TaskState
from oneiric.errors import TaskFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from oneiric.adapters.queue import QueueAdapter

    RunWorker = Callable[[Any], AbstractAsyncContextManager[dict[str, str]]]

QUEUE = "oneiric-demo"
_PATIENCE = 45.0


async def use_queue(queue: QueueAdapter, run_worker: RunWorker) -> str:
    """Submit tasks before and beside a worker, and follow them; returns what came of it. Raises where an answer is wrong."""
    text = metadata("oneiric-core")["Description"] or "oneiric"
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        async with run_worker(queue) as names:
            hold = Path(folder) / "hold"
            held = await queue.submit_task(names["hold"], [str(hold)], queue=QUEUE)
            states = [await _state_when(queue, held, TaskState.RUNNING)]
            counted, failing, cancelled = [
                await queue.submit_task(name, [text], queue=QUEUE)
                for name in (names["count"], names["fail"], names["count"])
            ]
            states.append((await queue.get_task_status(counted))["state"])
            outcome = await queue.cancel_task(cancelled)
            hold.touch()
            words = await queue.wait_for_result(counted, timeout=_PATIENCE)
            states.append((await queue.get_task_status(counted))["state"])
            error = await _failure(queue, failing)
            states += [(await queue.get_task_status(task))["state"] for task in (failing, cancelled)]
    expected = [
        TaskState.RUNNING,
        TaskState.QUEUED,
        TaskState.SUCCEEDED,
        TaskState.FAILED,
        TaskState.CANCELLED,
    ]
    if states != expected or outcome is not CancelOutcome.PREVENTED or sum(words.values()) != len(text.split()):
        raise AssertionError(f"the tasks were {', '.join(states)}; the cancelled one was {outcome}")
    return (
        f"a worker process ran a task ({states[0]}) while another waited ({states[1]}, then {states[2]}: {len(words)} words "
        f"counted); one failed, {error}; one was cancelled before it started ({outcome}); "
        f"{time.perf_counter() - started:.1f} s with the worker's start"
    )


async def _state_when(queue: QueueAdapter, task: str, state: TaskState) -> TaskState:
    give_up = time.monotonic() + _PATIENCE
    while (now := (await queue.get_task_status(task))["state"]) is not state:
        if time.monotonic() > give_up:
            raise AssertionError(f"the task is {now}, and not {state}: no worker took it in {_PATIENCE:.0f} s")
        await asyncio.sleep(0.02)
    return now


async def _failure(queue: QueueAdapter, task: str) -> str:
    """The failed task's error and the line that raised it, by its traceback."""
    try:
        await queue.wait_for_result(task, timeout=_PATIENCE)
    except TaskFailed as failed:
        lines = [line.strip() for line in (failed.traceback or "").splitlines()]
        raised = next((line for line in reversed(lines) if line.startswith("return int(")), None)
        if raised is None or not (failed.error or "").startswith("ValueError"):
            raise AssertionError("the failed task has no traceback of what it raised") from None
        return f"ValueError at `{raised}`"
    raise AssertionError("a task that fails has succeeded")
