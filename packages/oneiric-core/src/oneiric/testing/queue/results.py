"""Waiting for what a task returns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.queue.base import CANCEL, RESULTS, TaskState
from oneiric.errors import DeadlineExceeded, TaskCancelled, TaskFailed, UnknownTask
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.patience import PATIENCE, within_patience
from oneiric.testing.queue.statuses import UNSEEN
from oneiric.testing.queue.under_test import QueueUnderTest, with_worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.queue.base import QueueAdapter
    from oneiric.testing.queue.under_test import Hold, RunWorker

_SHORT = 0.2


class ResultTests(QueueUnderTest):
    """`wait_for_result`."""

    @with_worker
    async def test_a_result_is_waited_for(
        self, adapter: QueueAdapter, capabilities: frozenset[str], hold: Hold
    ) -> None:
        """By as many as want it, from before the task has ended; who comes later has it too."""
        self.needs(capabilities, RESULTS)
        task_id = await self.submit(adapter, "hold", hold.path)
        waiting = [asyncio.ensure_future(adapter.wait_for_result(task_id, timeout=PATIENCE)) for _ in range(10)]
        await hold.is_held()
        assert not any(each.done() for each in waiting), "wait_for_result has returned while the task runs."
        hold.release()
        assert await asyncio.gather(*waiting) == ["released"] * 10
        assert await adapter.wait_for_result(task_id, timeout=PATIENCE) == "released"

    async def test_a_wait_that_began_before_there_was_a_worker_ends(
        self, adapter: QueueAdapter, capabilities: frozenset[str], run_worker: RunWorker | None, new_queue: str
    ) -> None:
        """It is the task that is waited for, and not the worker."""
        self.needs(capabilities, RESULTS)
        task_id = await self.submit(adapter, "add", 1, 2, queue=new_queue)
        waiting = asyncio.ensure_future(adapter.wait_for_result(task_id, timeout=PATIENCE))
        async with self.runs(run_worker)(new_queue):
            assert await waiting == 3

    @with_worker
    async def test_waiting_for_a_task_that_fails_raises_task_failed(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """With the error as text, and the traceback."""
        self.needs(capabilities, RESULTS)
        with expect(TaskFailed, "waiting for a task that fails") as expected:
            await self.result(adapter, "fail", "no such luck")
        assert expected.error.error == "ValueError: no such luck"
        assert "in fail" in (expected.error.traceback or ""), "`traceback` has to say where the task raised."

    @pytest.mark.parametrize(
        ("name", "args"),
        [("fail_strangely", []), ("fail_at_length", [1_000_000]), ("return_a_set", []), ("no_such_task", [])],
        ids=["what can't be pickled", "with a message of 1 MB", "as its result is no JSON", "as no worker knows it"],
    )
    @with_worker
    async def test_a_task_that_fails_strangely_has_failed(
        self, adapter: QueueAdapter, capabilities: frozenset[str], name: str, args: list[object]
    ) -> None:
        """It doesn't run on forever, is not lost, and has no result that it didn't return."""
        self.needs(capabilities, RESULTS)
        task_id = await self.submit(adapter, name, *args)
        with expect(TaskFailed, "waiting for a task that fails") as expected:
            await adapter.wait_for_result(task_id, timeout=PATIENCE)
        assert expected.error.error, "TaskFailed has to have the error as text."
        assert await self.state(adapter, task_id) is TaskState.FAILED

    @by_name(UNSEEN)
    async def test_waiting_for_a_task_that_was_never_seen_raises_unknown_task(
        self, adapter: QueueAdapter, capabilities: frozenset[str], case: Any
    ) -> None:
        """At once: it would wait for ever."""
        self.needs(capabilities, RESULTS)
        waiting = adapter.wait_for_result(case, timeout=10 * PATIENCE)
        with expect(UnknownTask, "waiting for a task that there isn't"):
            await within_patience(waiting, "There is no such task, and wait_for_result waits for it.")

    async def test_waiting_for_a_task_that_was_cancelled_raises_task_cancelled(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Whether the wait began before the cancel or after it."""
        self.needs(capabilities, RESULTS, CANCEL)
        task_id = await self.submit(adapter, "nothing", queue=new_queue)
        before = asyncio.ensure_future(adapter.wait_for_result(task_id, timeout=PATIENCE))
        await asyncio.sleep(0)
        await adapter.cancel_task(task_id)
        for waiting in (before, adapter.wait_for_result(task_id, timeout=PATIENCE)):
            with expect(TaskCancelled, "waiting for a task that is cancelled"):
                await waiting

    async def test_a_wait_ends_at_its_deadline_and_can_be_begun_again(
        self, adapter: QueueAdapter, capabilities: frozenset[str], run_worker: RunWorker | None, new_queue: str
    ) -> None:
        """DeadlineExceeded, which is transient: the task goes on."""
        self.needs(capabilities, RESULTS)
        task_id = await self.submit(adapter, "add", 1, 2, queue=new_queue)
        for _ in range(2):
            waiting = adapter.wait_for_result(task_id, timeout=_SHORT)
            with expect(DeadlineExceeded, "waiting for longer than `timeout`") as expected:
                await within_patience(waiting, f"wait_for_result was told to wait for {_SHORT} s, and waits on.")
            assert expected.error.transient
        async with self.runs(run_worker)(new_queue):
            assert await adapter.wait_for_result(task_id, timeout=PATIENCE) == 3

    @with_worker
    async def test_a_wait_that_is_cancelled_takes_nothing_from_the_others(
        self, adapter: QueueAdapter, capabilities: frozenset[str], hold: Hold
    ) -> None:
        """Nor from the task."""
        self.needs(capabilities, RESULTS)
        task_id = await self.submit(adapter, "hold", hold.path)
        one, other = (asyncio.ensure_future(adapter.wait_for_result(task_id, timeout=PATIENCE)) for _ in range(2))
        await hold.is_held()
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        hold.release()
        assert await other == "released"

    @with_worker
    async def test_waiting_for_a_task_of_another_adapter(
        self, adapter: QueueAdapter, capabilities: frozenset[str], make: Callable[[], QueueAdapter]
    ) -> None:
        """Results are the backend's, not the adapter's."""
        self.needs(capabilities, RESULTS)
        task_id = await self.submit(adapter, "add", 1, 2)
        async with make() as other:
            assert await other.wait_for_result(task_id, timeout=PATIENCE) == 3
