"""A task queue in memory: the reference of the queue's contract, and a test double for applications.

```python
async with MemoryQueue() as queue, queue.worker({"reports.render": render}):
    task_id = await queue.submit_task("reports.render", ["2026"])
    assert await queue.wait_for_result(task_id) == "done"
```
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from oneiric.adapters.base import AdapterSettings, Health
from oneiric.adapters.queue.base import (
    BATCH,
    CANCEL,
    CANCEL_RUNNING,
    EXPIRES,
    IDEMPOTENCY,
    PRIORITY,
    PROGRESS,
    RESULTS,
    RETRIES,
    SCHEDULE,
    WORKERS,
    CancelOutcome,
    QueueAdapter,
    Task,
    TaskState,
    TaskStatus,
    WorkerInfo,
)
from oneiric.adapters.queue.submission import checked
from oneiric.errors import DeadlineExceeded, TaskCancelled, TaskFailed, UnknownTask, Unsupported
from oneiric.spec import AdapterSpec
from oneiric.testing.memory.task_broker import TaskBroker
from oneiric.testing.memory.task_worker import TaskWorker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

CAPABILITIES = frozenset(
    {
        BATCH,
        CANCEL,
        CANCEL_RUNNING,
        EXPIRES,
        IDEMPOTENCY,
        PRIORITY,
        PROGRESS,
        RESULTS,
        RETRIES,
        SCHEDULE,
        WORKERS,
    }
)
"""All but `durable`."""


def _known(capability: str) -> str:
    if capability not in CAPABILITIES:
        raise ValueError(f"is none of {', '.join(sorted(CAPABILITIES))}")
    return capability


Capability = Annotated[str, AfterValidator(_known)]
"""One that this adapter has."""


class MemoryQueueSettings(AdapterSettings):
    """Where the tasks are, and what the queue is to do without."""

    broker: str = "default"
    """Adapters of one broker share its tasks; it is gone when the last of them is cleaned up."""
    queue: str = "default"
    """Where tasks are submitted to that name no queue."""
    without: frozenset[Capability] = frozenset()
    """Capabilities to do without, as the queue that this one stands in for does."""
    timeout: float = 30.0
    """How long `wait_for_result` waits where it isn't told, in seconds."""

    def lacks(self) -> frozenset[str]:
        """What it is to do without."""
        return self.without


SPEC = AdapterSpec(
    "memory-queue",
    type="queue",
    summary="A task queue in memory, for tests.",
    adapter="oneiric.testing.memory.queue:MemoryQueue",
    settings=MemoryQueueSettings,
    capabilities=CAPABILITIES,
    example={"broker": "tests"},
)


class MemoryQueue(QueueAdapter):
    """A task queue in memory. `worker()` runs a worker that knows some functions; without one, tasks wait."""

    settings_class = MemoryQueueSettings
    settings: MemoryQueueSettings
    _broker: TaskBroker | None = None

    async def init(self) -> None:
        """Find the broker, or begin it."""
        self._broker = self._broker or TaskBroker.of(self.settings.broker)

    async def health(self) -> Health:
        """Whether it is initialised."""
        return Health(self._broker is not None, "In memory." if self._broker else "It is not initialised.")

    async def cleanup(self) -> None:
        """Leave the broker."""
        self._broker = None

    @asynccontextmanager
    async def worker(
        self, functions: Mapping[str, Callable[..., Any]], *queues: str, name: str | None = None
    ) -> AsyncIterator[None]:
        """A worker for as long as the block lasts, of the default queue where none is named, which runs one task at a time.

        `functions` has what each name of a task stands for: coroutine functions run as they are, others in a thread, which
        a stop doesn't end. What runs when the block ends goes back to its queue.
        """
        broker = self.raw
        name = name or f"worker-{len(broker.workers) + 1}"
        worker = TaskWorker(broker, functions, queues or (self.settings.queue,), name)
        broker.workers.append(worker)
        running = asyncio.create_task(worker.run(), name=f"{self.settings.broker} {name}")
        try:
            yield
        finally:
            broker.workers.remove(worker)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def submit_task(
        self,
        task_name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        queue: str | None = None,
        task_id: str | None = None,
        delay: timedelta | float | None = None,
        eta: datetime | None = None,
        expires: timedelta | float | datetime | None = None,
        priority: int | None = None,
        max_retries: int | None = None,
        timeout: float | None = None,  # noqa: ARG002 - nothing here waits
    ) -> str:
        """Submit a task."""
        task = Task(
            name=task_name,
            args=args,
            kwargs={} if kwargs is None else kwargs,
            queue=queue,
            task_id=task_id,
            delay=delay,
            eta=eta,
            expires=expires,
            priority=priority,
            max_retries=max_retries,
        )
        return (await self.submit_many([task]))[0]

    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:  # noqa: ARG002
        """Submit tasks, all or, where one can't be, none."""
        broker = self.raw
        can = self._capabilities
        return broker.submit(
            [checked(task, queue=self.settings.queue, capabilities=can, adapter=self.name) for task in tasks]
        )

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:  # noqa: ARG002
        """What is known of a task."""
        record = self.raw.records.get(task_id)
        if record is None:
            return TaskStatus(task_id=task_id, state=TaskState.UNKNOWN)
        return record.status(self._capabilities)

    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        """What a task returns, when it has."""
        broker = self._able(RESULTS)
        record = broker.records.get(task_id)
        if record is None:
            raise UnknownTask("There is no such task.", adapter=self.name)
        seconds = self.settings.timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(seconds):
                while not record.has_ended:
                    await broker.wait()
        except TimeoutError:
            raise DeadlineExceeded(f"The task had not ended after {seconds:g} s.", adapter=self.name) from None
        if record.state is TaskState.CANCELLED:
            raise TaskCancelled("The task was cancelled.", adapter=self.name)
        if record.result is None:
            failure = {"error": record.error, "traceback": record.traceback}
            raise TaskFailed(f"The task has failed: {record.error}", adapter=self.name, **failure)
        return json.loads(record.result)

    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:  # noqa: ARG002
        """Keep a task from starting, or stop it."""
        broker = self._able(CANCEL, *([CANCEL_RUNNING] if stop else []))
        record = broker.records.get(task_id)
        if record is None:
            return CancelOutcome.UNKNOWN
        outcome = record.cancel(stop=stop)
        broker.change.tell()
        return outcome

    async def queue_depth(self, queue: str | None = None, *, timeout: float | None = None) -> int:  # noqa: ARG002
        """How many tasks wait for a worker."""
        return len(self.raw.waiting([self.settings.queue if queue is None else queue]))

    async def list_workers(self, *, timeout: float | None = None) -> list[WorkerInfo]:  # noqa: ARG002
        """The workers of the broker."""
        return sorted((worker.info for worker in self._able(WORKERS).workers), key=lambda info: info["name"])

    @property
    def raw(self) -> TaskBroker:
        """The broker."""
        if self._broker is None:
            raise self.not_initialized()
        return self._broker

    @property
    def _capabilities(self) -> frozenset[str]:
        return CAPABILITIES - self.settings.without

    def _able(self, *needed: str) -> TaskBroker:
        """The broker, where the adapter has the capabilities."""
        broker = self.raw
        for capability in needed:
            if capability not in self._capabilities:
                raise Unsupported(f"This queue lacks the capability `{capability}`.", adapter=self.name)
        return broker
