"""The worker."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from rq.worker import Worker

from oneiric_rq.worker.job import listed_job
from oneiric_rq.worker.queue import recovering_queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis
    from rq import Queue
    from rq.job import Job

    from oneiric_rq.worker.tasks import Tasks

_TELL_WHEN_PARENT_ENDS = 1
"""PR_SET_PDEATHSIG of Linux."""


class ListedWorker(Worker):
    """RQ's worker, with the JSON serializer, that runs listed tasks alone and gives back what a killed worker had taken.

    `recover_after` is how many seconds after the last sign of a worker its task is run again, if it has retries left, or
    fails; a task that it had taken and not begun is put back. A worker that serves the queue looks for such tasks three times
    in that time, between tasks of its own.
    """

    def __init__(
        self,
        queues: Sequence[str],
        tasks: Tasks,
        connection: Redis,
        *,
        recover_after: int = 60,
        name: str | None = None,
    ) -> None:
        self._recover_after = recover_after
        often = math.ceil(recover_after / 3)
        super().__init__(
            queues,
            name=name,
            connection=connection,
            serializer="json",
            job_class=listed_job(tasks),
            queue_class=recovering_queue(recover_after),
            job_monitoring_interval=often,
            maintenance_interval=often,
            worker_ttl=often + 15,  # RQ waits 15 seconds less than that for a task
        )

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002 - RQ's signature
        """For how long a task is taken to be running after a sign of it."""
        return self._recover_after

    def prepare_job_execution(self, job: Job, remove_from_intermediate_queue: bool = False) -> None:  # noqa: ARG002
        """Note that it runs; it was moved, however many queues are served."""
        super().prepare_job_execution(job, remove_from_intermediate_queue=True)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Run a task, in a process that ends with the worker's: what is run again must not be running still."""
        end_with(os.getppid(), signal.SIGKILL)
        super().main_work_horse(job, queue)

    def work(self, *args: Any, **options: Any) -> bool:
        """Serve the queues. The scheduler's process, too, ends with the worker's."""
        worker = os.getpid()
        os.register_at_fork(after_in_child=lambda: end_with(worker, signal.SIGTERM))
        return super().work(*args, **options)


def end_with(parent: int, how: signal.Signals) -> None:
    """Have this process told by that signal when its parent ends, however it does. On Linux; elsewhere nothing happens.

    A process whose parent is another one, as a task has started it, is left alone.
    """
    if sys.platform == "linux" and os.getppid() == parent:
        ctypes.CDLL(None).prctl(_TELL_WHEN_PARENT_ENDS, int(how))
        if os.getppid() != parent:  # it has ended just now, and nobody tells us any more
            os.kill(os.getpid(), how)
