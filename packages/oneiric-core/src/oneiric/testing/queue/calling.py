"""The calls themselves: cancelled at each of their awaits, and many tasks in one round trip."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.queue.base import BATCH, CANCEL, IDEMPOTENCY, WORKERS, Task, TaskState
from oneiric.testing.cancelling import each_cancelled
from oneiric.testing.patience import PATIENCE
from oneiric.testing.queue.under_test import QueueUnderTest

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from oneiric.adapters.base import Adapter
    from oneiric.testing.proxy import FaultProxy

_MANY = 100
_TRIPS = 10
"""How many round trips may be one: a link may have to be made first, and what is long goes in pieces."""

METHODS: dict[str, str | None] = {
    "submit_task": None,
    "submit_many": None,
    "get_task_status": None,
    "queue_depth": None,
    "cancel_task": CANCEL,
    "list_workers": WORKERS,
}
"""With the capability that each needs."""


class CallTests(QueueUnderTest):
    """What holds of the calls, whatever they are about."""

    @pytest.mark.parametrize("method", METHODS)
    async def test_a_call_that_is_cancelled_anywhere_leaves_the_adapter_usable(
        self, adapter: Any, capabilities: frozenset[str], new_queue: str, method: str
    ) -> None:
        """It ends as cancelled, and holds nothing that others wait for; what it was to submit was submitted, or not."""
        needed = METHODS[method]
        if needed is not None:
            self.needs(capabilities, needed)
        number = 0
        async for done in each_cancelled(lambda: self._call(adapter, method, new_queue), f"{method}()"):
            number += 1
            try:
                async with asyncio.timeout(PATIENCE):
                    task_id = await self.submit(adapter, "nothing", queue=f"{new_queue}-{number}")
                    state = await self.state(adapter, task_id)
                    depth = await adapter.queue_depth(f"{new_queue}-{number}")
            except TimeoutError:
                pytest.fail(f"{done}, and the next calls do not end within {PATIENCE:.0f} s.")
            assert (state, depth) == (TaskState.QUEUED, 1), f"{done}, and the next task is {state}, one of {depth}."

    async def test_a_submit_that_was_cancelled_can_be_made_again_by_its_id(
        self, adapter: Any, capabilities: frozenset[str], new_queue: str
    ) -> None:
        """Nobody knows what became of it; submitted again, it is there once."""
        self.needs(capabilities, IDEMPOTENCY)
        begun: list[str] = []

        def submit() -> Coroutine[Any, Any, Any]:
            begun.append(f"{new_queue}-{len(begun)}")
            return self.submit(adapter, "nothing", queue=new_queue, task_id=begun[-1])

        async for done in each_cancelled(submit, "submit_task()"):
            await self.submit(adapter, "nothing", queue=new_queue, task_id=begun[-1])
            state = await self.state(adapter, begun[-1])
            assert state is TaskState.QUEUED, f"{done} and was made again, and the task is {state}."
            assert await adapter.queue_depth(new_queue) == len(begun), (
                f"{done} and was made again: that is not one task."
            )

    async def test_many_tasks_are_submitted_in_one_round_trip(
        self, capabilities: frozenset[str], proxied: Adapter, proxy: FaultProxy, new_queue: str
    ) -> None:
        """A hundred of them; through the kit's proxy, which counts."""
        self.needs(capabilities, BATCH)
        queue: Any = proxied
        before = proxy.round_trips
        assert len(await queue.submit_many(self.tasks(new_queue, _MANY))) == _MANY
        trips = proxy.round_trips - before
        assert trips <= _TRIPS, (
            f"{BATCH!r}: submit_many() of {_MANY} tasks took {trips} round trips, and is to take one."
        )
        assert await queue.queue_depth(new_queue) == _MANY, (
            "Not all of the tasks that were submitted together are there."
        )

    def tasks(self, queue: str, count: int) -> list[Task]:
        """So many tasks for a queue."""
        return [Task(name=self.task_name("nothing"), queue=queue)] * count

    def _call(self, adapter: Any, method: str, name: str) -> Coroutine[Any, Any, Any]:
        match method:
            case "submit_task":
                return self.submit(adapter, "nothing", queue=name)
            case "submit_many":
                return adapter.submit_many(self.tasks(name, 3))  # type: ignore[no-any-return]
            case "list_workers":
                return adapter.list_workers()  # type: ignore[no-any-return]
        return getattr(adapter, method)(f"{name}-1")  # type: ignore[no-any-return]
