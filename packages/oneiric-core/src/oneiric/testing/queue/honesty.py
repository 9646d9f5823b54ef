"""What the adapter doesn't claim to be able to do, it says it can't, before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oneiric.adapters.queue.base import (
    CANCEL,
    CANCEL_RUNNING,
    EXPIRES,
    IDEMPOTENCY,
    PRIORITY,
    RESULTS,
    RETRIES,
    SCHEDULE,
    WORKERS,
    Task,
)
from oneiric.errors import Unsupported
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip
from oneiric.testing.queue.under_test import QueueUnderTest

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneiric.adapters.queue.base import QueueAdapter

_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    (IDEMPOTENCY, {"task_id": "one-of-my-own"}),
    (SCHEDULE, {"delay": 10}),
    (SCHEDULE, {"eta": datetime(2100, 1, 1, tzinfo=UTC)}),
    (EXPIRES, {"expires": 10}),
    (PRIORITY, {"priority": 9}),
    (RETRIES, {"max_retries": 1}),
]
_CALLS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "wait_for_result": (RESULTS, lambda adapter, task_id: adapter.wait_for_result(task_id)),
    "cancel_task": (CANCEL, lambda adapter, task_id: adapter.cancel_task(task_id)),
    "cancel_task, stop": (CANCEL_RUNNING, lambda adapter, task_id: adapter.cancel_task(task_id, stop=True)),
    "list_workers": (WORKERS, lambda adapter, _: adapter.list_workers()),
}


class HonestyTests(QueueUnderTest):
    """Capabilities that aren't declared."""

    @pytest.mark.parametrize(("capability", "option"), _OPTIONS, ids=[next(iter(option)) for _, option in _OPTIONS])
    async def test_an_option_that_is_not_declared_is_unsupported(
        self,
        adapter: QueueAdapter,
        capabilities: frozenset[str],
        new_queue: str,
        capability: str,
        option: dict[str, Any],
    ) -> None:
        """It is never taken and dropped."""
        if capability in capabilities:
            skip(f"The adapter declares the capability `{capability}`.")
        with expect(Unsupported, f"what needs `{capability}`, which isn't declared"):
            await self.submit(adapter, "nothing", queue=new_queue, **option)
        with expect(Unsupported, f"what needs `{capability}`, which isn't declared"):
            await adapter.submit_many(
                [
                    Task(name=self.task_name("nothing"), queue=new_queue),
                    Task(name=self.task_name("nothing"), queue=new_queue, **option),
                ]
            )
        assert await adapter.queue_depth(new_queue) == 0, "A task was submitted without the option that it was to have."

    @pytest.mark.parametrize("method", _CALLS)
    async def test_a_method_that_is_not_declared_is_unsupported(
        self, adapter: QueueAdapter, capabilities: frozenset[str], new_queue: str, method: str
    ) -> None:
        """Also for a task that is there."""
        capability, call = _CALLS[method]
        if capability in capabilities:
            skip(f"The adapter declares the capability `{capability}`.")
        task_id = await self.submit(adapter, "nothing", queue=new_queue)
        with expect(Unsupported, f"what needs `{capability}`, which isn't declared"):
            await call(adapter, task_id)
