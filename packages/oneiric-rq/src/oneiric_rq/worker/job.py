"""A job as a worker runs it: only where its function is listed, and only if JSON can hold what it returns."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from oneiric.adapters.payload import json_text
from oneiric.adapters.queue import progress_goes_to
from rq.job import Job, Retry

from oneiric_rq.progress import report_progress

if TYPE_CHECKING:
    from oneiric_rq.worker.tasks import Function, Tasks

logger = logging.getLogger("oneiric_rq.worker")


class ListedJob(Job):
    """RQ's job, whose names (of its function and of its callbacks) are looked up in a list instead of being imported."""

    tasks: ClassVar[Tasks]

    @property
    def func(self) -> Function:
        """The listed function. Raises UnlistedTask."""
        return self.tasks[self.func_name]

    @property
    def success_callback(self) -> Function | None:
        """The listed function, if there is a name."""
        return self.tasks[self._success_callback_name] if self._success_callback_name else None

    @property
    def failure_callback(self) -> Function | None:
        """The listed function, if there is a name."""
        return self.tasks[self._failure_callback_name] if self._failure_callback_name else None

    @property
    def stopped_callback(self) -> Function | None:
        """The listed function, if there is a name."""
        return self.tasks[self._stopped_callback_name] if self._stopped_callback_name else None

    def perform(self) -> Any:
        """Run the task. Raises TypeError where JSON can't hold what it returns: RQ would keep other words as its result."""
        with progress_goes_to(report_progress):
            result = super().perform()
        if not isinstance(result, Retry):
            try:
                json_text(result, "result")
            except ValueError as error:
                self._result = None
                raise TypeError(f"The task returned what JSON can't hold: {error}") from None
        return result

    def send_webhooks(self, status: Any, *, exc_string: str | None = None) -> None:  # noqa: ARG002 - RQ's signature
        """Send none: whoever can submit a task could make this machine call any address."""
        if self.webhooks:
            logger.warning("Job %s: its webhooks for %s are not sent.", self.id, status)


def listed_job(tasks: Tasks) -> type[ListedJob]:
    """The class of jobs for a worker of these tasks."""
    return type("ListedJob", (ListedJob,), {"tasks": tasks})
