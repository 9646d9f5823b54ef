"""What a status says in each part of a task's life."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.queue.base import FINAL, PROGRESS, RESULTS, SCHEDULE, TaskState
from oneiric.testing.expecting import by_name
from oneiric.testing.patience import until
from oneiric.testing.queue.under_test import QueueUnderTest, with_worker

if TYPE_CHECKING:
    from oneiric.adapters.queue.base import QueueAdapter
    from oneiric.testing.queue.under_test import Hold

UNSEEN = {"of a legal form": "never-seen", "empty": "", "blank": "a b", "slashes": "../../x", "star": "*"}
UNSEEN |= {"unicode": "日本", "newline": "a\r\nb", "NUL": "a\x00b", "long": "x" * 10_000, "braces": "{0}%s"}


class StatusTests(QueueUnderTest):
    """`get_task_status`."""

    @by_name(UNSEEN)
    async def test_a_task_that_was_never_seen_is_unknown(self, adapter: QueueAdapter, case: Any) -> None:
        """And not queued, pending or an error: nothing is known of it."""
        status = await adapter.get_task_status(case)
        assert status["state"] is TaskState.UNKNOWN
        assert status["task_id"] == case
        assert "result" not in status

    async def test_a_task_that_no_worker_has_taken_is_queued(self, adapter: QueueAdapter, new_queue: str) -> None:
        """From the moment at which its submit has returned."""
        task_id = await self.submit(adapter, "nothing", queue=new_queue)
        status = await adapter.get_task_status(task_id)
        assert status["state"] is TaskState.QUEUED
        assert status["task_id"] == task_id

    async def test_a_task_for_later_is_scheduled(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """It doesn't wait for a worker yet."""
        self.needs(capabilities, SCHEDULE)
        task_id = await self.submit(adapter, "nothing", queue=new_queue, delay=timedelta(hours=1))
        assert await self.state(adapter, task_id) is TaskState.SCHEDULED

    @with_worker
    async def test_a_task_that_runs_is_running(self, adapter: QueueAdapter, hold: Hold) -> None:
        """Not queued, as long as it takes."""
        task_id = await self.submit(adapter, "hold", hold.path)
        await hold.is_held()

        async def is_running() -> bool:
            return await self.state(adapter, task_id) is TaskState.RUNNING

        await until(is_running, "A task runs, and its state doesn't become `running`.")

    @with_worker
    async def test_a_task_that_has_returned_has_succeeded(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """Its status has the result."""
        self.needs(capabilities, RESULTS)
        status = await self.ended(adapter, await self.submit(adapter, "add", 3, 4))
        assert (status["state"], status.get("result")) == (TaskState.SUCCEEDED, 7)
        assert "error" not in status, "The status of a task that has succeeded has an `error`."

    @with_worker
    async def test_a_task_that_has_raised_has_failed(self, adapter: QueueAdapter, capabilities: frozenset[str]) -> None:
        """Its status has the error as text, and the traceback; no result."""
        self.needs(capabilities, RESULTS)
        status = await self.ended(adapter, await self.submit(adapter, "fail", "no such luck"))
        assert status["state"] is TaskState.FAILED
        assert status.get("error") == "ValueError: no such luck"
        assert "no such luck" in status.get("traceback", ""), "`traceback` has to say where the task raised what."
        assert "in fail" in status.get("traceback", ""), "`traceback` has to say where the task raised what."
        assert "result" not in status, "The status of a task that has failed has a `result`."

    @with_worker
    async def test_the_state_of_a_task_that_has_ended_stays(self, adapter: QueueAdapter, hold: Hold) -> None:
        """Asked again, the answer is the same."""
        hold.release()
        task_id = await self.submit(adapter, "hold", hold.path)
        first = await self.ended(adapter, task_id)
        assert await adapter.get_task_status(task_id) == first

    @with_worker
    async def test_a_status_can_be_sent_as_json(self, adapter: QueueAdapter) -> None:
        """A status is plain data: strings, numbers, lists, dicts."""
        status = await self.ended(adapter, await self.submit(adapter, "echo", {"a": [1]}))
        assert json.loads(json.dumps(status)) == status

    @with_worker
    async def test_times_are_in_utc_and_in_order(self, adapter: QueueAdapter) -> None:
        """Those that the queue knows, in ISO 8601."""
        status = await self.ended(adapter, await self.submit(adapter, "nothing"))
        known = [status.get(name) for name in ("submitted_at", "started_at", "ended_at")]
        times = [datetime.fromisoformat(str(each)) for each in known if each is not None]
        assert all(time.utcoffset() == timedelta(0) for time in times), f"Not all in UTC: {known}"
        assert times == sorted(times), f"Not in order: {known}"

    @with_worker
    async def test_what_a_task_reports_is_its_progress(
        self, adapter: QueueAdapter, capabilities: frozenset[str], hold: Hold
    ) -> None:
        """While it runs."""
        self.needs(capabilities, PROGRESS)
        value = {"done": 3, "of": [4, "ä"]}
        task_id = await self.submit(adapter, "progress", value, hold.path)

        async def is_reported() -> bool:
            status = await adapter.get_task_status(task_id)
            if status["state"] in FINAL:
                pytest.fail(
                    f"The task that is to report its progress has ended: {status.get('error', status['state'])}"
                )
            return status.get("progress") == value and status["state"] is TaskState.RUNNING

        await until(is_reported, "A task has reported its progress, and its status doesn't show it.")
