"""Celery's own worker, with settings that lose no task and run nothing but JSON."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from celery import bootsteps

from oneiric_celery import scripts
from oneiric_celery.reporting import report_as_any
from oneiric_celery.retrying import retry_as_submitted

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger("oneiric_celery")

_RELEASE_EVERY = 1.0
_AT_ONCE = 1000


def prepare(app: Celery, *, visibility_timeout: float = 3600.0) -> Celery:
    """Give an application the settings of `oneiric-celery worker`, for workers that are started in another way.

    - JSON alone, for tasks and results.
    - At least once: a task is acknowledged when it has ended, and that of a lost worker goes back to its queue. On Redis that
      is after `visibility_timeout` seconds, so no task may take longer.
    - States: `running` is written down, how often a task was run again too, and a cancel holds whichever worker gets the task.
    - One task for each process is fetched, so that those that wait can be taken by others, and cancelled.

    - What a task gives to `oneiric.adapters.queue.report_progress` is its progress.

    Call it when all tasks are registered; returns the application.
    """
    json = ["json"]
    app.conf.update(
        accept_content=json,
        result_accept_content=json,
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_track_started=True,
        task_store_errors_even_if_ignored=True,
        result_extended=True,
        worker_prefetch_multiplier=1,
        worker_deduplicate_successful_tasks=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    if _is_on_redis(app):
        _prepare_redis(app, visibility_timeout)
    app.Task.Request = "oneiric_celery.requests:Request"
    app.steps["worker"].add(Releasing)
    app.finalize()
    report_as_any(app)
    retry_as_submitted(app)
    return app


def _is_on_redis(app: Celery) -> bool:
    return str(app.conf.broker_url or "").partition(":")[0] in ("redis", "rediss", "redis+socket")


def _prepare_redis(app: Celery, visibility_timeout: float) -> None:
    app.conf.broker_transport = "oneiric_celery.transport:Transport"
    app.conf.broker_transport_options = {
        **(app.conf.broker_transport_options or {}),
        "visibility_timeout": visibility_timeout,
        # How often it is looked for tasks of lost workers, each time; Celery's own default is once in 100 seconds.
        "unacked_restore_interval": max(0.5, min(10.0, visibility_timeout / 4)),
        "unacked_restore_throttle": 1,
        # A worker that is killed while it looks keeps the others from it for so long.
        "unacked_mutex_expire": int(max(2, min(300, visibility_timeout))),
        "socket_keepalive": True,
    }


class Releasing(bootsteps.StartStopStep):  # type: ignore[misc]
    """Gives the tasks that were submitted for much later to their queues, when their time is near."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._entry: Any = None

    def start(self, worker: Any) -> None:
        """Look every second."""
        backend = worker.app.backend
        if hasattr(backend, "client") and _is_on_redis(worker.app):
            self._entry = worker.timer.call_repeatedly(_RELEASE_EVERY, _release, (backend,))

    def stop(self, worker: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Look no more."""
        if self._entry is not None:
            self._entry.cancel()


def _release(backend: Any) -> None:
    try:
        backend.client.eval(scripts.RELEASE, 2, scripts.SCHEDULE, scripts.PARKED, time.time(), _AT_ONCE)
    except Exception:
        logger.exception("The tasks whose time has come could not be given to their queues; it is tried again.")
