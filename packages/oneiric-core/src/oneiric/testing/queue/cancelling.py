"""Cancelling tasks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue.base import CANCEL, CANCEL_RUNNING, SCHEDULE, CancelOutcome, TaskState
from oneiric.testing.expecting import by_name
from oneiric.testing.patience import until
from oneiric.testing.queue.statuses import UNSEEN
from oneiric.testing.queue.under_test import QueueUnderTest, with_worker

if TYPE_CHECKING:
    from oneiric.adapters.queue.base import QueueAdapter
    from oneiric.testing.queue.under_test import Hold, Ledger, RunWorker

_LOOKS_AGAIN_WITHIN = 0.2
"""Seconds in which a task that is held would see that it was released; it looks every hundredth."""
TWICE = "A second cancel has to say the same as the first."


class CancellingTests(QueueUnderTest):
    """`cancel_task`."""

    async def test_a_task_that_no_worker_has_taken_is_prevented(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """And cancelled from then on."""
        self.needs(capabilities, CANCEL)
        task_id = await self.submit(adapter, "nothing", queue=new_queue)
        assert await adapter.cancel_task(task_id) is CancelOutcome.PREVENTED
        assert await self.state(adapter, task_id) is TaskState.CANCELLED
        assert await adapter.cancel_task(task_id) is CancelOutcome.PREVENTED, TWICE

    async def test_a_prevented_task_never_runs(
        self,
        adapter: QueueAdapter,
        capabilities: frozenset[str],
        run_worker: RunWorker | None,
        new_queue: str,
        ledger: Ledger,
    ) -> None:
        """Not by a worker that starts only after the cancel either."""
        self.needs(capabilities, CANCEL)
        cancelled = await self.submit(adapter, "note", ledger.path, "the cancelled one", queue=new_queue)
        await adapter.cancel_task(cancelled)
        last = await self.submit(adapter, "note", ledger.path, "the last one", queue=new_queue)
        async with self.runs(run_worker)(new_queue):
            await self.ended(adapter, last)
        assert ledger.lines == ["the last one"], "cancel_task said `prevented`, and the task has run."
        assert await self.state(adapter, cancelled) is TaskState.CANCELLED

    @with_worker
    async def test_a_task_that_waits_behind_another_is_prevented(
        self, adapter: QueueAdapter, capabilities: frozenset[str], hold: Hold, ledger: Ledger
    ) -> None:
        """Also where a worker has fetched it already."""
        self.needs(capabilities, CANCEL)
        await self.submit(adapter, "hold", hold.path)
        await hold.is_held()
        cancelled = await self.submit(adapter, "note", ledger.path, "the cancelled one")
        last = await self.submit(adapter, "note", ledger.path, "the last one")
        assert await adapter.cancel_task(cancelled) is CancelOutcome.PREVENTED
        hold.release()
        await self.ended(adapter, last)
        assert ledger.lines == ["the last one"], "cancel_task said `prevented`, and the task has run."
        assert await self.state(adapter, cancelled) is TaskState.CANCELLED

    async def test_a_scheduled_task_is_prevented(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """It doesn't come back when its time has come."""
        self.needs(capabilities, CANCEL, SCHEDULE)
        task_id = await self.submit(adapter, "nothing", queue=new_queue, delay=3600)
        assert await adapter.cancel_task(task_id) is CancelOutcome.PREVENTED
        assert await self.state(adapter, task_id) is TaskState.CANCELLED

    @with_worker
    async def test_a_task_that_has_ended_can_not_be_cancelled(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """It is too late, and the task remains what it was."""
        self.needs(capabilities, CANCEL)
        task_id = await self.submit(adapter, "nothing")
        await self.ended(adapter, task_id)
        assert await adapter.cancel_task(task_id) is CancelOutcome.TOO_LATE
        assert await self.state(adapter, task_id) is TaskState.SUCCEEDED
        assert await adapter.cancel_task(task_id) is CancelOutcome.TOO_LATE, TWICE

    @with_worker
    async def test_a_task_that_runs_is_left_alone(
        self, adapter: QueueAdapter, capabilities: frozenset[str], hold: Hold
    ) -> None:
        """Unless it is to be stopped, it is too late, and the task goes on to its end."""
        self.needs(capabilities, CANCEL)
        task_id = await self.submit(adapter, "hold", hold.path)
        await hold.is_held()
        assert await adapter.cancel_task(task_id) is CancelOutcome.TOO_LATE
        hold.release()
        status = await self.ended(adapter, task_id)
        assert status["state"] is TaskState.SUCCEEDED, "cancel_task without `stop` has ended a task that ran."
        assert hold.log == ["started", "ended"]

    @with_worker
    async def test_a_task_that_runs_is_stopped_where_it_is_to_be(
        self, adapter: QueueAdapter, capabilities: frozenset[str], hold: Hold
    ) -> None:
        """It ends as cancelled without having come to its end, and the worker goes on with the next."""
        self.needs(capabilities, CANCEL, CANCEL_RUNNING)
        task_id = await self.submit(adapter, "hold", hold.path)
        await hold.is_held()
        assert await adapter.cancel_task(task_id, stop=True) is CancelOutcome.STOPPED
        status = await self.ended(adapter, task_id)
        assert status["state"] is TaskState.CANCELLED
        assert await adapter.cancel_task(task_id, stop=True) is CancelOutcome.STOPPED, TWICE
        hold.release()
        await self.ended(adapter, await self.submit(adapter, "nothing"))
        await asyncio.sleep(_LOOKS_AGAIN_WITHIN)  # nothing tells that what was stopped does nothing more
        assert hold.log == ["started"], "cancel_task said `stopped`, and the task has gone on, or was run again."

    async def test_a_task_that_has_not_started_is_prevented_also_where_it_is_to_be_stopped(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """`stop` is more, not something else."""
        self.needs(capabilities, CANCEL, CANCEL_RUNNING)
        task_id = await self.submit(adapter, "nothing", queue=new_queue)
        assert await adapter.cancel_task(task_id, stop=True) is CancelOutcome.PREVENTED

    @by_name(UNSEEN)
    async def test_cancelling_a_task_that_was_never_seen_says_unknown(
        self, adapter: QueueAdapter, capabilities: frozenset[str], case: Any
    ) -> None:
        """And doesn't make it known."""
        self.needs(capabilities, CANCEL)
        assert await adapter.cancel_task(case) is CancelOutcome.UNKNOWN
        assert await self.state(adapter, case) is TaskState.UNKNOWN

    async def test_a_cancelled_task_is_not_counted(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """It doesn't wait for a worker any more."""
        self.needs(capabilities, CANCEL)
        await adapter.cancel_task(await self.submit(adapter, "nothing", queue=new_queue))

        async def is_empty() -> bool:
            return await adapter.queue_depth(new_queue) == 0

        await until(is_empty, "The only task of a queue was cancelled, and its depth doesn't become 0.")
