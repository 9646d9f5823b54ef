"""How workers take tasks: priorities, retries, depth, and who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.queue.base import PRIORITY, RESULTS, RETRIES, WORKERS, TaskState
from oneiric.errors import TaskFailed
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.patience import until
from oneiric.testing.queue.under_test import QueueUnderTest, with_worker

if TYPE_CHECKING:
    from oneiric.adapters.queue.base import QueueAdapter, WorkerInfo
    from oneiric.testing.queue.under_test import Hold, Ledger, RunWorker

_NAMES = {"empty": "", "never used": "kit-never-used", "blank": "a b", "star": "*", "unicode": "ä", "NUL": "\x00"}


class WorkingTests(QueueUnderTest):
    """Workers, and what they make of the options."""

    async def test_higher_priorities_are_started_first(
        self,
        adapter: QueueAdapter,
        capabilities: frozenset[str],
        run_worker: RunWorker | None,
        new_queue: str,
        ledger: Ledger,
    ) -> None:
        """9 is the first and 0 the last, in whatever order they were submitted."""
        self.needs(capabilities, PRIORITY)
        ids = [
            await self.submit(adapter, "note", ledger.path, str(priority), queue=new_queue, priority=priority)
            for priority in (5, 0, 9, 5, 9, 0)
        ]
        async with self.runs(run_worker)(new_queue):
            for task_id in ids:
                await self.ended(adapter, task_id)
        assert ledger.lines == ["9", "9", "5", "5", "0", "0"], "Tasks weren't started in the order of their priorities."

    @pytest.mark.parametrize("value", [-1, 10, 1.5, "5", True])
    async def test_a_priority_that_can_not_be_is_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str, value: Any
    ) -> None:
        """It is a whole number from 0 to 9."""
        self.needs(capabilities, PRIORITY)
        await self.refuses(adapter, new_queue, priority=value)

    @pytest.mark.parametrize("value", [-1, 1.5, "5", True])
    async def test_retries_that_can_not_be_are_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str, value: Any
    ) -> None:
        """They are a whole number from 0."""
        self.needs(capabilities, RETRIES)
        await self.refuses(adapter, new_queue, max_retries=value)

    @with_worker
    async def test_a_task_that_fails_is_run_again(
        self, adapter: QueueAdapter, capabilities: frozenset[str], ledger: Ledger
    ) -> None:
        """Until it succeeds; its status says how often."""
        self.needs(capabilities, RETRIES, RESULTS)
        task_id = await self.submit(adapter, "flaky", ledger.path, 2, max_retries=3)
        status = await self.ended(adapter, task_id)
        assert (status["state"], status.get("result")) == (TaskState.SUCCEEDED, 3)
        assert status.get("retries") == 2, "A task was run again twice, and `retries` doesn't say so."

    @with_worker
    async def test_a_task_that_fails_too_often_has_failed(
        self, adapter: QueueAdapter, capabilities: frozenset[str], ledger: Ledger
    ) -> None:
        """`max_retries` is how often it is run again, besides the first time; the error is the last one."""
        self.needs(capabilities, RETRIES, RESULTS)
        with expect(TaskFailed, "waiting for a task that fails each time") as expected:
            await self.result(adapter, "flaky", ledger.path, 10, max_retries=2)
        assert expected.error.error == "ValueError: failure 3"
        assert len(ledger.lines) == 3, "With `max_retries=2`, a task that fails is run three times."

    @with_worker
    async def test_a_task_that_fails_is_not_run_again_unasked(self, adapter: QueueAdapter, ledger: Ledger) -> None:
        """What it has half done may not bear it."""
        status = await self.ended(adapter, await self.submit(adapter, "flaky", ledger.path, 1))
        await self.ended(adapter, await self.submit(adapter, "nothing"))
        assert status["state"] is TaskState.FAILED
        assert ledger.lines == ["called"]

    async def test_the_depth_is_how_many_tasks_wait(
        self, adapter: QueueAdapter, run_worker: RunWorker | None, new_queue: str
    ) -> None:
        """It rises with each submit, and is 0 when a worker has run them."""
        for depth in range(3):
            assert await adapter.queue_depth(new_queue) == depth
            await self.submit(adapter, "nothing", queue=new_queue)
        last = await self.submit(adapter, "nothing", queue=new_queue)
        async with self.runs(run_worker)(new_queue):
            await self.ended(adapter, last)
        assert await adapter.queue_depth(new_queue) == 0

    @by_name(_NAMES)
    async def test_the_depth_of_a_queue_that_is_not_there_is_0(self, adapter: QueueAdapter, case: Any) -> None:
        """Whatever its name."""
        assert await adapter.queue_depth(case) == 0

    @with_worker
    async def test_the_workers_that_answer_are_listed(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """Each has a name, and they are in the order of their names."""
        self.needs(capabilities, WORKERS)
        workers: list[WorkerInfo] = []

        async def is_there() -> bool:
            workers[:] = await adapter.list_workers()
            return bool(workers)

        await until(is_there, "A worker runs, and list_workers doesn't know it.")
        names = [worker["name"] for worker in workers]
        assert all(names)
        assert names == sorted(names)

    @with_worker
    async def test_a_worker_says_what_it_runs(
        self, adapter: QueueAdapter, capabilities: frozenset[str], hold: Hold
    ) -> None:
        """Where the engine knows it, by the tasks' ids."""
        self.needs(capabilities, WORKERS)
        task_id = await self.submit(adapter, "hold", hold.path)
        await hold.is_held()

        async def is_said() -> bool:
            workers = await adapter.list_workers()
            return any(task_id in worker.get("running", [task_id]) for worker in workers)

        await until(is_said, "A worker runs a task, and none of those listed has it in `running`.")

    async def test_a_worker_that_has_ended_is_not_listed(
        self, adapter: QueueAdapter, capabilities: frozenset[str], run_worker: RunWorker | None, new_queue: str
    ) -> None:
        """Those are listed that answer now."""
        self.needs(capabilities, WORKERS)

        async def names() -> set[str]:
            return {worker["name"] for worker in await adapter.list_workers()}

        async def is_new() -> bool:
            return bool(await names() - before)

        async def is_gone() -> bool:
            return not new & await names()

        before = await names()
        async with self.runs(run_worker)(new_queue):
            await until(is_new, "A worker runs, and list_workers doesn't know it.")
            new = await names() - before
        await until(is_gone, "A worker has ended, and list_workers still lists it.")
