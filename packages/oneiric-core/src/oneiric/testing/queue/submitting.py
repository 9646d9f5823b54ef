"""Submitting tasks: ids, names, many at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.queue.base import DURABLE, IDEMPOTENCY, RESULTS, Task, TaskState
from oneiric.errors import InvalidTask, OneiricError
from oneiric.testing.expecting import by_name, expect
from oneiric.testing.patience import PATIENCE, until
from oneiric.testing.queue.under_test import QueueUnderTest, with_worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric.adapters.queue.base import QueueAdapter
    from oneiric.testing.queue.under_test import Ledger

_IDS: dict[str, Any] = {
    "empty": "",
    "blank": " ",
    "slash": "a/b",
    "dot": "a.b",
    "newline": "a\n",
    "star": "*",
    "unicode": "ä",
}
_IDS |= {"NUL": "a\x00", "long": "a" * 129, "number": 7, "bytes": b"a"}
_NAMES: dict[str, Any] = {
    "empty": "",
    "newline": "a\nb",
    "NUL": "a\x00b",
    "long": "a" * 201,
    "a class": str,
    "number": 7,
    "list": ["a"],
}
_QUEUES: dict[str, Any] = {
    "empty": "",
    "blank": "a b",
    "comma": "a,b",
    "newline": "a\nb",
    "star": "*",
    "unicode": "ä",
    "long": "a" * 129,
}
_QUEUES |= {"number": 7, "NUL": "a\x00b"}


class SubmittingTests(QueueUnderTest):
    """`submit_task` and `submit_many`."""

    async def test_a_task_has_an_id_of_its_own(self, adapter: QueueAdapter, new_queue: str) -> None:
        """A string, which no other task has."""
        one = await self.submit(adapter, "nothing", queue=new_queue)
        other = await self.submit(adapter, "nothing", queue=new_queue)
        assert isinstance(one, str), "submit_task has to return the task's id, which is a string."
        assert one != other, "Two tasks have the same id."

    async def test_an_id_that_is_given_is_the_tasks(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Letters, digits, `-` and `_`, up to 128 of them."""
        self.needs(capabilities, IDEMPOTENCY)
        ids = [f"Az09-_{new_queue}", f"{new_queue}{'x' * 128}"[:128]]
        assert [await self.submit(adapter, "nothing", queue=new_queue, task_id=each) for each in ids] == ids
        assert [await self.state(adapter, each) for each in ids] == [TaskState.QUEUED] * 2

    @by_name(_IDS)
    async def test_an_id_that_can_not_be_is_refused(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str, case: Any
    ) -> None:
        """InvalidTask, before anything is sent."""
        self.needs(capabilities, IDEMPOTENCY)
        await self.refuses(adapter, new_queue, task_id=case)

    @by_name(_NAMES)
    async def test_a_task_name_that_can_not_be_is_refused(
        self, adapter: QueueAdapter, new_queue: str, case: Any
    ) -> None:
        """InvalidTask, before anything is sent."""
        await self.refuses(adapter, new_queue, task_name=case)

    @by_name(_QUEUES)
    async def test_a_queue_name_that_can_not_be_is_refused(self, adapter: QueueAdapter, case: Any) -> None:
        """InvalidTask, before anything is sent: it might mean another queue, or several."""
        with expect(InvalidTask, "this name of a queue"):
            await self.submit(adapter, "nothing", queue=case)

    @with_worker
    async def test_an_id_submitted_again_makes_no_second_task(
        self, adapter: QueueAdapter, capabilities: frozenset[str], ledger: Ledger, new_queue: str
    ) -> None:
        """Neither while the first waits or runs, nor when it has ended; each submit returns the id."""
        self.needs(capabilities, IDEMPOTENCY, RESULTS)
        submits = (self.submit(adapter, "note", ledger.path, "ran", task_id=new_queue) for _ in range(10))
        assert await asyncio.gather(*submits) == [new_queue] * 10
        await self.ended(adapter, new_queue)
        assert await self.submit(adapter, "note", ledger.path, "ran", task_id=new_queue) == new_queue
        await self.result(adapter, "nothing")  # what is behind it in the queue has run, so it would have too
        assert ledger.lines == ["ran"], (
            "A task was submitted several times with the same `task_id`, and ran that often."
        )

    async def test_an_id_submitted_again_keeps_the_first_task(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Also in one `submit_many`, and over two of them."""
        self.needs(capabilities, IDEMPOTENCY)
        tasks = [
            Task(name=self.task_name("nothing"), queue=new_queue, task_id=f"{new_queue}-{n}") for n in (1, 2, 1, 2)
        ]
        ids = await adapter.submit_many(tasks)
        assert ids == [task.task_id for task in tasks]
        assert await adapter.submit_many(tasks) == ids
        assert await adapter.queue_depth(new_queue) == 2, "Two ids, each submitted several times, are not two tasks."

    @with_worker
    async def test_many_tasks_have_their_ids_in_order(
        self, adapter: QueueAdapter, capabilities: frozenset[str]
    ) -> None:
        """The nth id is that of the nth task; the tasks may come from a generator."""
        self.needs(capabilities, RESULTS)
        ids = await adapter.submit_many(Task(name=self.task_name("add"), args=[n, 0]) for n in range(5))
        results = [await adapter.wait_for_result(task_id, timeout=PATIENCE) for task_id in ids]
        assert results == list(range(5)), "submit_many returned the ids in another order than that of the tasks."

    async def test_no_tasks_are_no_ids(self, adapter: QueueAdapter) -> None:
        """An empty batch is nothing to complain of."""
        assert await adapter.submit_many([]) == []

    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_many_tasks_are_all_checked_before_any_is_sent(
        self, adapter: QueueAdapter, new_queue: str, place: int
    ) -> None:
        """One that can't be, wherever it stands, and none is submitted."""
        tasks = [Task(name=self.task_name("nothing"), queue=new_queue) for _ in range(2)]
        tasks.insert(place, Task(name=self.task_name("echo"), args=[{1, 2}], queue=new_queue))
        with expect(InvalidTask, "a batch that holds a task with a set as its argument"):
            await adapter.submit_many(tasks)
        assert await adapter.queue_depth(new_queue) == 0, "One of the tasks can't be, and others were submitted."

    async def test_a_thousand_tasks_can_be_submitted_together(self, adapter: QueueAdapter, new_queue: str) -> None:
        """Each of them is in the queue, once."""
        ids = await adapter.submit_many([Task(name=self.task_name("nothing"), queue=new_queue)] * 1000)
        assert len(set(ids)) == 1000
        assert await adapter.queue_depth(new_queue) == 1000

    async def test_a_hundred_tasks_can_be_submitted_at_once(self, adapter: QueueAdapter, new_queue: str) -> None:
        """Each call gives an id of its own, and none is lost."""
        ids = await asyncio.gather(*(self.submit(adapter, "nothing", queue=new_queue) for _ in range(100)))
        assert len(set(ids)) == 100
        assert await adapter.queue_depth(new_queue) == 100

    async def test_queues_are_apart(self, adapter: QueueAdapter, new_queue: str) -> None:
        """A task is in the one that it was submitted to."""
        await self.submit(adapter, "nothing", queue=f"{new_queue}-a")
        await self.submit(adapter, "nothing", queue=f"{new_queue}.b:c")
        depths = [await adapter.queue_depth(f"{new_queue}{name}") for name in ("", "-a", ".b:c", "-")]
        assert depths == [0, 1, 1, 0]

    async def test_another_adapter_on_the_same_backend_sees_the_task(
        self, adapter: QueueAdapter, make: Callable[[], QueueAdapter], new_queue: str
    ) -> None:
        """What is known of a task is the backend's, not the adapter's."""
        task_id = await self.submit(adapter, "nothing", queue=new_queue)
        async with make() as other:
            assert await self.state(other, task_id) is TaskState.QUEUED
            assert await other.queue_depth(new_queue) == 1

    async def test_a_task_survives_a_restart_of_the_broker(
        self,
        adapter: QueueAdapter,
        capabilities: frozenset[str],
        restart: Callable[[], Awaitable[None]] | None,
        new_queue: str,
    ) -> None:
        """Where the queue is durable: as soon as its submit has returned."""
        self.needs(capabilities, DURABLE)
        if restart is None:
            pytest.fail("The adapter declares `durable`: the suite has to bring the fixture `restart`, to prove it.")
        await self.submit(adapter, "nothing", queue=new_queue)
        await restart()
        depth: Any = None

        async def is_there() -> bool:
            nonlocal depth
            depth = await _unless_down(adapter.queue_depth(new_queue))
            return depth is not None

        await until(is_there, "The broker was restarted, and the adapter doesn't find it again.")
        assert depth == 1, "A task was submitted, the broker restarted, and the task is gone."


async def _unless_down(call: Awaitable[int]) -> int | None:
    try:
        return await call
    except OneiricError as error:
        if not error.transient:
            raise
        return None
