"""A queue as a worker serves it: what is taken from it stays in sight until it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.intermediate_queue import IntermediateQueue
from rq.job import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis
    from rq.job import Job
    from rq.serializers import Serializer
    from rq.timeouts import BaseDeathPenalty
    from rq.worker import BaseWorker

_POLL = 0.1
"""Seconds between looks into several queues: Redis can wait for several, and can't move what it finds in the same step."""


class Taken(IntermediateQueue):
    """The tasks that workers have taken and not begun."""

    recover_after: int = 60

    def set_first_seen(self, job_id: str) -> bool:
        """Note when it was seen here first; forgotten soon, as the same task may come by again."""
        key = self.get_first_seen_key(job_id)
        return bool(self.connection.set(key, time.time(), nx=True, ex=3 * self.recover_after))

    def should_be_cleaned_up(self, job_id: str) -> bool:
        """Whether it has been here for too long: whoever took it is gone."""
        seen = self.connection.get(self.get_first_seen_key(job_id))
        return seen is not None and time.time() - float(seen) > self.recover_after

    def cleanup(self, worker: BaseWorker, queue: Queue) -> None:
        """Put back what nobody has begun. RQ would fail it, whatever has become of it meanwhile."""
        for job_id in self.get_job_ids():
            if job_id in queue.started_job_registry:
                continue
            job = queue.fetch_job(job_id)
            if job is None or job.get_status(refresh=False) != JobStatus.QUEUED or self._is_waiting(job_id):
                self.remove(job_id)
            elif not self.set_first_seen(job_id) and self.should_be_cleaned_up(job_id):
                worker.log.warning("Job %s was taken and not begun: it goes back to %s.", job_id, queue.name)
                self._put_back(job_id)

    def _is_waiting(self, job_id: str) -> bool:
        return self.connection.lpos(self.queue_key, job_id) is not None

    def _put_back(self, job_id: str) -> None:
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(self.key, 1, job_id)
            pipeline.lpush(self.queue_key, job_id)
            pipeline.delete(self.get_first_seen_key(job_id))
            pipeline.execute()


class RecoveringQueue(Queue):
    """RQ's queue, from which a task is always moved and never popped: a worker that is killed loses none."""

    recover_after: ClassVar[int] = 60

    @property
    def intermediate_queue(self) -> IntermediateQueue:
        """What was taken."""
        taken = Taken(self.key, connection=self.connection)
        taken.recover_after = self.recover_after
        return taken

    def acquire_maintenance_lock(self) -> bool:
        """Whether this worker may clean up; a worker that is killed while it does keeps the others from it for a moment."""
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=self.recover_after))

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Queue],
        timeout: int | None,
        connection: Redis,
        job_class: type[Job] | None = None,
        serializer: Serializer | str | None = None,
        death_penalty_class: type[BaseDeathPenalty] | None = None,
    ) -> tuple[Job, Queue] | None:
        """The next task of the first queue that has one."""
        served = list(queues)
        options = {"job_class": job_class, "serializer": serializer, "death_penalty_class": death_penalty_class}
        if len(served) == 1:
            return super().dequeue_any(served, timeout, connection, job_class, serializer, death_penalty_class)
        give_up = time.monotonic() + (timeout or 0)
        while (taken := cls._take(served, connection, options)) is None:
            if timeout is None:
                return None
            if time.monotonic() > give_up:
                raise DequeueTimeout(timeout, [queue.key for queue in served])
            time.sleep(_POLL)
        return taken

    @classmethod
    def _take(cls, queues: list[Queue], connection: Redis, options: dict[str, Any]) -> tuple[Job, Queue] | None:
        for queue in queues:
            while (job_id := connection.lmove(queue.key, queue.intermediate_queue_key)) is not None:
                taken = cls._fetch_dequeued_job(connection, queue.key, job_id.decode(), **options)  # type: ignore[union-attr]
                if taken is not None:
                    return taken
                connection.lrem(queue.intermediate_queue_key, 1, job_id)  # type: ignore[arg-type]  # it has expired
        return None


def recovering_queue(seconds: int) -> type[RecoveringQueue]:
    """The class of queues for a worker that gives a task back after that time."""
    return type("RecoveringQueue", (RecoveringQueue,), {"recover_after": seconds})
