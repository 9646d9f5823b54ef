"""How a worker of ours receives a task: it drops one that was cancelled, whoever knows of the cancel."""

from __future__ import annotations

from celery import states
from celery.worker.request import Request as CeleryRequest
from celery.worker.state import revoked


class Request(CeleryRequest):  # type: ignore[misc]
    """A task that a worker was given.

    Celery's workers keep what was revoked in memory, so one that is started later knows nothing of it. Here its record is
    read too.
    """

    def revoked(self) -> bool:
        """Whether it was cancelled or has expired; it is then dropped."""
        if self.id not in revoked and self.task.backend.get_state(self.id) == states.REVOKED:
            revoked.add(self.id)
        return bool(super().revoked())
