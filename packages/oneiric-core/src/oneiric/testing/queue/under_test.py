"""What the tests of a task queue are given: a worker, its tasks, and files in which these leave their traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pytest_asyncio

from oneiric.adapters.queue.base import FINAL, QueueAdapter, Task, TaskState
from oneiric.errors import InvalidTask
from oneiric.testing.expecting import expect
from oneiric.testing.guard import skip
from oneiric.testing.patience import PATIENCE, until
from oneiric.testing.queue import tasks
from oneiric.testing.under_test import AdapterUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from oneiric.adapters.queue.base import TaskStatus

    RunWorker = Callable[..., AbstractAsyncContextManager[object]]


with_worker = pytest.mark.usefixtures("worker")
"""Of a test whose tasks are run by a worker of the default queue."""


class Hold:
    """What holds a task, until it is released."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> str:
        """The argument of the task."""
        return str(self._path)

    @property
    def log(self) -> list[str]:
        """What the task has noted: `started`, `ended`."""
        log = self._path.with_name(f"{self._path.name}.log")
        return log.read_text(encoding="utf-8").split() if log.exists() else []

    async def is_held(self) -> None:
        """Wait until a worker runs the task."""
        await until(lambda: "started" in self.log, "A worker serves the queue, and didn't start the task.")

    def release(self) -> None:
        """Let it go on."""
        self._path.touch()


class Ledger:
    """A file in which tasks leave lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def path(self) -> str:
        """The argument of the task."""
        return str(self._path)

    @property
    def lines(self) -> list[str]:
        """What was noted, in order."""
        return self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []


class QueueUnderTest(AdapterUnderTest):
    """Base of the parts of `QueueSuite`. The backend needn't be empty: queues and ids are new in each test."""

    contract = QueueAdapter

    def task_name(self, name: str) -> str:
        """The name under which a worker knows a task of the kit; override it where that isn't the function's path."""
        return f"{tasks.__name__}.{name}"

    @pytest.fixture
    def run_worker(self, config: Mapping[str, Any]) -> RunWorker | None:  # noqa: ARG002 - what a subclass will use
        """How to run a worker of the engine: a function that takes names of queues (none: the default queue of `config`).

        It gives an async context manager, in whose block a worker serves these queues that knows the tasks of
        `oneiric.testing.queue.tasks`, and runs one at a time. The worker may be in a process of its own.
        """
        return None

    @pytest.fixture
    def restart(self) -> Callable[[], Awaitable[None]] | None:
        """How to kill the broker and start it again on its data: an async function."""
        return None

    @pytest_asyncio.fixture(loop_scope="function")
    async def worker(self, run_worker: RunWorker | None) -> AsyncIterator[None]:
        """A worker of the default queue. Where one takes long to start, override it to ask for one of a module's scope."""
        async with self.runs(run_worker)():
            yield

    @pytest.fixture
    def new_queue(self) -> str:
        """The name of a queue that nobody has used."""
        return f"kit-{uuid4().hex}"

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Ledger:
        """Where tasks leave lines."""
        return Ledger(tmp_path / "ledger")

    @pytest.fixture
    def hold(self, tmp_path: Path) -> Iterator[Hold]:
        """What holds a task; released at the end."""
        hold = Hold(tmp_path / "hold")
        yield hold
        hold.release()

    def runs(self, run_worker: RunWorker | None) -> RunWorker:
        """The fixture of that name, where there is one."""
        if run_worker is None:
            skip("There is no worker: the suite has to bring the fixture `run_worker`.")
        return run_worker

    def needs(self, capabilities: frozenset[str], *needed: str) -> None:
        """Skip a test of what the adapter doesn't claim."""
        for capability in needed:  # asked for one by one: a difference of sets would ask for none, and none be proved
            if capability not in capabilities:
                skip(f"The adapter doesn't declare the capability `{capability}`.")

    async def submit(self, adapter: Any, name: str, *args: Any, **options: Any) -> str:
        """Submit a task of the kit."""
        task_id: str = await adapter.submit_task(self.task_name(name), args, **options)
        return task_id

    async def result(self, adapter: Any, name: str, *args: Any, **options: Any) -> Any:
        """Submit a task of the kit, and wait for its result."""
        return await adapter.wait_for_result(await self.submit(adapter, name, *args, **options), timeout=PATIENCE)

    async def refuses(self, adapter: Any, queue: str, *, task_name: Any = None, **options: Any) -> None:
        """See that a task is refused as InvalidTask, alone and among others, and that nothing is submitted."""
        name = self.task_name("nothing") if task_name is None else task_name
        good, bad = Task(name=self.task_name("nothing"), queue=queue), Task(name=name, queue=queue, **options)
        with expect(InvalidTask, "this task"):
            await adapter.submit_task(name, queue=queue, **options)
        with expect(InvalidTask, "this task"):
            await adapter.submit_many([good, bad])
        assert await adapter.queue_depth(queue) == 0, "A task was refused as InvalidTask, and the queue isn't empty."

    async def ended(self, adapter: Any, task_id: str) -> TaskStatus:
        """The status of a task when it has ended."""
        status: TaskStatus = {"task_id": task_id, "state": TaskState.UNKNOWN}

        async def has_ended() -> bool:
            nonlocal status
            status = await adapter.get_task_status(task_id)
            return status["state"] in FINAL

        await until(
            has_ended, "A worker serves the queue, and the task's state never was succeeded, failed or cancelled."
        )
        return status

    async def state(self, adapter: Any, task_id: str) -> TaskState:
        """The state of a task now."""
        status: TaskStatus = await adapter.get_task_status(task_id)
        return status["state"]
