"""What `oneiric demo` runs tasks with: `oneiric-celery worker` in processes of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from oneiric_celery import demo_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric_celery.adapter import CeleryQueueAdapter

_QUEUE = "oneiric-demo"
_ENDS_WITHIN = 10.0


@asynccontextmanager
async def run_worker(adapter: CeleryQueueAdapter) -> AsyncIterator[dict[str, str]]:
    """Run a worker; gives the names of its tasks."""
    options = ("--broker", adapter.settings.broker_url, "--queues", _QUEUE, "--concurrency", "1")
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "oneiric_celery", "worker", f"{demo_tasks.__name__}:app"),
        *options,
        *("--name", f"oneiric-demo-{os.getpid()}@%h", "--log-level", "critical"),
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        stdout=asyncio.subprocess.DEVNULL,  # Celery's banner
    )
    try:
        yield {name: task.name for name, task in demo_tasks.TASKS.items()}
    finally:
        with suppress(ProcessLookupError):  # it has ended already
            worker.terminate()
        try:
            await asyncio.wait_for(worker.wait(), _ENDS_WITHIN)
        except TimeoutError:
            worker.kill()
            await worker.wait()
