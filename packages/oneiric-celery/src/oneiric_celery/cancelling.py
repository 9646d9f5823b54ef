"""Cancelling a task, wherever it is: in its queue, with a worker that waits for its time, or running."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from oneiric.adapters.queue import CancelOutcome, TaskState
from oneiric.errors import ConnectionFailed, Unsupported

if TYPE_CHECKING:
    from oneiric_celery.record import Record
    from oneiric_celery.results import Results

_LOOK = 0.02
"""Seconds until workers and the record are asked again."""
_WAITING = frozenset({TaskState.SCHEDULED, TaskState.QUEUED, TaskState.RETRYING})


class Broker(Protocol):
    """What is asked of a broker here."""

    async def take_out(self, record: Record) -> bool:
        """Remove a task that waits; whether it was there."""

    async def ask(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What each worker that answers says to a command."""


class Cancelling:
    """One cancel. Its caller has the deadline."""

    def __init__(self, broker: Broker, results: Results, task_id: str, *, stop: bool, plain_workers: bool) -> None:
        self._broker = broker
        self._results = results
        self._task_id = task_id
        self._stop = stop
        self._plain_workers = plain_workers

    async def run(self) -> CancelOutcome:
        """Cancel the task."""
        record = await self._results.read(self._task_id)
        if record is None:
            return CancelOutcome.UNKNOWN
        if record.state in _WAITING:
            return await self._prevent(record)
        return await self._running_or_ended(record)

    async def _prevent(self, record: Record) -> CancelOutcome:
        """It has not started: write so, then take it away from whoever has it."""
        before = await self._results.revoke(record)
        if before is None:
            return CancelOutcome.UNKNOWN
        if before.state not in _WAITING:
            return await self._running_or_ended(before)
        if await self._broker.take_out(before):
            return CancelOutcome.PREVENTED
        return await self._take_from_workers(before)

    async def _take_from_workers(self, before: Record) -> CancelOutcome:
        """It was fetched: have the workers drop it, and see that none of them has begun it meanwhile."""
        answered = await self._broker.ask("revoke", {"task_id": [self._task_id]})
        while True:
            places = await self._places()
            record = await self._results.read(self._task_id)
            if record is None or record.state is not TaskState.CANCELLED:
                return await self._running_or_ended(record) if record else CancelOutcome.UNKNOWN
            if "active" in places:
                return await self._running_unseen(record, before)
            if "reserved" not in places:
                break
            await asyncio.sleep(_LOOK)
        if self._plain_workers and not answered:
            await self._results.put_back(self._task_id, record.text, before.text)
            raise ConnectionFailed("No worker answered that could drop the task: it was left as it is.")
        return CancelOutcome.PREVENTED

    async def _running_unseen(self, record: Record, before: Record) -> CancelOutcome:
        """It runs, and its worker has not written so: with those that don't say so, it never will."""
        await self._results.put_back(self._task_id, record.text, before.text)
        return await self._terminate() if self._stop else CancelOutcome.TOO_LATE

    async def _running_or_ended(self, record: Record) -> CancelOutcome:
        if record.outcome is not None:
            return record.outcome
        if record.state is TaskState.RUNNING and self._stop:
            return await self._terminate()
        return CancelOutcome.TOO_LATE

    async def _terminate(self) -> CancelOutcome:
        """End it where it runs: the worker's process of it gets SIGTERM, and another takes its place."""
        replies = await self._broker.ask("revoke", {"task_id": [self._task_id], "terminate": True})
        if not replies:
            raise ConnectionFailed("No worker answered that could stop the task.", transient=True)
        if any(
            "NotImplementedError" in str(reply.get("error")) for reply in replies.values() if isinstance(reply, dict)
        ):
            raise Unsupported("The worker's pool can't stop a task.", hint="Start it with `--pool prefork`.")
        while (record := await self._results.read(self._task_id)) is not None:
            if record.state is not TaskState.RUNNING:
                return record.outcome or CancelOutcome.TOO_LATE
            if not await self._places():
                return CancelOutcome.STOPPED  # its worker is gone; those that are left drop it when it is given to them
            await asyncio.sleep(_LOOK)
        return CancelOutcome.UNKNOWN

    async def _places(self) -> set[str]:
        """Where the workers say that it is: `active`, `reserved`, `scheduled`, `ready`."""
        replies = await self._broker.ask("query_task", {"ids": [self._task_id]})
        known = [reply for reply in replies.values() if isinstance(reply, dict)]
        return {str(reply[self._task_id][0]) for reply in known if isinstance(reply.get(self._task_id), list)}
