"""Wrong task queues."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from oneiric.adapters.queue.base import CancelOutcome, TaskState, TaskStatus
from oneiric.errors import DeadlineExceeded, TaskFailed, UnknownTask
from oneiric.testing import patience
from oneiric.testing.memory import MemoryQueue

from mutants.harness import Mutant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oneiric.adapters.queue.base import Task

patience.PATIENCE = 4.0  # before the suite takes it: what a mutant never does isn't waited for as long
from test_memory_queue import TestMemoryQueue, TestMemoryQueueThatCanDoLittle  # noqa: E402


class SaysQueuedOfUnknownTasks(MemoryQueue):
    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:
        status = await super().get_task_status(task_id)
        return {**status, "state": TaskState.QUEUED} if status["state"] is TaskState.UNKNOWN else status


class RunsCancelledTasks(MemoryQueue):
    cancelled = frozenset[str]()

    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:
        self.cancelled |= {task_id}
        return CancelOutcome.PREVENTED

    async def get_task_status(self, task_id: str, *, timeout: float | None = None) -> TaskStatus:
        status = await super().get_task_status(task_id)
        return {**status, "state": TaskState.CANCELLED} if task_id in self.cancelled else status


class StopsWhatIsToBeLeftAlone(MemoryQueue):
    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:
        outcome = await super().cancel_task(task_id, stop=True)
        return CancelOutcome.TOO_LATE if outcome is CancelOutcome.STOPPED else outcome


class SubmitsOneByOne(MemoryQueue):
    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        return [(await super(SubmitsOneByOne, self).submit_many([task]))[0] for task in tasks]


class ChangesOptions(MemoryQueue):
    """Base of those that make something else of an option."""

    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    async def submit_task(self, task_name: str, args: Any = (), kwargs: Any = None, **options: Any) -> str:
        options = {name: value for name, value in options.items() if value is not None}
        return await super().submit_task(task_name, args, kwargs, **self.changed(options))


class TakesNaiveTimes(ChangesOptions):
    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        return options | ({"eta": options["eta"].replace(tzinfo=UTC)} if "eta" in options else {})


class IgnoresPriorities(ChangesOptions):
    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in options.items() if name != "priority"}


class DropsWhatItDoesNotClaim(IgnoresPriorities):
    """The same adapter, which is as wrong where it says that it has no priorities."""


class RunsWhatHasExpired(ChangesOptions):
    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in options.items() if name != "expires"}


class CountsWholeSeconds(ChangesOptions):
    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        delay = options.get("delay")
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        return options | ({} if seconds is None else {"delay": int(seconds)})


class RetriesUnasked(ChangesOptions):
    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"max_retries": 1} | options


class HasOneQueue(ChangesOptions):
    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        return options | {"queue": "default"}

    async def queue_depth(self, queue: str | None = None, *, timeout: float | None = None) -> int:
        return await super().queue_depth("default")


class SubmitsAnIdAgain(ChangesOptions):
    def changed(self, options: dict[str, Any]) -> dict[str, Any]:
        self.raw.records.pop(options.get("task_id", ""), None)
        return options


class ChangesPayloads(MemoryQueue):
    """Base of those that make something else of the arguments."""

    def changed(self, payload: Any) -> Any:
        raise NotImplementedError

    async def submit_many(self, tasks: Iterable[Task], *, timeout: float | None = None) -> list[str]:
        changed = ({"args": self.changed(task.args), "kwargs": self.changed(task.kwargs)} for task in tasks)
        tasks = [dataclasses.replace(task, **each) for task, each in zip(tasks, changed, strict=True)]
        return await super().submit_many(tasks)


class SendsWhatIsNotJson(ChangesPayloads):
    def changed(self, payload: Any) -> Any:
        return json.loads(json.dumps(payload, default=str))


class HasNoLargeIntegers(ChangesPayloads):
    def changed(self, payload: Any) -> Any:
        return json.loads(json.dumps(payload), parse_int=lambda digits: int(float(digits)))


class ForgetsWhatItPrevented(MemoryQueue):
    """As soon as another task of the same id could be submitted."""

    async def cancel_task(self, task_id: str, *, stop: bool = False, timeout: float | None = None) -> CancelOutcome:
        outcome = await super().cancel_task(task_id, stop=stop)
        if stop and outcome is CancelOutcome.PREVENTED:
            del self.raw.records[task_id]
        return outcome


class TakesArgumentsForOptions(MemoryQueue):
    async def submit_task(self, task_name: str, args: Any = (), kwargs: Any = None, **options: Any) -> str:
        return await super().submit_task(task_name, args, **{**options, "kwargs": _without(kwargs or {}, "queue")})


class WaitsForUnknownTasks(MemoryQueue):
    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        try:
            return await super().wait_for_result(task_id, timeout=timeout)
        except UnknownTask:
            raise DeadlineExceeded("Still pending.", adapter=self.name) from None


class GivesTheTaskUpWithTheWait(MemoryQueue):
    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        try:
            return await super().wait_for_result(task_id, timeout=timeout)
        except DeadlineExceeded:
            await self.cancel_task(task_id)
            raise


class ReturnsNothingOfFailedTasks(MemoryQueue):
    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        try:
            return await super().wait_for_result(task_id, timeout=timeout)
        except TaskFailed:
            return None


class WaitsForOneAtATime(MemoryQueue):
    """A wait that is cancelled closes what the others wait on."""

    waiting: asyncio.Future[Any] | None = None

    async def wait_for_result(self, task_id: str, *, timeout: float | None = None) -> Any:
        if self.waiting is None or self.waiting.done():
            self.waiting = asyncio.ensure_future(super().wait_for_result(task_id, timeout=timeout))
        return await self.waiting


def _without(mapping: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key != name}


def _mutant(adapter: type, caught_by: str) -> Mutant:
    return Mutant(adapter, TestMemoryQueue, caught_by)


MUTANTS = [
    _mutant(SaysQueuedOfUnknownTasks, "test_a_task_that_was_never_seen_is_unknown"),
    _mutant(RunsCancelledTasks, "test_a_prevented_task_never_runs"),
    _mutant(StopsWhatIsToBeLeftAlone, "test_a_task_that_runs_is_left_alone"),
    _mutant(SubmitsOneByOne, "test_many_tasks_are_all_checked_before_any_is_sent"),
    _mutant(TakesNaiveTimes, "test_a_naive_eta_is_refused"),
    _mutant(IgnoresPriorities, "test_higher_priorities_are_started_first"),
    Mutant(
        DropsWhatItDoesNotClaim, TestMemoryQueueThatCanDoLittle, "test_an_option_that_is_not_declared_is_unsupported"
    ),
    _mutant(RunsWhatHasExpired, "test_a_task_that_has_expired_never_runs"),
    _mutant(CountsWholeSeconds, "test_a_task_starts_not_before_its_time"),
    _mutant(RetriesUnasked, "test_a_task_that_fails_is_not_run_again_unasked"),
    _mutant(HasOneQueue, "test_queues_are_apart"),
    _mutant(SubmitsAnIdAgain, "test_an_id_submitted_again_makes_no_second_task"),
    _mutant(SendsWhatIsNotJson, "test_what_json_can_not_hold_is_refused"),
    _mutant(HasNoLargeIntegers, "test_arguments_and_results_arrive_as_they_were"),
    _mutant(ForgetsWhatItPrevented, "test_random_commands_are_answered_as_by_the_reference"),
    _mutant(TakesArgumentsForOptions, "test_any_names_of_arguments_can_be"),
    _mutant(WaitsForUnknownTasks, "test_waiting_for_a_task_that_was_never_seen_raises_unknown_task"),
    _mutant(GivesTheTaskUpWithTheWait, "test_a_wait_ends_at_its_deadline_and_can_be_begun_again"),
    _mutant(ReturnsNothingOfFailedTasks, "test_waiting_for_a_task_that_fails_raises_task_failed"),
    _mutant(WaitsForOneAtATime, "test_a_wait_that_is_cancelled_takes_nothing_from_the_others"),
]
