"""What `oneiric demo` runs tasks with: `oneiric-rq worker` in a process of its own."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oneiric.adapters.queue.worker_process import WorkerProcess

from oneiric_rq import demo_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric_rq.adapter import RedisQueueAdapter

_QUEUE = "oneiric-demo"


@asynccontextmanager
async def run_worker(adapter: RedisQueueAdapter) -> AsyncIterator[dict[str, str]]:
    """Run a worker; gives the names of its tasks."""
    options = ("--url", adapter.settings.url, "--allow", demo_tasks.__name__, "--log-level", "CRITICAL")
    async with WorkerProcess([sys.executable, "-m", "oneiric_rq", "worker", _QUEUE, *options]):
        yield {name: f"{demo_tasks.__name__}.{name}" for name in ("count", "fail", "hold")}
