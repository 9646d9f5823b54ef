"""The queue in memory passes the kit, also where it is to do without what it can; and what it is beyond the contract."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric.testing.memory import MemoryQueue, report_progress
from oneiric.testing.memory.queue import CAPABILITIES, SPEC
from oneiric.testing.queue import tasks
from oneiric.testing.queue.suite import QueueSuite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from oneiric.spec import AdapterSpec


async def hold(path: str) -> str:
    """The kit's `hold`, as a coroutine function, which can be stopped."""
    tasks.note(f"{path}.log", "started")
    while not Path(path).exists():  # noqa: ASYNC110, ASYNC240 - the kit says so, by a file
        await asyncio.sleep(0.01)
    tasks.note(f"{path}.log", "ended")
    return "released"


async def progress(value: Any, path: str) -> str:
    report_progress(value)
    return await hold(path)


FUNCTIONS = tasks.TASKS | {f"{tasks.__name__}.{function.__name__}": function for function in (hold, progress)}


class TestMemoryQueue(QueueSuite):
    adapter_name = "memory-queue"

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex}

    @pytest.fixture
    def run_worker(self, config: Mapping[str, Any]) -> Any:
        @asynccontextmanager
        async def run(*queues: str) -> AsyncIterator[None]:
            async with MemoryQueue(config) as queue, queue.worker(FUNCTIONS, *queues):
                yield

        return run


class TestMemoryQueueThatCanDoLittle(TestMemoryQueue):
    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex, "without": CAPABILITIES}
