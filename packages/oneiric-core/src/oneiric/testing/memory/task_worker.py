"""A worker of the queue in memory."""

from __future__ import annotations

import asyncio
import inspect
import json
import traceback
from typing import TYPE_CHECKING, Any

from oneiric.adapters.payload import json_text
from oneiric.adapters.queue.base import CancelOutcome, TaskState, WorkerInfo
from oneiric.adapters.queue.progress import progress_goes_to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oneiric.testing.memory.task_broker import TaskBroker
    from oneiric.testing.memory.task_record import TaskRecord


class TaskWorker:
    """Runs the tasks of some queues, one at a time: coroutine functions as they are, others in a thread."""

    def __init__(
        self, broker: TaskBroker, functions: Mapping[str, Callable[..., Any]], queues: Sequence[str], name: str
    ) -> None:
        self.broker = broker
        self.functions = functions
        self.queues = queues
        self.name = name
        self.running: TaskRecord | None = None

    @property
    def info(self) -> WorkerInfo:
        """The worker, as `list_workers` says it."""
        running = [self.running.submission.task_id] if self.running else []
        return WorkerInfo(name=self.name, queues=list(self.queues), running=running)

    async def run(self) -> None:
        """Run tasks until cancelled; the one that runs then goes back to its queue."""
        while True:
            waiting = self.broker.waiting(self.queues)
            if waiting:
                await self._run(min(waiting, key=lambda record: record.turn))
            else:
                await self.broker.wait()

    async def _run(self, record: TaskRecord) -> None:
        self.running = record
        record.start()
        record.call = asyncio.ensure_future(self._call(record))
        self.broker.change.tell()
        try:
            await asyncio.wait([record.call])
        finally:
            self._settle(record, record.call)
            self.running = None
            self.broker.change.tell()

    async def _call(self, record: TaskRecord) -> str:
        """The task's result as JSON text."""
        with progress_goes_to(record.note_progress):
            return await self._result(record)

    async def _result(self, record: TaskRecord) -> str:
        function = self.functions.get(record.submission.name)
        if function is None:
            raise LookupError("This worker knows no task of that name.")
        args, kwargs = json.loads(record.submission.args), json.loads(record.submission.kwargs)
        if inspect.iscoroutinefunction(function):
            return json_text(await _awaited(function, args, kwargs), "result")
        return json_text(await asyncio.to_thread(_called, function, args, kwargs), "result")

    def _settle(self, record: TaskRecord, call: asyncio.Future[str]) -> None:
        """Note how a call has ended, or that it won't, as the worker is stopped."""
        if not call.done():
            call.cancel()
            record.stored_state = TaskState.QUEUED
        elif record.cancelled is CancelOutcome.STOPPED:
            record.end(TaskState.CANCELLED)
        elif call.cancelled():
            self._fail(record, asyncio.CancelledError("The task has cancelled itself."))
        elif error := call.exception():
            self._fail(record, error)
        else:
            record.result = call.result()
            record.end(TaskState.SUCCEEDED)

    def _fail(self, record: TaskRecord, error: BaseException) -> None:
        record.error = f"{type(error).__name__}: {error}"
        record.traceback = "".join(traceback.format_exception(error))
        if record.retries < (record.submission.max_retries or 0):
            record.retries += 1
            record.stored_state = TaskState.RETRYING
        else:
            record.end(TaskState.FAILED)


def _called(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return function(*args, **kwargs)
    except (SystemExit, StopIteration) as error:  # which no future can hold
        raise RuntimeError(f"The task raised {type(error).__name__}.") from error


async def _awaited(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    try:
        return await function(*args, **kwargs)
    except SystemExit as error:  # which would end the event loop
        raise RuntimeError("The task raised SystemExit.") from error
