"""Wrong task queues: calls that are cancelled, many at once, and what is listed.

Some are behind a link: a memory queue that asks a server on the network before each call, as often as it is wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.adapters.queue.base import TaskState, TaskStatus, WorkerInfo
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.errors import OneiricError, TaskFailed
from oneiric.testing import patience
from oneiric.testing.memory import MemoryQueue
from oneiric.testing.memory.queue import SPEC, MemoryQueueSettings

from mutants.echo import Connection, Server
from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oneiric.adapters.queue.base import CancelOutcome, Task
    from oneiric.spec import AdapterSpec

patience.PATIENCE = 3.0  # before the suite takes it: what a mutant never does isn't waited for as long
from test_memory_queue import TestMemoryQueue  # noqa: E402


class LinkedSettings(MemoryQueueSettings):
    url: str

    def targets(self) -> Targets:
        host, _, port = self.url.removeprefix("echo://").rpartition(":")
        return Targets(endpoints=(Endpoint(host, int(port)),))


class Linked(MemoryQueue):
    """Behind a link: right."""

    settings_class = LinkedSettings
    link: Connection | None = None

    async def init(self) -> None:
        (endpoint,) = self.settings.targets().endpoints  # type: ignore[union-attr]
        self.link = self.link or await Connection.open(endpoint.host, endpoint.port)
        await super().init()

    async def cleanup(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link = None
        await super().cleanup()

    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        await self.asked()
        return await super().submit_many(tasks)

    async def asked(self) -> None:
        assert self.link is not None
        await self.link.ask("may I")


class TestLinked(TestMemoryQueue):
    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return dataclasses.replace(SPEC, adapter=f"{__name__}:Linked", settings=LinkedSettings)

    @pytest.fixture
    def config(self) -> Iterator[Mapping[str, Any]]:
        with Server() as port:
            yield {"url": f"echo://127.0.0.1:{port}", "broker": "linked"}


class AsksForEachOfMany(Linked):
    """All are checked before, and then they go one by one."""

    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        listed = [*tasks]
        for _ in listed:
            await self.asked()
        return await super().submit_many(listed)


class HoldsItsLockWhereItIsCancelled(MemoryQueue):
    """It is released behind the work, and not in a `finally`."""

    lock: asyncio.Lock | None = None

    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        self.lock = self.lock or asyncio.Lock()
        await self.lock.acquire()
        await asyncio.sleep(0)
        ids = await super().submit_many(tasks)
        self.lock.release()
        return ids


class SwallowsACancelOfAStatus(MemoryQueue):
    """And knows nothing of the task."""

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
            return await super().get_task_status(task_id)
        return TaskStatus(task_id=task_id, state=TaskState.UNKNOWN)


class TurnsACancelIntoAnError(MemoryQueue):
    """Of ours, even."""

    async def queue_depth(self, queue: str | None = None, *, timeout: float | None = None) -> int:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            raise OneiricError("It was cancelled.", adapter=self.name) from None
        return await super().queue_depth(queue)


class MarksBeforeItSubmits(MemoryQueue):
    """A submit that is cancelled between the mark and the push is taken for done when it is made again."""

    marks = frozenset[str]()

    async def submit_task(self, task_name: str, args: Any = (), kwargs: Any = None, **options: Any) -> str:
        task_id = options.get("task_id")
        if task_id in self.marks:
            return str(task_id)
        if task_id is not None:
            self.marks |= {task_id}
        await asyncio.sleep(0)
        return await super().submit_task(task_name, args, kwargs, **options)


class ListsTheWorkersOfOld(MemoryQueue):
    """Each that it has ever seen."""

    seen: dict[str, WorkerInfo] = {}

    async def list_workers(self, *, timeout: float | None = None) -> list[WorkerInfo]:
        self.seen |= {worker["name"]: worker for worker in await super().list_workers()}
        return sorted(self.seen.values(), key=lambda worker: worker["name"])


class ListsNoWorkers(MemoryQueue):
    """It has asked, and heard nothing in time."""

    async def list_workers(self, *, timeout: float | None = None) -> list[WorkerInfo]:
        return []


class SaysRunningOfWhatIsScheduled(MemoryQueue):
    """Somebody looks after it."""

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:
        status = await super().get_task_status(task_id)
        return {**status, "state": TaskState.RUNNING} if status["state"] is TaskState.SCHEDULED else status


class GivesPlainTextForStates(MemoryQueue):
    """Which is equal, and not the same."""

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> Any:
        status = await super().get_task_status(task_id)
        return {**status, "state": str(status["state"])}


class SaysTimesAsTheyAreHere(MemoryQueue):
    """Without a time zone."""

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> Any:
        status = await super().get_task_status(task_id)
        return {**status, **{name: str(value)[:26] for name, value in status.items() if name.endswith("_at")}}


class ForgetsTheTraceback(MemoryQueue):
    """The error will do."""

    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        try:
            return await super().wait_for_result(task_id, timeout=timeout)
        except TaskFailed as error:
            raise TaskFailed("It has failed.", error=error.error, adapter=self.name) from None


class PreventsWhatItHasPreventedTooLate(MemoryQueue):
    """A second cancel finds it ended."""

    cancelled = frozenset[str]()

    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:
        if task_id in self.cancelled:
            return type(await super().cancel_task(task_id)).TOO_LATE
        self.cancelled |= {task_id}
        return await super().cancel_task(task_id, stop=stop)


class CountsWhatWasCancelled(MemoryQueue):
    """It is in the list still."""

    async def queue_depth(self, queue: str | None = None, *, timeout: float | None = None) -> int:
        name = self.settings.queue if queue is None else queue
        gone = [r for r in self.raw.records.values() if r.submission.queue == name and r.state is TaskState.CANCELLED]
        return await super().queue_depth(queue) + len(gone)


def _mutant(adapter: type, caught_by: str) -> Mutant:
    return Mutant(adapter, TestMemoryQueue, caught_by)


USABLE = "test_a_call_that_is_cancelled_anywhere_leaves_the_adapter_usable"
MUTANTS = [
    Mutant(AsksForEachOfMany, TestLinked, "test_many_tasks_are_submitted_in_one_round_trip"),
    _mutant(HoldsItsLockWhereItIsCancelled, USABLE),
    _mutant(SwallowsACancelOfAStatus, USABLE),
    _mutant(TurnsACancelIntoAnError, USABLE),
    _mutant(MarksBeforeItSubmits, "test_a_submit_that_was_cancelled_can_be_made_again_by_its_id"),
    _mutant(ListsTheWorkersOfOld, "test_a_worker_that_has_ended_is_not_listed"),
    _mutant(ListsNoWorkers, "test_the_workers_that_answer_are_listed"),
    _mutant(SaysRunningOfWhatIsScheduled, "test_a_task_for_later_is_scheduled"),
    _mutant(GivesPlainTextForStates, "test_a_task_that_no_worker_has_taken_is_queued"),
    _mutant(SaysTimesAsTheyAreHere, "test_times_are_in_utc_and_in_order"),
    _mutant(ForgetsTheTraceback, "test_waiting_for_a_task_that_fails_raises_task_failed"),
    _mutant(PreventsWhatItHasPreventedTooLate, "test_a_task_that_no_worker_has_taken_is_prevented"),
    _mutant(CountsWhatWasCancelled, "test_a_cancelled_task_is_not_counted"),
]
