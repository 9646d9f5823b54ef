"""The broker of the queue in memory: the tasks, and who runs them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from oneiric.testing.memory.change import Change
from oneiric.testing.memory.task_record import TaskRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from oneiric.adapters.queue.submission import Submission
    from oneiric.testing.memory.task_worker import TaskWorker

_brokers: WeakValueDictionary[str, TaskBroker] = WeakValueDictionary()


class TaskBroker:
    """The tasks of all adapters that name it. Everything happens in one event loop, so nothing here needs a lock."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.records: dict[str, TaskRecord] = {}
        self.workers: list[TaskWorker] = []
        self.change = Change()

    @classmethod
    def of(cls, name: str) -> TaskBroker:
        """The broker of a name in this event loop, which is there for as long as somebody holds it."""
        broker = _brokers.get(name)
        if broker is None or broker.loop is not asyncio.get_running_loop():
            broker = _brokers[name] = cls()
        return broker

    def submit(self, submissions: Iterable[Submission]) -> list[str]:
        """Take tasks, but for those of an id that is there already."""
        ids = []
        for submission in submissions:
            if submission.task_id not in self.records:
                record = TaskRecord(submission, len(self.records), datetime.now(UTC))
                self.records[submission.task_id] = record
            ids.append(submission.task_id)
        self.change.tell()
        return ids

    def waiting(self, queues: Collection[str]) -> list[TaskRecord]:
        """The tasks that a worker may take now."""
        return [record for record in self.records.values() if record.submission.queue in queues and record.is_waiting]

    async def wait(self) -> None:
        """Wait until something may have changed, be it by time alone."""
        seconds = [record.seconds_to_change() for record in self.records.values() if not record.has_ended]
        await self.change.wait(min((each for each in seconds if each is not None), default=None))
