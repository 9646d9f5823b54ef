"""What `oneiric demo` runs tasks with: `oneiric-rq worker` in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from oneiric_rq import demo_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oneiric_rq.adapter import RedisQueueAdapter

_QUEUE = "oneiric-demo"
_ENDS_WITHIN = 10.0


@asynccontextmanager
async def run_worker(adapter: RedisQueueAdapter) -> AsyncIterator[dict[str, str]]:
    """Run a worker; gives the names of its tasks."""
    options = ("--url", adapter.settings.url, "--allow", demo_tasks.__name__, "--log-level", "CRITICAL")
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "oneiric_rq", "worker", _QUEUE, *options)
    try:
        yield {name: f"{demo_tasks.__name__}.{name}" for name in ("count", "fail", "hold")}
    finally:
        with suppress(ProcessLookupError):  # it has ended already
            worker.terminate()
        try:
            await asyncio.wait_for(worker.wait(), _ENDS_WITHIN)
        except TimeoutError:
            worker.kill()
            await worker.wait()
