"""What `oneiric demo` runs tasks with: `oneiric-celery worker` in processes of its own."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oneiric.adapters.queue.worker_process import WorkerProcess

from oneiric_celery import demo_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric_celery.adapter import CeleryQueueAdapter

_QUEUE = "oneiric-demo"


@asynccontextmanager
async def run_worker(adapter: CeleryQueueAdapter) -> AsyncIterator[dict[str, str]]:
    """Run a worker; gives the names of its tasks."""
    options = ["--broker", adapter.settings.broker_url, "--queues", _QUEUE, "--concurrency", "1"]
    options += ["--name", f"oneiric-demo-{os.getpid()}@%h", "--log-level", "critical"]
    async with WorkerProcess(
        [sys.executable, "-m", "oneiric_celery", "worker", f"{demo_tasks.__name__}:app", *options],
        environment={**os.environ, "PYTHONWARNINGS": "ignore"},
        is_quiet=True,  # Celery's banner
    ):
        yield {name: task.name for name, task in demo_tasks.TASKS.items()}
