"""The queue in memory passes the kit, also where it is to do without what it can; and what it is beyond the contract."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric.adapters.queue import report_progress
from oneiric.errors import ConfigError, Unsupported
from oneiric.testing.memory import MemoryQueue
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


async def test_the_example_of_its_documentation() -> None:
    def render(year: str) -> str:
        return f"done {year}"

    async with MemoryQueue() as queue, queue.worker({"reports.render": render}):
        task_id = await queue.submit_task("reports.render", ["2026"])
        assert await queue.wait_for_result(task_id) == "done 2026"


async def test_tests_are_apart_though_they_name_no_broker() -> None:
    async with MemoryQueue() as queue:
        await queue.submit_task("a")
        assert await queue.queue_depth() == 1
    del queue
    async with MemoryQueue() as queue:
        assert await queue.queue_depth() == 0


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [True, False])
async def test_whatever_a_task_raises_it_has_failed_and_the_worker_goes_on(error: Any, is_async: bool) -> None:
    def plain() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    functions = {"raise": coroutine if is_async else plain, "add": lambda one, other: one + other}
    async with MemoryQueue() as queue, queue.worker(functions):
        raising = await queue.submit_task("raise")
        assert await queue.wait_for_result(await queue.submit_task("add", [1, 2])) == 3
        assert (await queue.get_task_status(raising))["state"] == "failed"


async def test_what_runs_when_its_worker_ends_goes_back_and_is_run_by_the_next() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def wait() -> str:
        started.set()
        await release.wait()
        return "done"

    async with MemoryQueue() as queue:
        async with queue.worker({"wait": wait}):
            task_id = await queue.submit_task("wait")
            await started.wait()
            assert [worker["running"] for worker in await queue.list_workers()] == [[task_id]]
        assert (await queue.get_task_status(task_id))["state"] == "queued"
        assert await queue.list_workers() == []
        release.set()
        async with queue.worker({"wait": wait}):
            assert await queue.wait_for_result(task_id) == "done"


async def test_several_workers_run_several_tasks_each_of_its_queues() -> None:
    both = asyncio.Barrier(2)

    async with (
        MemoryQueue() as queue,
        queue.worker({"meet": both.wait}, "a", "b", name="first"),
        queue.worker({"meet": both.wait}, "a", name="second"),
    ):
        ids = [await queue.submit_task("meet", queue="a") for _ in range(2)]
        assert sorted([await queue.wait_for_result(each, timeout=10) for each in ids]) == [0, 1]
        assert [(worker["name"], worker["queues"]) for worker in await queue.list_workers()] == [
            ("first", ["a", "b"]),
            ("second", ["a"]),
        ]


async def test_it_does_without_what_it_is_told_to() -> None:
    async with MemoryQueue({"without": ["priority"]}) as queue:
        with pytest.raises(Unsupported, match="`priority`"):
            await queue.submit_task("a", priority=1)


async def test_a_capability_that_is_none_is_refused_in_the_settings() -> None:
    with pytest.raises(ConfigError, match="without"):
        MemoryQueue({"without": ["prioritys"]})


def test_what_a_test_that_failed_still_holds_is_not_found_by_the_next() -> None:
    async def used() -> Any:
        async with MemoryQueue() as queue:
            await queue.submit_task("a")
            assert await queue.queue_depth() == 1
            return queue.raw

    held = [asyncio.run(used()) for _ in range(2)]  # as a traceback does; each test has an event loop of its own
    assert held[0] is not held[1]
